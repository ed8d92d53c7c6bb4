"""What may happen to one buyer of one account. Pure; a repeated command yields no event.

A customer's stream is one subject's: which customers are one is what evidence says, never a field.
"""

from collections.abc import Sequence
from typing import assert_never

import msgspec
from immutables import Map

from libs.contracts import crm_sync as events
from libs.contracts.common import Evidence
from libs.eventsourcing.decider import Decider, Refused
from services.crm_sync import commands
from services.crm_sync.commands import index_of

MOST_WEAK = 100  # pieces of weak evidence that are kept of one customer


class Customer(msgspec.Struct, frozen=True):
    """A buyer of one account: the evidence by index (whether it is strong), and what is over.

    `kept_from` is the newest order of an erased one, from which the law's years are counted.
    """

    subject: str = ""
    account: str = ""
    evidence: Map[str, bool] = Map()
    parted: Map[str, bool] = Map()
    forgotten: bool = False
    kept_from: int = 0


CustomerEvent = (
    events.CustomerSeen
    | events.CustomersUnmerged
    | events.MergeNoted
    | events.CustomerForgotten
    | events.RetentionExtended
)


def decide_customer(command: commands.CustomerCommand, state: Customer) -> Sequence[CustomerEvent]:
    """Return what happens to one buyer."""
    match command:
        case commands.SightCustomer():
            return _sighted(command, state)
        case commands.UnmergeCustomer(indexes=indexes):
            fresh = tuple(sorted(set(indexes) - set(state.parted)))
            if not state.subject:
                raise Refused("customer-not-found", "There is no such customer.")
            if not indexes:
                raise Refused("not-merged", "No evidence makes these two one.")
            if not fresh:
                return []
            return [
                events.CustomersUnmerged(
                    entity=command.entity, occurred_at=command.at,
                    customer_id=command.customer_id, merged_id=command.merged_id,
                    by=command.by, reason=command.reason, indexes=fresh,
                )
            ]  # fmt: skip
        case commands.NoteMerge():
            return _noted(command, state)
        case commands.ForgetCustomer():
            if state.forgotten:
                return []
            return [
                events.CustomerForgotten(
                    entity=command.entity, occurred_at=command.at,
                    customer_id=command.customer_id, subject=command.subject,
                    indexes=tuple(sorted(state.evidence)),
                )
            ]  # fmt: skip
        case _:
            assert_never(command)


def _sighted(command: commands.SightCustomer, state: Customer) -> Sequence[CustomerEvent]:
    if state.forgotten:
        return _kept(command, state)
    fresh: dict[str, Evidence] = {}
    weak = sum(not strong for strong in state.evidence.values())
    for one in command.evidence:
        index, strong = index_of(one, command.account), one.strength == "strong"
        known = state.evidence.get(index)
        if known is not None and (known or not strong):
            continue
        if not strong:
            weak += index not in fresh
            if weak > MOST_WEAK:
                continue
        if index not in fresh or strong:
            fresh[index] = one
    if state.subject and not fresh:
        return []
    return [
        events.CustomerSeen(
            entity=command.entity, occurred_at=command.occurred_at,
            customer_id=command.customer_id, subject=command.subject, account=command.account,
            guest=command.guest, evidence=tuple(fresh.values()), order_id=command.order_id,
        )
    ]  # fmt: skip


def _noted(command: commands.NoteMerge, state: Customer) -> Sequence[CustomerEvent]:
    """Remember what an erasure is to part; who is forgotten already parts from it at once."""
    if command.index in (state.parted if state.forgotten else state.evidence):
        return []
    if state.forgotten:
        return [
            events.CustomerForgotten(
                entity=command.entity, occurred_at=command.at, customer_id=command.customer_id,
                subject=command.subject, indexes=(command.index,),
            )
        ]  # fmt: skip
    return [
        events.MergeNoted(
            entity=command.entity, occurred_at=command.at, customer_id=command.customer_id,
            index=command.index,
        )
    ]  # fmt: skip


def _kept(command: commands.SightCustomer, state: Customer) -> Sequence[CustomerEvent]:
    """Look at nothing but the date: an invoice of today is kept as long as any other.

    Only what the law wants kept moves it: before that there may be no key that could have a date.
    """
    if not command.statutory or command.occurred_at <= state.kept_from:
        return []
    return [
        events.RetentionExtended(
            entity=command.entity, occurred_at=command.at, customer_id=command.customer_id,
            subject=command.subject, last_order_at=command.occurred_at,
        )
    ]  # fmt: skip


def evolve_customer(state: Customer, event: object) -> Customer:
    """Fold one of a customer's events."""
    replace = msgspec.structs.replace
    match event:
        case events.CustomerSeen():
            known = dict(state.evidence)
            for one in event.evidence:
                index = index_of(one, event.account)
                known[index] = known.get(index, False) or one.strength == "strong"
            return replace(state, subject=event.subject, account=event.account, evidence=Map(known))
        case events.CustomersUnmerged():
            gone = dict.fromkeys(event.indexes, True)
            return replace(state, parted=state.parted.update(gone))
        case events.MergeNoted(index=index):
            return replace(state, evidence=state.evidence.set(index, True))
        case events.CustomerForgotten():
            # A buyer whose keys went before any order was read is known all the same.
            gone = dict.fromkeys(event.indexes, True)
            return replace(
                state, subject=event.subject, evidence=Map(), parted=state.parted.update(gone),
                forgotten=True,
            )  # fmt: skip
        case events.RetentionExtended():
            return replace(state, kept_from=event.last_order_at)
        case _:
            return state


CUSTOMER = Decider(
    "customer", commands.CustomerCommand, Customer, Customer(), decide_customer, evolve_customer,
    version=2,
)  # fmt: skip
