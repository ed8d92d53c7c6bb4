"""Orders, inventory, and stand-ins for payments and fulfilment: every order comes to its end.

The stand-ins keep the protocol and nothing else: payments captures what is required or declines it
first, fulfilment plans, stops, sends and loses parcels. Facts travel per stream in order, streams
in any order.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from libs.contracts import common, orders
from services.inventory.commands import ShipUnits
from services.orders import commands
from services.orders.progress import OUT, TROUBLE
from services.orders.read_model import HISTORY, ORDERS
from services.orders.state import OrderState
from services.orders.units import by_sku, delivered, demand, inside, packed, shipped, too_late
from tests.property.orders.test_orders_with_inventory import SKUS, World, populate
from tests.unit.memory import envelope, folded
from tests.unit.orders.samples import HOUR, NOW, cancelled, parcel, released, said


class Parcel(msgspec.Struct):
    stream: str
    name: str
    lines: dict[str, int]
    version: int = 0
    status: common.ShipmentStatus = "planned"


class Trade(World):
    """The world with money and parcels in it."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.log: dict[str, list[Any]] = defaultdict(list)
        self.captured: dict[str, int] = defaultdict(int)
        self.refunded: dict[str, int] = defaultdict(int)
        self.said: dict[str, int] = defaultdict(int)
        self.wanted: dict[str, orders.FulfilmentRequested] = {}
        self.before: dict[str, dict[str, int]] = {}
        self.parcels: dict[str, list[Parcel]] = defaultdict(list)

    def tell(self, stream: str, command: Any) -> Sequence[Any]:
        before = self.states.get(stream)
        events = super().tell(stream, command)
        self.log[stream].extend(events)
        if stream.startswith("order-") and events:
            _step(before or OrderState(), self.states[stream], events)
        for event in events:
            match event:
                case orders.PaymentRequired():
                    self._charge(stream, event)
                case orders.FulfilmentRequested():
                    self.wanted[stream] = event
                    self._handle(stream)
                case _:
                    pass
        return events

    def _charge(self, stream: str, bill: orders.PaymentRequired) -> None:
        """Answer with what is missing, after a refusal or a doubt now and then."""
        net = self.captured[stream] - self.refunded[stream]
        if bill.amount == net:
            return self._say(stream, "not_required") if not net else None
        if bill.amount < net:
            self.refunded[stream] += net - bill.amount
            return self._say(stream, "refunded", net - bill.amount)
        trouble = self.rng.choice(["", "", "declined", "in_doubt", "action_required"])
        if trouble:
            self._say(stream, trouble)
        if self.rng.random() < 0.5:
            self._say(stream, "authorised", bill.amount - net)
        self.captured[stream] += bill.amount - net
        return self._say(stream, "captured", bill.amount - net)

    def _say(self, stream: str, standing: Any, amount: int = 0) -> None:
        self.said[stream] += 1
        self.send("payments", stream, said(standing, amount, self.said[stream]))

    def _handle(self, stream: str) -> None:
        """Plan what no parcel holds, and stop what nobody wants."""
        asked, before = self.wanted[stream], self.before.get(stream, {})
        self.before[stream] = {line.line_id: line.quantity for line in asked.lines}
        fewer = any(self.before[stream].get(name, 0) < units for name, units in before.items())
        left = {line.line_id: line.quantity for line in asked.lines}
        for one in self.parcels[stream]:
            over: dict[str, int] = {}
            for name, units in one.lines.items():
                kept = min(units, left.get(name, 0))
                left[name] = left.get(name, 0) - kept
                if units > kept:
                    over[name] = units - kept
            if over and one.status not in OUT:
                one.lines = {n: u - over.get(n, 0) for n, u in one.lines.items()}
                self._tell(one, "stopped", over)
            elif over and self.rng.random() < 0.5:
                self._tell(one, "dispatched", over, fact="StopTooLate")
        more = {name: units for name, units in left.items() if units > 0}
        if more and asked.blocked is None:
            made = Parcel(stream, f"{stream}/{len(self.parcels[stream])}", more)
            self.parcels[stream].append(made)
            self._tell(made, "planned", more)
        if fewer:
            held: dict[str, int] = defaultdict(int)
            for one in self.parcels[stream]:
                for name, units in one.lines.items():
                    held[name] += units
            self.send("handover", stream, released(asked.revision, *held.items()))

    def _tell(
        self, one: Parcel, status: Any, lines: dict[str, int], fact: str = "Shipment"
    ) -> None:
        one.version += 1
        told = parcel(status, *lines.items(), name=one.name, seen=one.version, fact=fact)
        self.send(one.name, one.stream, told)

    def advance(self, stream: str) -> bool:
        """Let one parcel go a step further; say whether one could."""
        steps: dict[str, list[common.ShipmentStatus]] = {
            "planned": ["dispatched"],
            "dispatched": ["delivered", "delivered", "lost", "delivery_failed"],
        }
        ready = [
            one for one in self.parcels[stream] if one.status in steps and any(one.lines.values())
        ]
        if self.wanted[stream].blocked is not None:
            ready = [one for one in ready if one.status in OUT]
        if not ready:
            return False
        one = self.rng.choice(ready)
        one.status = self.rng.choice(steps[one.status])
        lines = {name: units for name, units in one.lines.items() if units}
        one.lines = lines
        self._tell(one, one.status, lines)
        if one.status == "dispatched":
            for sku, units in by_sku(self.states[stream], lines).items():
                gone = ShipUnits(
                    "main", sku, "main", stream.partition("-")[2], one.name, units, NOW
                )
                self.send(f"ship/{one.name}", f"stock-{sku}", gone)
        return True

    def finish(self, streams: Sequence[str]) -> None:
        """Let parcels go, buyers cancel and people decide, in any order, until all is quiet."""
        for n in range(400):
            self.run(self.rng.randint(0, 6))
            stream = self.rng.choice(list(streams))
            if n < 100 and self.rng.random() < 0.08:
                asked = commands.RequestCancellation(
                    f"late{n}", (common.LineQuantity(line_id="a", quantity=1),), "buyer", "", NOW
                )
                whole = cancelled(50 + n)
                self.send("api", stream, self.rng.choice([asked, asked, asked, whole]))
            if stream in self.wanted:
                self.advance(stream)
        self.run()
        for stream in streams:
            while stream in self.wanted and self.advance(stream):
                self.run()


