"""Bugs of the whole world: money, parcels, books, reports and keys, each against one promise."""

from collections.abc import Sequence
from dataclasses import replace as changed
from functools import reduce
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from libs.contracts import accounting, fulfilment, payments
from libs.effects.kinds import EffectKind, Rejected, Result, Unknown
from libs.eventsourcing.states import pack
from libs.runtime.ports import Service
from libs.security.vault.vault import Vault
from libs.store.store import Call
from services.channels.outbound.report import report_of
from services.crm_sync.erasing import Shredder
from services.fulfilment import handover_commands as handovers
from services.fulfilment import shipment_commands as parcels
from services.fulfilment.shipment import LEFT
from services.fulfilment.shipment_evolve import evolve
from tests.simulation.bugs import Bug, Decide

Kinds = Sequence[EffectKind]


class Altered:
    """An adapter whose calls or results are not what they were."""

    def __init__(self, real: Any) -> None:
        self.real = real

    async def perform(self, call: Call) -> Result:
        result: Result = await self.real.perform(self.call(call))
        return self.result(result)

    async def ask(self, call: Call) -> Result:
        result: Result = await self.real.ask(call)
        return self.result(result)

    def call(self, call: Call) -> Call:
        return call

    def result(self, result: Result) -> Result:
        return result


class NewKey(Altered):
    """Makes each attempt under a key of its own."""

    def call(self, call: Call) -> Call:
        return replace(call, id=f"{call.id}/{call.attempt}") if call.attempt > 1 else call


class NewReport(Altered):
    """Tells a shop again under another name."""

    def call(self, call: Call) -> Call:
        if call.attempt == 1:
            return call
        report = report_of(call)
        return replace(call, request=pack(replace(report, report_id=f"{report.report_id}-2")))


class DoubtIsRefusal(Altered):
    """Takes what nobody knows for a refusal."""

    def result(self, result: Result) -> Result:
        return Rejected("declined") if isinstance(result, Unknown) else result


def _altered(start: str | tuple[str, ...], adapter: type[Altered]) -> Any:
    def kinds(real: Kinds) -> Kinds:
        return [
            changed(one, adapter=adapter(one.adapter)) if one.name.startswith(start) else one
            for one in real
        ]

    return kinds


