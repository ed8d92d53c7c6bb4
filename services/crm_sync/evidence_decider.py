"""Whom a piece of evidence names. Pure; a repeated command yields no event.

Strong evidence makes those one whom it names, weak evidence suggests it; who came first never
matters. What a person parted, and what was erased, stays parted from that evidence for ever.
"""

from typing import assert_never

import msgspec
from immutables import Map

from libs.contracts import common
from libs.contracts import crm_sync as events
from libs.eventsourcing.decider import Decider, Refused
from services.crm_sync import commands

COMMON = 50  # customers that weak evidence may name before it tells nothing any more


class Naming(msgspec.Struct, frozen=True):
    """Whom evidence names (whether strongly), and whom it must not name."""

    members: Map[str, bool] = Map()
    parted: Map[str, bool] = Map()


EvidenceEvent = (
    events.SubjectSeen | events.CustomersMerged | events.MergeSuggested | events.SubjectParted
)


def decide_evidence(command: commands.EvidenceCommand, state: Naming) -> list[EvidenceEvent]:
    """Return what follows from whom a piece of evidence names."""
    match command:
        case commands.NameCustomer():
            strong = command.strength == "strong"
            return _named(command, command.customer, strong, command.kind, state)
        case commands.MergeByHand(first=first, second=second):
            if first.customer_id == second.customer_id:
                raise Refused("merge-with-itself", "A customer is one with itself already.")
            if state.members or state.parted:
                return []
            out: list[EvidenceEvent] = []
            for one in (first, second):
                out += _named(command, one, True, "unknown", state)
                state = Naming(Map({one.customer_id: True}))
            return out
        case commands.PartCustomer():
            if command.customer_id in state.parted:
                return []
            return [
                events.SubjectParted(
                    entity=command.entity, occurred_at=command.at, index=command.index,
                    customer_id=command.customer_id, by=command.by, reason=command.reason,
                )
            ]  # fmt: skip
        case _:
            assert_never(command)


def _named(
    command: commands.NameCustomer | commands.MergeByHand,
    one: commands.Named,
    strong: bool,
    kind: common.EvidenceKind,
    state: Naming,
) -> list[EvidenceEvent]:
    """Note the customer, and say with whom that makes it one, or may."""
    known = state.members.get(one.customer_id)
    common = not strong and len(state.members) >= COMMON
    if one.customer_id in state.parted or known is strong or known or common:
        return []
    by = command.by if isinstance(command, commands.MergeByHand) else commands.BY_EVIDENCE
    out: list[EvidenceEvent] = [
        events.SubjectSeen(
            entity=command.entity, occurred_at=command.at, index=command.index, kind=kind,
            customer_id=one.customer_id, subject=one.subject, account=one.account,
            strength="strong" if strong else "weak", by=by,
        )
    ]  # fmt: skip
    others = {name: sure for name, sure in state.members.items() if name != one.customer_id}
    sure = sorted(name for name, is_strong in others.items() if is_strong)
    if strong and sure:
        first, second = sorted((one.customer_id, sure[0]))
        out.append(
            events.CustomersMerged(
                entity=command.entity, occurred_at=command.at, customer_id=first,
                merged_id=second, strength="strong", index=command.index, by=by,
            )
        )  # fmt: skip
    elif others and known is None:
        out.append(
            events.MergeSuggested(
                entity=command.entity, occurred_at=command.at, customer_id=one.customer_id,
                other_id=(sure or sorted(others))[0], kind=kind, index=command.index,
            )
        )  # fmt: skip
    return out


def evolve_evidence(state: Naming, event: object) -> Naming:
    """Fold one of a piece of evidence's events."""
    match event:
        case events.SubjectSeen():
            known = state.members.get(event.customer_id, False)
            strong = known or event.strength == "strong"
            return Naming(state.members.set(event.customer_id, strong), state.parted)
        case events.SubjectParted(customer_id=gone):
            left = state.members.delete(gone) if gone in state.members else state.members
            return Naming(left, state.parted.set(gone, True))
        case _:
            return state


EVIDENCE = Decider(
    "evidence", commands.EvidenceCommand, Naming, Naming(), decide_evidence, evolve_evidence
)
