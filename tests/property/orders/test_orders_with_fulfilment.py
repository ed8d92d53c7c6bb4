"""Orders and fulfilment, each as it is: a cancellation that is granted never loses to a parcel."""

import random
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from libs.contracts import common, inventory
from libs.contracts import orders as events
from libs.eventsourcing.envelope import Envelope
from services.fulfilment import shipment_commands as fulfilment
from services.fulfilment.process import Places
from services.fulfilment.shipment import EXCEPTIONS
from services.inventory.commands import AdjustStock, ReceiveStock
from services.orders import commands
from services.orders.progress import TROUBLE
from services.orders.state import OrderState
from services.orders.units import by_sku, delivered, packed, shipped, too_late
from tests.examples import examples
from tests.property.orders.market import Market
from tests.unit.orders.samples import NOW, line, order

PLACES = ("main", "west")
SEEDED = (Phase.explicit, Phase.reuse, Phase.generate)  # a smaller seed is no simpler story
STREAMS = {n: commands.order_stream(commands.order_id("shop", n)) for n in ("e1", "e2")}


def opened(seed: int, stock: int) -> Market:
    """Return a market with so many units of each SKU in two places, and two paid orders."""
    rng = random.Random(seed)

    def policy() -> fulfilment.Policy:
        ways = ["automatic", "by-hand"]
        return fulfilment.Policy(
            carrier=rng.choice(["self", "post"]), packing=rng.choice(ways),
            hand_over=rng.choice(ways),
        )  # fmt: skip

    market = Market(rng, Places({name: policy() for name in PLACES}, {}, "main"))
    for sku in ("MUG", "CUP"):
        for place in PLACES:
            got = ReceiveStock("main", sku, place, True, stock, None, None, f"r{place}", "x", NOW)
            market.tell(f"stock-{sku}", got)
    for name in STREAMS:
        version(market, name, 1)
    return market


CONTACTS = ((b"one", "mill"), (b"one, called elsewhere", "mill"), (b"two", "quay"))


def version(market: Market, name: str, number: int, at: tuple[bytes, str] = CONTACTS[0]) -> None:
    rng = market.rng
    gone = shipped(market.orders().get(STREAMS[name], OrderState()))
    back = {n: rng.choice((0, rng.randint(0, units))) for n, units in sorted(gone.items())}
    lines = [
        line("a", rng.randint(1, 3), ("MUG", 1), refunded_units=back.get("a", 0)),
        line("b", rng.randint(1, 2), ("CUP", 2), refunded_units=back.get("b", 0)),
    ]
    contact, place = at
    sealed = common.Sealed(
        subject="subject-1", clearance="contact", key_id="k", nonce=bytes(12), ciphertext=contact
    )
    buyer = common.Customer(
        subject="subject-1", guest=False, contact=sealed, statutory=None, ship_to_country="GB",
        ship_to_region=None, business=False, purchase_order_number=None, payment_terms=None,
        place=place,
    )  # fmt: skip
    told = order(*lines, version=number, external_id=name, funds="paid", customer=buyer)
    market.tell(STREAMS[name], commands.RecordVersion(told, NOW, NOW))


def cancel(market: Market, name: str, n: int) -> None:
    one = common.LineQuantity(line_id=market.rng.choice("ab"), quantity=1)
    asked = market.rng.choice([(), (one,), (one,)])
    request = commands.RequestCancellation(f"c{n}", asked, "seller", "", NOW)
    market.ask(STREAMS[name], request)


def act(market: Market, n: int, *, changes: bool) -> None:
    """Let somebody do something; with `changes`, also the channel and the stock."""
    rng = market.rng
    name = rng.choice(sorted(STREAMS))
    match rng.randrange(10):
        case 0:
            cancel(market, name, n)
        case 1 if changes:
            version(market, name, n + 2, rng.choice(CONTACTS))
        case 2 if changes:
            sku, place = rng.choice(["MUG", "CUP"]), rng.choice(PLACES)
            lost = AdjustStock("main", sku, place, True, -2, "damage", f"d{n}", "", "x", NOW)
            market.tell(f"stock-{sku}", lost)
        case 3:
            hold = commands.PlaceHold(f"h{n}", "manual", "", (), "both", None, "seller", NOW)
            market.ask(STREAMS[name], hold)
        case 4:
            for held in sorted(market.orders()[STREAMS[name]].holds):
                market.ask(STREAMS[name], commands.ReleaseHold(held, "ok", "seller", NOW))
        case 5 if market.effects:
            market.carry()
        case 6 if market.shipments():
            parcel = rng.choice(sorted(market.shipments()))
            market.work(parcel, stopped=rng.random() < 0.6)
        case 7:
            decision = rng.choice(["retry", "backorder", "cancel"])
            shortage = commands.DecideShortage(decision, "", "seller", NOW + n)  # type: ignore[arg-type]
            market.ask(STREAMS[name], shortage)
        case _:
            for _ in range(rng.randint(1, 12)):
                market.step()


