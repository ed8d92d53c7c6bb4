"""Persons of the whole world: who pack, hand over and decide on what waits, seen in read models."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, Literal

from libs.contracts import common
from libs.eventsourcing.states import unpack
from services.channels.commands import order_stream
from services.channels.report_commands import SettleReport
from services.channels.report_rows import ReportRow
from services.fulfilment import handover_commands as handovers
from services.fulfilment import shipment_commands as parcels
from services.fulfilment.standing import ShipmentRow
from services.orders import commands as orders
from services.orders.standing import OrderRow
from services.payments import commands as payments
from services.payments.read_model import PaymentRow
from services.payments.state import PaymentState
from tests.simulation.clerks import Clerks, Command
from tests.simulation.projector import Tables

HOUR = 3_600_000_000  # microseconds
TROUBLE = ("parcel-lost", "returned-to-sender", "delivery-failed", "carrier-claim")
_CONCERNS: tuple[Literal["reship", "refund", "claim"], ...] = ("reship", "refund", "claim")
_DECISIONS: tuple[payments.Decision, ...] = ("retry", "retry", "settle", "release")
_FAILED = "refund-failed"
Todo = tuple[
    tuple[str, ...], str, str, Command, float
]  # once-key, service, stream, command, chance


@dataclass
class Persons:
    """What was left to persons is done once each, or left alone for ever."""

    rng: Random
    clerks: Clerks
    tables: dict[str, Tables]
    seen: set[tuple[str, ...]] = field(default_factory=set)

    def act(self) -> str | None:
        """Do one thing that waits, if there is one."""
        todo = [one for one in self._todo() if one[0] not in self.seen]
        return self._do(self.rng.choice(todo)) if todo else None

    def work(self) -> list[str]:
        """Do all that waits, each thing as likely as it is done at all."""
        todo = [one for one in self._todo() if one[0] not in self.seen]
        return [told for one in todo if (told := self._do(one)) is not None]

    def _do(self, todo: Todo) -> str | None:
        key, service, stream, command, chance = todo
        self.seen.add(key)
        if self.rng.random() >= chance:
            return None
        if not service:
            return self.clerks.link(command("", 0))
        return self.clerks.add(service, stream, command)

    def disturb(self) -> str | None:
        """Want something else of an order whose units are on their way out of the house."""
        rows = [
            row
            for _, row in sorted(self.tables["orders"]["orders"].items())
            if row.requested and row.state not in {"completed", "cancelled"}
        ]
        if not rows:
            return None
        row: OrderRow = self.rng.choice(rows)
        stream, chance = orders.order_stream(row.order_id), self.rng.random()
        if chance < 0.3:
            skus = [part.sku for line in row.lines for part in line.components]
            return self.clerks.damage(self.rng.choice(skus)) if skus else None
        if chance < 0.5:
            return self.clerks.add("orders", stream, _hold)
        whole = chance < 0.75
        line = self.rng.choice(row.lines)
        lines = () if whole else (common.LineQuantity(line_id=line.line_id, quantity=1),)
        return self.clerks.add(
            "orders", stream, lambda document, now: orders.RequestCancellation(
                document, lines, "seller", "wish", now
            )
        )  # fmt: skip

    def _todo(self) -> Iterator[Todo]:
        for key, listing in sorted(self.tables["channels"]["listings"].items()):
            if not listing.linked and listing.waiting and key not in self.clerks.linked:
                again = str(self.clerks.unlinked[listing.account, listing.listing_id])
                yield ("link", *map(str, key), again), "", "", _always(listing), 0.9
        rows = [row for _, row in sorted(self.tables["fulfilment"]["shipments"].items())]
        joins = list(self._joins(rows))
        yield from joins
        waits = {name for todo in joins if todo[0] not in self.seen for name in todo[0]}
        for _, report in sorted(self.tables["channels"]["channel_reports"].items()):
            if report.state == "refused":
                stream = order_stream(report.account, report.external_id)
                yield ("tell", report.report_id), "channels", stream, _told_again(report), 0.6
        for parcel in rows:
            if parcel.shipment_id not in waits:  # what joins is packed together
                yield from self._of_parcel(parcel)
        for _, row in sorted(self.tables["orders"]["orders"].items()):
            yield from self._of_order(row)
        for _, row in sorted(self.tables["payments"]["payments"].items()):
            yield from self._of_payment(row)
        for key, told in sorted(self.tables["payments"]["payment_disagreements"].items()):
            if told.order_id is None and not told.settled:
                yield ("stranger", *map(str, key)), "payments", told.stream, _compared, 0.7

    def _joins(self, rows: list[ShipmentRow]) -> Iterator[Todo]:
        """Put orders of one buyer that are to be packed by hand into one parcel."""
        first: dict[tuple[str, ...], str] = {}
        for row in rows:
            if row.state != "planned" or row.packing != "by-hand" or not row.requires_shipping:
                continue
            into = first.setdefault((row.subject, row.location, row.currency), row.shipment_id)
            for order in sorted(row.orders) if into != row.shipment_id else ():
                command = partial(_join, order, row.shipment_id, into)
                key = ("join", row.shipment_id, into, order)
                yield key, "fulfilment", handovers.handover_stream(order), command, 0.8

    def _of_parcel(self, row: ShipmentRow) -> Iterator[Todo]:
        name, state = row.shipment_id, row.state
        stream = parcels.shipment_stream(name)

        def todo(what: str, make: Callable[[int], Any], chance: float = 1.0) -> Todo:
            return (name, what), "fulfilment", stream, lambda _, now: make(now), chance

        if row.reason.startswith("label-refused"):
            yield todo(
                "label anew",
                lambda now: parcels.RetryLabel("main", name, None, None, "clerk", now), 0.6,
            )  # fmt: skip
        if state == "planned" and row.packing == "by-hand":
            yield todo("pack", lambda now: parcels.Pack("main", name, 500, "clerk", now))
        if row.reason == "address-changed-after-label":
            anew = self.rng.random() < 0.5
            yield todo(
                f"address {sorted(row.stops)} {row.since}",
                lambda now: parcels.DecideAddress("main", name, anew, "clerk", now), 0.8,
            )  # fmt: skip
        elif row.stops and state in {"packed", "ready"}:
            stopped = state == "packed" or self.rng.random() < 0.5
            yield todo(
                f"stop {sorted(row.stops)} {row.since}",
                lambda now: parcels.AnswerStop("main", name, stopped, "clerk", now),
            )
        elif state == "ready" and row.hand_over == "by-hand" and not row.blocked:
            yield todo(
                f"hand over {row.since}", lambda now: parcels.HandOver("main", name, "clerk", now)
            )
        if state in {"failed", "lost", "returned"} and not row.decision:
            yield todo(
                f"arrived {row.since}", lambda now: parcels.Settle("main", name, "clerk", "", now)
            )

    def _of_order(self, row: OrderRow) -> Iterator[Todo]:
        name, reason = row.order_id, row.reason
        stream = orders.order_stream(name)
        key = (name, reason, str(row.since))
        for hold_id, hold in sorted(row.holds.items()):
            if hold.reason in {"manual", "refunded-not-sent"}:
                yield (name, hold_id), "orders", stream, partial(_release, hold_id), 0.5
            if hold.reason == "refunded-not-sent":
                yield (name, hold_id, "cancel"), "orders", stream, _cancelled, 0.3
        if row.state != "waiting":
            return
        if reason in TROUBLE:
            decision = self.rng.choice(_CONCERNS)
            shipments = [n for n, one in sorted(row.parcels.items()) if not one.settled]
            shipment = self.rng.choice(shipments) if shipments else None
            yield key, "orders", stream, lambda _, now: orders.DecideConcern(
                decision, shipment, "seller", now
            ), 0.8  # fmt: skip
        if reason in {"edit-too-late", "address-too-late", "delivered-twice"}:
            yield key, "orders", stream, lambda _, now: orders.DecideConcern(
                "accept", None, "seller", now
            ), 0.7  # fmt: skip
        if reason.startswith(("payment", "authorisation")):
            yield (*key, "cancel"), "orders", stream, _cancelled, 0.3

    def _of_payment(self, row: PaymentRow) -> Iterator[Todo]:
        name = row.order_id
        for wait in row.waits:
            if wait.reason == "refund-at-channel" and row.custody == "us":
                key = (name, wait.subject, str(wait.at_risk_minor))
                yield key, "payments", payments.payment_stream(name), _put_back(wait.subject), 0.8
            if wait.what not in {"authorisation", "disagreement"} and wait.reason != _FAILED:
                continue
            decision = self.rng.choice(_DECISIONS)
            if wait.what != "authorisation":
                decision = "retry" if wait.reason == _FAILED else "settle"
            act = _decided(decision)
            if wait.what == "refund" and self.rng.random() < 0.7:
                disputes = unpack(PaymentState, row.folded).disputes
                lost = [n for n, one in disputes.items() if one.word == "lost" and one.amount]
                act = _paid_back(wait.subject, lost[0] if lost else "TRF17")
            key = (name, wait.reason, str(wait.since))
            yield key, "payments", payments.payment_stream(name), act, 0.6


def _hold(document: str, now: int) -> Any:
    return orders.PlaceHold(document, "manual", "", (), "both", now + 6 * HOUR, "seller", now)


def _release(hold_id: str, _: str, now: int) -> Any:
    return orders.ReleaseHold(hold_id, "wish", "seller", now)


def _cancelled(document: str, now: int) -> Any:
    return orders.RequestCancellation(document, (), "seller", "wish", now)


def _join(order: str, shipment: str, into: str, _: str, now: int) -> Any:
    return handovers.JoinShipment("main", order, shipment, into, "clerk", now)


def _told_again(report: ReportRow) -> Command:
    return lambda _, now: SettleReport(report.report_id, "retry", "clerk", now)


def _always(what: Any) -> Command:
    return lambda _, __: what


def _decided(decision: payments.Decision) -> Command:
    return lambda _, now: payments.Decide(decision, "clerk", "wish", now)


def _paid_back(refund_id: str, reference: str) -> Command:
    return lambda _, now: payments.Decide(
        "paid-back", "clerk", "wish", now, reference=reference, refund_id=refund_id
    )


def _compared(_: str, now: int) -> Any:
    return payments.SettleDisagreement("not ours", "clerk", now)


def _put_back(refund_id: str) -> Command:
    return lambda _, now: payments.Decide("settle", "clerk", "wish", now, refund_id=refund_id)