class Spares:
    """A vault that says it has no key of a buyer, and keeps it."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def shred(self, subject: str, clearance: str) -> bool:
        del subject, clearance
        return False


def _spares(real: Kinds) -> Kinds:
    """A key that is not found counts as destroyed."""
    return [
        changed(one, adapter=Shredder(cast("Vault", Spares(one.adapter._vault)),
                                      one.adapter._years))
        if isinstance(one.adapter, Shredder) else one
        for one in real
    ]  # fmt: skip


def _buys_anew(real: Decide) -> Decide:
    """A purchase in doubt counts as refused, and another label is asked for."""

    def decide(command: Any, state: Any) -> Sequence[Any]:
        if not isinstance(command, parcels.DoubtLabel) or state.label.state != "quoted":
            return real(command, state)
        names = (command.entity, command.shipment_id)
        refused = real(
            parcels.RefuseLabel(*names, command.label_id, "no-answer", command.at), state
        )
        after = reduce(evolve, refused, state)
        if state.status not in {"packed", "ready"}:
            return refused
        retry = parcels.RetryLabel(*names, None, None, "policy", command.at)
        return [*refused, *real(retry, after)]

    return decide


def _knows_one_address(real: Decide) -> Decide:
    """Parcels go to the first address, wherever the buyer has moved."""

    def decide(command: Any, state: Any) -> Sequence[Any]:
        if isinstance(command, handovers.TakeFulfilment) and state.taken is not None:
            command = replace(command, customer=state.taken.customer)
        return real(command, state)

    return decide


def _moved_in_vain(real: Decide) -> Decide:
    """Nobody hears of a new address that comes too late."""

    def decide(command: Any, state: Any) -> Sequence[Any]:
        events = real(command, state)
        return [one for one in events if getattr(one, "reason", "") != "address-too-late"]

    return decide


def _clears_itself(real: Decide) -> Decide:
    def decide(command: Any, state: Any) -> Sequence[Any]:
        if isinstance(command, parcels.RecordClearance):
            return real(command, state)
        parts = state.parts
        for name, part in parts.items():
            parts = parts.set(name, replace(part, cleared=True))
        return real(command, replace(state, parts=parts))

    return decide


def _stops_what_left(real: Decide) -> Decide:
    def decide(command: Any, state: Any) -> Sequence[Any]:
        events = real(command, state)
        if state.status not in LEFT:
            return events
        return [_stopped(one) if isinstance(one, fulfilment.StopTooLate) else one for one in events]

    return decide


def _stopped(late: fulfilment.StopTooLate) -> fulfilment.DispatchStopped:
    return fulfilment.DispatchStopped(
        entity=late.entity, occurred_at=late.occurred_at, shipment_id=late.shipment_id,
        order_id=late.order_id, rows=late.rows, units=(), reason=late.reason,
    )  # fmt: skip


def _clears_when_asked(real: Decide) -> Decide:
    def decide(command: Any, state: Any) -> Sequence[Any]:
        return [_cleared(one) for one in real(command, state)]

    return decide


def _cleared(event: Any) -> Any:
    if not isinstance(event, payments.ClearanceDelayed) or event.reason != "capture":
        return event
    return payments.ShipmentCleared(
        entity=event.entity, occurred_at=event.occurred_at, order_id=event.order_id,
        shipment_id=event.shipment_id, basis="captured", amount=event.amount,
        currency=event.currency, capture_id=None, lines=event.lines,
    )  # fmt: skip


def _one_sided(real: Decide) -> Decide:
    def decide(command: Any, state: Any) -> Sequence[Any]:
        return [
            replace(one, lines=one.lines[:-1]) if isinstance(one, accounting.EntryPosted) else one
            for one in real(command, state)
        ]

    return decide


def _twice(name: str, source: str, field: str) -> Any:
    """A service that does again what one service's facts ask, as if it had never done it."""

    def service(real: Service) -> Service:
        if real.name != name:
            return real
        react = real.reacts[source]

        def again(envelope: Any) -> Any:
            work = list(react(envelope))
            return [*work, *((stream, _other(command, field)) for stream, command in work)]

        reacts = {**real.reacts, source: changed(react, react=again)}
        return changed(real, reacts=reacts)

    return service


def _other(command: Any, field: str) -> Any:
    if field == "fact" and hasattr(command, "fact"):
        fact = command.fact
        known = {"source_event": f"{fact.source_event}/again"}
        return replace(
            command, fact=replace(fact, **known, source_version=fact.source_version + 1)
        )  # fmt: skip
    if hasattr(command, field):
        return msgspec.structs.replace(command, **{field: f"{getattr(command, field)}/again"})
    return command


WHOLE = (
    Bug("new-key-on-retry", "P1", whole=True, kinds=_altered("stripe.", NewKey)),
    Bug("doubt-is-a-refusal", "P3", whole=True, kinds=_altered("stripe.", DoubtIsRefusal)),
    Bug("reported-under-a-new-name", "P9", whole=True,
        kinds=_altered(("standard.", "woocommerce."), NewReport)),
    Bug("label-bought-anew-in-doubt", "P1", whole=True, decides={"shipment": _buys_anew}),
    Bug("handed-over-before-clearance", "P3", whole=True, decides={"shipment": _clears_itself}),
    Bug("stopped-after-it-left", "P1", whole=True, decides={"shipment": _stops_what_left}),
    Bug("sent-to-the-old-address", "P7", whole=True, decides={"handover": _knows_one_address}),
    Bug("moved-in-vain", "P7", whole=True, decides={"order": _moved_in_vain}),
    Bug("cleared-when-asked", "P3", whole=True, decides={"payment": _clears_when_asked}),
    Bug("key-not-found-counts-as-destroyed", "P8", whole=True, kinds=_spares),
    Bug("entry-out-of-balance", "P4", whole=True, decides={"sale": _one_sided}),
    Bug("posted-on-redelivery", "P3", whole=True, service=_twice("accounting", "payments", "fact")),
    Bug("shipped-on-redelivery", "P2", whole=True,
        service=_twice("inventory", "fulfilment", "shipment_id")),
)  # fmt: skip