def play(seed: int, *, changes: bool, stock: int = 9) -> Market:
    market = opened(seed, stock)
    for n in range(market.rng.randint(5, 50)):
        act(market, n, changes=changes)
    for stream, state in market.orders().items():
        for held in sorted(state.holds):
            market.ask(stream, commands.ReleaseHold(held, "ok", "seller", NOW))
    market.finish()
    return market


def told(market: Market, stream: str, kind: type[Any]) -> list[Envelope[Any]]:
    return [one for one in market.log if one.stream == stream and isinstance(one.event, kind)]


def check_units(market: Market) -> None:
    """Orders, fulfilment and stock say the same of every unit that has left."""
    for stream, state in market.orders().items():
        gone = {name: units for name, units in shipped(state).items() if units}
        assert gone == market.left(stream)
        assert not state.stops
        assert not state.asked_back
        for sku, units in by_sku(state, gone).items():
            entry = market.states[f"stock-{sku}"].reservations.get(state.order_id)
            assert entry is not None
            assert entry.shipped == units
            assert entry.wanted == max(0, state.needs[sku].units - units)


@settings(deadline=None, max_examples=examples(150), phases=SEEDED)
@given(st.integers(0, 2**48))
def test_what_was_granted_stays_and_what_was_refused_leaves(seed: int) -> None:
    market = play(seed, changes=False)
    check_units(market)
    for stream, state in market.orders().items():
        assert not too_late(state)
        assert not told(market, stream, events.OrderEditTooLate)
        gone = shipped(state)
        assert packed(state) == gone, "nothing stays in a parcel"
        for name, one in state.lines.items():
            assert gone.get(name, 0) == one.remaining, "what nobody cancelled has left, no more"
        assert delivered(state) == gone
        assert state.completed or state.ended is not None
        granted = sum(
            row.quantity
            for one in told(market, stream, events.CancellationAccepted)
            for row in one.event.lines
        )
        assert granted == sum(one.cancelled for one in state.lines.values())
    lost = [one for one in market.log if isinstance(one.event, inventory.ShortfallDetected)]
    assert not lost, "no unit was freed that a parcel took after all"


@settings(deadline=None, max_examples=examples(150), phases=SEEDED)
@given(st.integers(0, 2**48))
def test_whatever_channel_and_stock_do_every_order_ends_or_stands_in_a_queue(seed: int) -> None:
    market = play(seed, changes=True)
    check_units(market)
    for state in market.orders().values():
        over = too_late(state)
        assert all(units <= state.late.get(name, 0) for name, units in over.items())
        assert bool(over) == ("edit-too-late" in state.concerns)
        waits = state.wait is not None or bool(state.concerns) or bool(state.holds)
        assert state.completed or state.ended is not None or waits


@settings(deadline=None, max_examples=examples(100), phases=SEEDED)
@given(st.integers(0, 2**48))
def test_what_did_not_arrive_is_sent_again_or_refunded_and_the_order_ends(seed: int) -> None:
    market = play(seed, changes=False, stock=9 * 4)  # all of it can be sent again three times
    decided: list[tuple[str, str]] = []
    for round_ in range(1, 4):
        for name in sorted(market.shipments()):
            if market.rng.random() < 0.6:
                word: Any = market.rng.choice(["return_to_sender", "failure"])
                market.scan(name, word, NOW + round_ * 1000)
        market.settle()
        for stream in sorted(market.orders()):
            for name, one in sorted(market.orders()[stream].parcels.items()):
                if one.status in TROUBLE and one.settled in {"", "claim"}:
                    decision: Any = market.rng.choice(["reship", "refund", "claim"])
                    ask = commands.DecideConcern(decision, name, "seller", NOW)
                    assert not market.ask(stream, ask)
                    decided.append((stream, decision))
        market.finish(NOW + round_ * 1000 + 1)
    for stream, state in market.orders().items():
        for name, one in sorted(state.parcels.items()):
            if one.settled == "claim":
                market.ask(stream, commands.DecideConcern("refund", name, "seller", NOW))
    market.finish(NOW + 9000)
    check_units(market)
    for stream, state in market.orders().items():
        assert state.completed or state.ended is not None, "no decision leaves it waiting"
        for line_ in state.lines.values():
            assert line_.resent == 0 or (stream, "reship") in decided
    for shipment in market.shipments().values():
        assert shipment.status not in EXCEPTIONS or shipment.decided(), "a queue for nobody"