def _step(before: OrderState, after: OrderState, events: Sequence[Any]) -> None:
    """Nothing is given back, granted or dropped that is in a parcel or has left."""
    held, gone = inside(after), shipped(after)
    for sku, units in by_sku(after, held).items():
        had = before.needs[sku].units if sku in before.needs else 0
        assert after.needs[sku].units >= min(had, units)
    for event in events:
        match event:
            case orders.CancellationAccepted(lines=lines):
                for one in lines:
                    assert held.get(one.line_id, 0) <= after.lines[one.line_id].remaining
            case orders.FulfilmentRequested(lines=lines):
                asked = {one.line_id: one.quantity for one in lines}
                for name in gone.keys() & after.lines.keys():
                    assert asked.get(name, 0) >= gone[name]
            case _:
                pass


BLOCK = 40


@pytest.mark.parametrize("block", range(6))
def test_every_order_ends_or_stands_in_a_queue_and_the_books_agree(block: int) -> None:
    ended: dict[str, int] = defaultdict(int)
    for seed in range(block * BLOCK, block * BLOCK + BLOCK):
        trade, streams = _played(seed)
        for stream in streams:
            ended[_end(trade.states[stream])] += 1
            _books(trade, stream, seed)
            _units(trade, stream, seed)
            _rows(trade, stream)
    assert ended["completed"] > 20
    assert ended["cancelled"] > 5


def _played(seed: int) -> tuple[Trade, list[str]]:
    trade = Trade(seed)
    streams = populate(trade)
    trade.run(trade.rng.randint(0, 60))
    trade.let_time_pass(NOW + 2 * HOUR)
    trade.finish(streams)
    for days in (2, 6, 10, 14, 18):
        _decide(trade, streams)
        trade.let_time_pass(NOW + days * 24 * HOUR)
    _decide(trade, streams)
    return trade, streams


