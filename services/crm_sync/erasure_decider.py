"""What becomes of the wish to be forgotten. Pure; a repeated command yields no event."""

from typing import assert_never

import msgspec
from immutables import Map

from libs.contracts import crm_sync as events
from libs.eventsourcing.decider import Decider
from services.crm_sync import commands

CONTACT = ("contact",)  # clearances whose keys are destroyed at once


class Erasure(msgspec.Struct, frozen=True):
    """Subjects that were asked to be forgotten (True: and are)."""

    subjects: Map[str, bool] = Map()


def decide_erasure(
    command: commands.ErasureCommand, state: Erasure
) -> list[events.ErasureRequested | events.ErasureCompleted]:
    """Return what happens to the subjects of a customer that is to be forgotten."""
    match command:
        case commands.RequestErasure():
            fresh = tuple(sorted(set(command.subjects) - set(state.subjects)))
            if not fresh:
                return []
            return [
                events.ErasureRequested(
                    entity=command.entity, occurred_at=command.at,
                    customer_id=command.customer_id, subjects=fresh, by=command.by,
                    answer_by=command.answer_by, last_order_at=command.last_order_at,
                )
            ]  # fmt: skip
        case commands.RecordErasure():
            done = tuple(sorted(one for one in command.subjects if not state.subjects.get(one)))
            if not done:
                return []
            return [
                events.ErasureCompleted(
                    entity=command.entity, occurred_at=command.at,
                    customer_id=command.customer_id, subjects=done, clearances=CONTACT,
                    retained_until=command.retained_until,
                )
            ]  # fmt: skip
        case _:
            assert_never(command)


def evolve_erasure(state: Erasure, event: object) -> Erasure:
    """Fold one of an erasure's events."""
    match event:
        case events.ErasureRequested(subjects=subjects):
            return Erasure(state.subjects.update(dict.fromkeys(subjects, False)))
        case events.ErasureCompleted(subjects=subjects):
            return Erasure(state.subjects.update(dict.fromkeys(subjects, True)))
        case _:
            return state


ERASURE = Decider(
    "erasure", commands.ErasureCommand, Erasure, Erasure(), decide_erasure, evolve_erasure
)
