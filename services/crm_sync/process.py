"""What crm_sync does when orders name a buyer, and what its own facts lead to. Pure.

Its own facts come back to it over its topic: a turn writes to the streams that it was told of only.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from libs.contracts import crm_sync as events
from libs.contracts import orders
from libs.contracts.common import Evidence
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.process import Effect, Reactions, Timer, reacting
from libs.values.ids import derive
from services.crm_sync import commands
from services.crm_sync.commands import customer_stream, evidence_stream, index_of

SHRED, RETAIN = "vault-shred", "vault-retain"
COMPARED = frozenset({"email", "phone", "name"})  # the channel's own id is the subject already


class Shred(msgspec.Struct, frozen=True):
    """The request of the effect: subjects whose contact keys are to be destroyed."""

    entity: str
    customer_id: str
    subjects: tuple[str, ...]
    last_order_at: int


class Retain(msgspec.Struct, frozen=True):
    """The request of the effect: an erased subject's statutory key is to live longer."""

    subject: str
    last_order_at: int


@reacting(orders.OrderPlaced, orders.OrderAmended)
def react_to_orders(envelope: Envelope[Any]) -> Reactions:
    """Say which buyer an order names."""
    match envelope.event:
        case orders.OrderPlaced() | orders.OrderAmended() as event if event.order.customer.subject:
            order = event.order
            customer = commands.customer_id(order.customer.subject)
            sight = commands.SightCustomer(
                entity=event.entity, customer_id=customer, subject=order.customer.subject,
                account=order.account, guest=order.customer.guest,
                evidence=order.customer.evidence, order_id=event.order_id,
                occurred_at=order.placed_at, at=envelope.at,
                statutory=order.customer.statutory is not None,
            )  # fmt: skip
            return ((customer_stream(customer), sight),)
        case _:
            return ()


@reacting(
    events.CustomerSeen, events.SubjectSeen, events.CustomersUnmerged, events.ErasureCompleted,
    events.CustomerForgotten,
)  # fmt: skip
def react_to_ourselves(envelope: Envelope[Any]) -> Reactions:
    """Carry what one stream has decided to the streams that it concerns."""
    at = envelope.at
    match envelope.event:
        case events.CustomerSeen() as event:
            named = commands.Named(event.customer_id, event.subject, event.account)
            return [_name(event, one, named, at) for one in event.evidence if one.kind in COMPARED]
        case events.SubjectSeen() as event if commands.by_hand(event.index):
            who = event.customer_id
            note = commands.NoteMerge(event.entity, who, event.subject, event.index, at)
            return ((customer_stream(who), note),)
        case events.CustomersUnmerged() as event:
            who = event.merged_id
            return [
                _part(event.entity, index, who, event.by, event.reason, at)
                for index in event.indexes
            ]
        case events.ErasureCompleted() as event:
            return [_forget(event.entity, subject, at) for subject in event.subjects]
        case events.CustomerForgotten() as event:
            who = event.customer_id
            return [
                _part(event.entity, index, who, commands.BY_ERASURE, "erased", at)
                for index in event.indexes
            ]
        case _:
            return ()


def _name(
    event: events.CustomerSeen, one: Evidence, named: commands.Named, at: int
) -> tuple[str, commands.EvidenceCommand]:
    index = index_of(one, event.account)
    command = commands.NameCustomer(
        event.entity, index, one.kind, one.strength, named, event.occurred_at, at
    )
    return evidence_stream(index), command


def _part(
    entity: str, index: str, customer: str, by: str, reason: str, at: int
) -> tuple[str, commands.EvidenceCommand]:
    command = commands.PartCustomer(entity, index, customer, by, reason, at)
    return evidence_stream(index), command


def _forget(entity: str, subject: str, at: int) -> tuple[str, commands.CustomerCommand]:
    customer = commands.customer_id(subject)
    return customer_stream(customer), commands.ForgetCustomer(entity, customer, subject, at)


def plan(envelope: Envelope[Any]) -> Sequence[Timer | Effect]:
    """Plan what the vault is to do: destroy keys, once for each request, or keep one longer."""
    match envelope.event:
        case events.ErasureRequested() as event:
            wanted = Shred(event.entity, event.customer_id, event.subjects, event.last_order_at)
            request = msgspec.msgpack.encode(wanted)
            return (Effect(derive("shred", envelope.id), SHRED, envelope.stream, request),)
        case events.RetentionExtended(subject=subject, last_order_at=at):
            request = msgspec.msgpack.encode(Retain(subject, at))
            return (Effect(derive("retain", envelope.id), RETAIN, envelope.stream, request),)
        case _:
            return ()