def _decide(trade: Trade, streams: Sequence[str]) -> None:
    """Let a person decide on each parcel that did not arrive, and on what came too late."""
    for stream in streams:
        for name, one in sorted(trade.states[stream].parcels.items()):
            if one.status in TROUBLE and trade.rng.random() < 0.8:
                decision: Any = trade.rng.choice(["reship", "refund", "claim"])
                trade.send("api", stream, commands.DecideConcern(decision, name, "seller", NOW))
        trade.run()
        if {"edit-too-late", "delivered-twice"} & set(trade.states[stream].concerns):
            trade.send("api", stream, commands.DecideConcern("accept", None, "seller", NOW))
        trade.run()
        while stream in trade.wanted and trade.advance(stream):
            trade.run()


def _end(state: OrderState) -> str:
    if state.completed:
        assert not state.concerns
        assert state.wait is None
        return "completed"
    if state.concerns:
        return "queue"
    if state.ended is not None:
        return "cancelled"
    assert state.wait is not None, state
    return "waiting"


def _books(trade: Trade, stream: str, seed: int) -> None:
    """What the bill says is what its lines say; payments holds exactly that, at the end."""
    state: OrderState = trade.states[stream]
    bills = [event for event in trade.log[stream] if isinstance(event, orders.PaymentRequired)]
    for one in bills:
        assert one.amount == sum(row.amount for row in one.lines) + one.charges_amount
        assert 0 <= one.amount <= one.total, (seed, stream)
    assert [one.revision for one in bills] == list(range(1, len(bills) + 1))
    asked = [e.revision for e in trade.log[stream] if isinstance(e, orders.FulfilmentRequested)]
    assert asked == list(range(1, len(asked) + 1))
    if state.bill is not None:
        held = trade.captured[stream] - trade.refunded[stream]
        assert held == state.bill.amount == state.payment.captured - state.payment.refunded
        assert state.payment.authorised == 0


def _units(trade: Trade, stream: str, seed: int) -> None:
    """Per line nothing is counted twice, and stock knows of every unit that has left."""
    state, order_id = trade.states[stream], stream.partition("-")[2]
    place = (seed, stream)
    gone = {n: units for n, units in shipped(state).items() if units}
    real: dict[str, int] = defaultdict(int)
    for one in trade.parcels[stream]:
        for name, units in one.lines.items():
            real[name] += units if one.status in OUT else 0
    assert gone == {n: units for n, units in real.items() if units}, place
    for name, line in state.lines.items():
        assert 0 <= line.cancelled <= line.quantity, place
        assert delivered(state).get(name, 0) <= gone.get(name, 0) <= packed(state).get(name, 0)
        over = too_late(state).get(name, 0)
        assert gone.get(name, 0) <= line.remaining + line.resent + over, place
        assert over <= state.late.get(name, 0), place
    assert not state.stops, place
    assert not state.asked_back, place
    left = by_sku(state, gone)
    for sku in SKUS:
        stock = trade.states[f"stock-{sku}"].reservations.get(order_id)
        has, sent = (stock.wanted, stock.shipped) if stock else (0, 0)
        assert sent == left.get(sku, 0), (place, sku)
        need = state.needs.get(sku)
        assert has == max(0, (need.units if need else 0) - sent), (place, sku)
        if state.ended is None:
            assert max(0, demand(state).get(sku, 0) - sent) == has, (place, sku)


def _rows(trade: Trade, stream: str) -> None:
    """The row says what the decider knows."""
    state: OrderState = trade.states[stream]
    log = [envelope(event, n, at=n) for n, event in enumerate(trade.log[stream], 1)]
    [row] = folded(ORDERS, log).values()
    assert len(folded(HISTORY, log)) == len(log)
    assert set(row.queues) == set(state.concerns)
    assert (row.completed_at is not None) == state.completed
    for line in row.lines:
        known = state.lines[line.line_id]
        assert (line.cancelled, line.refunded, line.resent) == (
            known.cancelled, known.refunded, known.resent,
        )  # fmt: skip
        assert line.shipped == shipped(state).get(line.line_id, 0)
        assert line.delivered == delivered(state).get(line.line_id, 0)
        asked = state.requested.lines if state.requested is not None else {}
        assert line.requested == asked.get(line.line_id, 0)
    assert {n: (one.status, one.lines, one.settled) for n, one in row.parcels.items()} == {
        n: (one.status, dict(one.lines), one.settled) for n, one in state.parcels.items()
    }
    assert row.next_action or row.state in {"completed", "cancelled"}
