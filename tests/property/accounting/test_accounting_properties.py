"""Whatever happens to sales and stock, in whatever order it is heard: the books balance and agree."""

from collections import defaultdict
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts import common, inventory, orders, payments
from libs.eventsourcing.states import pack, unpack
from services.accounting import chart
from services.accounting.costing import Value
from services.accounting.process import cost_stream
from services.accounting.read_model import ACCOUNTS, ENTRIES, QUEUES, STOCK_VALUES
from services.accounting.sale import SaleState
from services.inventory.decider import STOCK
from services.inventory.stock import Stock
from tests.examples import examples
from tests.unit.accounting.samples import (
    NOW,
    ORDER,
    Ledger,
    Story,
    amended,
    cancelled,
    captured,
    charge,
    completed,
    dispatched,
    disputed,
    line,
    order,
    placed,
    refunded,
    returned,
    tax,
    told,
)
from tests.unit.accounting.test_accounting_costs import Shelf
from tests.unit.inventory import samples as stock_samples
from tests.unit.memory import folded

NAMES = ("a", "b", "c")
money = st.integers(0, 5000)
units = st.integers(1, 5)
taxes = st.builds(
    lambda amount, rate, by, included: tax(amount, rate, by, included=included),
    st.integers(0, 300), st.sampled_from(["0.2", "0.05"]),
    st.sampled_from(["seller", "channel", "carrier"]), st.booleans(),
)  # fmt: skip
VOUCHERS: tuple[common.TenderKind, ...] = ("gift_card", "store_credit")
TENDERS: tuple[common.TenderKind, ...] = ("card", "card", *VOUCHERS)
CHARGES: tuple[common.ChargeKind, ...] = ("shipping", "duty")
KINDS: tuple[common.LineKind, ...] = ("goods", "gift_card", "donation", "digital")


@st.composite
def order_versions(draw: st.DrawFn) -> list[Any]:
    """The orders' own stream: the first version, then changes, cancellations, completions."""
    currency = draw(st.sampled_from(["GBP", "GBP", "EUR", "JPY", "USD"]))

    def version() -> common.Order:
        lines = [
            line(name, draw(units), draw(money) + 300, *draw(st.lists(taxes, max_size=2)),
                 kind=draw(st.sampled_from(KINDS)))
            for name in draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
        ]  # fmt: skip
        charges = tuple(
            charge(n, tax(n // 5), kind=draw(st.sampled_from(CHARGES)))
            for n in draw(st.lists(money, max_size=2))
        )
        return order(
            *lines, charges=charges, rounding=draw(st.integers(-2, 2)), currency=currency,
            gift_card=draw(st.sampled_from([0, 0, 700])),
            store_credit=draw(st.sampled_from([0, 0, 500])),
            country=draw(st.sampled_from(["GB", ""])),
        )  # fmt: skip

    found: list[Any] = [placed(version())]
    for _ in range(draw(st.integers(0, 4))):
        rows = tuple(draw(st.lists(st.tuples(st.sampled_from(NAMES), units), max_size=2)))
        match draw(st.integers(0, 3)):
            case 0:
                found.append(amended(version()))
            case 1:
                found.append(completed(*rows))
            case 2:
                found.append(cancelled(*rows, whole=draw(st.booleans())))
            case _:
                found.append(
                    orders.OrderReopened(
                        entity="main", occurred_at=NOW, order_id=ORDER, lines=(), reason="",
                        decide_by=NOW,
                    )
                )  # fmt: skip
    return found


@st.composite
def payment_facts(draw: st.DrawFn, currency: str) -> list[Any]:
    found: list[Any] = []
    for number in range(draw(st.integers(0, 5))):
        amount = draw(money)
        paid_in = draw(st.sampled_from([currency, currency, currency, "SEK"]))
        tender = draw(st.sampled_from(TENDERS))
        holder = tender if tender in VOUCHERS else draw(st.sampled_from(["shop", "stripe"]))
        match draw(st.integers(0, 5)):
            case 0 | 1 | 2:
                found.append(captured(amount, f"cap{number}", holder=holder, currency=paid_in,
                                      tender=tender))  # fmt: skip
            case 3 | 4:
                rows = [(draw(st.sampled_from(NAMES)), amount)] if draw(st.booleans()) else []
                found.append(refunded(amount, *rows, refund=f"ref{number}", holder=holder,
                                      charges=draw(st.sampled_from([0, 100])),
                                      currency=paid_in, tender=tender))  # fmt: skip
                if tender not in VOUCHERS and draw(st.booleans()):
                    found.append(returned(amount, f"ref{number}", holder=holder, currency=paid_in))
            case _:
                kinds = (payments.DisputeOpened, payments.DisputeWon, payments.DisputeLost)
                kind = draw(st.sampled_from(kinds))
                found.append(disputed(kind, amount, f"d{number}", paid_in))
    return found


@st.composite
def sales(draw: st.DrawFn) -> list[list[Any]]:
    """The streams that tell of one sale, each in its own order."""
    told_first = draw(order_versions())
    rows = st.lists(st.tuples(st.sampled_from(NAMES), units), min_size=1, max_size=3)
    parcels = [
        [dispatched(*draw(rows), shipment=f"shp{n}")] for n in range(draw(st.integers(0, 3)))
    ]
    return [told_first, draw(payment_facts(told_first[0].order.currency)), *parcels]


def interleaved(streams: list[list[Any]], choices: list[int]) -> list[Any]:
    """One order of the streams' facts that keeps each stream's own."""
    left, found = [list(one) for one in streams if one], []
    for choice in [*choices, *([0] * sum(map(len, streams)))]:
        if not left:
            break
        stream = left[choice % len(left)]
        found.append(stream.pop(0))
        left = [one for one in left if one]
    return found


def balanced(ledger: Ledger) -> None:
    """Each entry balances twice over, and each line is one side."""
    for entry in ledger.entries:
        assert sum(one.debit for one in entry.lines) == sum(one.credit for one in entry.lines)
        own = [(one.functional_debit, one.functional_credit) for one in entry.lines]
        assert sum(one[0] for one in own) == sum(one[1] for one in own)
        for one, (debit, credit) in zip(entry.lines, own, strict=True):
            assert min(one.debit, one.credit, debit, credit) == 0
            assert not (one.debit and one.credit)
            assert not (debit and credit)
            assert one.debit or one.credit or one.account == chart.EXCHANGE
    ids = [entry.entry_id for entry in ledger.entries]
    assert len(ids) == len(set(ids))


def shown(ledger: Ledger) -> None:
    """The rows say what the entries say."""
    rows = folded(ACCOUNTS, ledger.log)
    sums = {
        key[1:]: row.debits - row.credits for key, row in rows.items() if row.debits != row.credits
    }
    assert sums == ledger.balances()
    assert set(folded(ENTRIES, ledger.log)) == {(one.entry_id,) for one in ledger.entries}


def told_again(story: Story) -> None:
    """Whatever is delivered once more, however late, posts nothing."""
    before = len(story.ledger.log)
    for envelope in story.told:
        story.ledger.hear(envelope)
    assert len(story.ledger.log) == before


@settings(max_examples=examples(400), deadline=None)
@given(sales(), st.lists(st.integers(0, 9), max_size=15))
def test_every_interleaving_ends_with_the_same_balances(
    streams: list[list[Any]], choices: list[int]
) -> None:
    one = Story().tell(*interleaved(streams, []))
    other = Story().tell(*interleaved(streams, choices))
    for story in (one, other):
        balanced(story.ledger)
        shown(story.ledger)
    told_again(other)
    assert one.ledger.balances() == other.ledger.balances()
    assert one.ledger.balances(own=True) == other.ledger.balances(own=True)
    waits = [{key[:2] for key in folded(QUEUES, s.ledger.log)} for s in (one, other)]
    assert waits[0] == waits[1]
    state = other.ledger.states.get(f"sale-{ORDER}", SaleState())
    assert unpack(SaleState, pack(state)) == state


@settings(max_examples=examples(200), deadline=None)
@given(sales(), st.lists(st.integers(0, 9), max_size=15))
def test_what_is_captured_less_refunded_is_held_or_was_redeemed_and_nobody_owes_it(
    streams: list[list[Any]], choices: list[int]
) -> None:
    ledger = Story().tell(*interleaved(streams, choices)).ledger
    rate = ledger.states[f"sale-{ORDER}"].rate
    currency = streams[0][0].order.currency
    held: dict[str, int] = defaultdict(int)
    restored: dict[str, int] = defaultdict(int)
    for event in streams[1] if rate else []:
        if event.currency == currency:
            match event:
                case payments.PaymentCaptured():
                    held[event.holder] += event.amount if event.tender == "card" else 0
                case payments.RefundMade() if event.tender in VOUCHERS:
                    restored[event.tender] += event.amount
                case payments.RefundMade() | payments.DisputeOpened():
                    held[event.holder] -= event.amount
                case payments.DisputeWon() | payments.RefundReturned():
                    held[event.holder] += event.amount
    books = {
        key[2]: amount for key, amount in ledger.balances().items() if key[1] == chart.CLEARING
    }
    assert books == {holder: amount for holder, amount in held.items() if amount}
    back: dict[str, int] = defaultdict(int)
    for entry in ledger.entries:
        for one in entry.lines if entry.kind == "gift_card_redeemed" else ():
            if one.account == chart.VOUCHERS and entry.source_type == "RefundMade":
                back[one.dimension] += one.credit - one.debit
    assert back == {tender: amount for tender, amount in restored.items() if amount}


places = st.sampled_from(["attic", "main"])
costs = st.sampled_from([None, "0.00", "1.00", "2.37", "0.333333"])


@st.composite
def stock_stories(draw: st.DrawFn) -> list[Any]:
    """Commands to inventory, and parcels that leave (their event, told as inventory tells it)."""
    found: list[Any] = []
    for number in range(draw(st.integers(1, 25))):
        few, place, document = draw(st.integers(1, 9)), draw(places), f"d{number}"
        match draw(st.integers(0, 6)):
            case 0 | 1 | 2:
                command = stock_samples.receive(few, place, document)
                currency = draw(st.sampled_from(["GBP", "GBP", "EUR", "SEK"]))
                found.append(
                    type(command)(
                        "main", stock_samples.MUG, place, True, few, draw(costs), currency,
                        document, "buyer", NOW,
                    )
                )  # fmt: skip
            case 3:
                found.append(stock_samples.count(few, place, document))
            case 4:
                signed = few if draw(st.booleans()) else -few
                found.append(stock_samples.adjust(signed, place, document))
            case 5:
                target = "attic" if place == "main" else "main"
                found.append(stock_samples.move(few, place, target, document))
            case _:
                found.append((few, place))
    return found


def _shipped(few: int, place: str) -> inventory.StockShipped:
    return inventory.StockShipped(
        entity="main", occurred_at=NOW, sku=stock_samples.MUG, location=place, quantity=few,
        order_id="x", shipment_id="y", from_reservation=0, allocations=(), reserved=0, short=0,
        revision=0,
    )  # fmt: skip


@settings(max_examples=examples(400), deadline=None)
@given(stock_stories())
def test_the_stock_account_is_inventorys_units_at_cost_at_every_version(story: list[Any]) -> None:
    stock, ledger, version = Stock(), Ledger(), 0
    stream = cost_stream("main", stock_samples.MUG)
    for command in story:
        if isinstance(command, tuple):
            events = [_shipped(*command)]
            stock = STOCK.evolve(stock, events[0])
        else:
            stock, events = stock_samples.then(stock, command)
        on_hand = sum(level.on_hand for level in stock.levels.values())
        for event in events:
            version += 1
            ledger.hear(told(event, version, "inventory", "stock-MUG"))
        value: Value = ledger.states.get(stream, Value())
        account = sum(
            amount for key, amount in ledger.balances(own=True).items() if key[1] == chart.STOCK
        )
        assert (value.units, value.value) == (on_hand, account)
        assert value.value >= 0 if value.units > 0 else value.value <= 0
        assert value.value == 0 or value.units != 0
    balanced(ledger)
    shown(ledger)
    rows = folded(STOCK_VALUES, ledger.log)
    state: Value = ledger.states.get(stream, Value())
    assert [(row.units, row.value) for row in rows.values()] == (
        [(state.units, state.value)] if rows else []
    )
    waits = {key[2]: row for key, row in folded(QUEUES, ledger.log).items()}
    assert waits.keys() == state.held.keys()


@settings(max_examples=examples(300), deadline=None)
@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(1, 40), st.integers(0, 500)), min_size=1, max_size=30
    )
)
def test_the_average_never_drifts_by_more_than_a_unit_for_each_parcel(
    story: list[tuple[bool, int, int]],
) -> None:
    """Against exact fractions, as long as no unit leaves before it came."""
    ledger, on_hand, exact, parcels, version = Ledger(), 0, Fraction(0), 0, 0
    for comes, few, cents in story:
        version += 1
        if comes:
            event: Any = inventory.StockReceived(
                entity="main", occurred_at=NOW, sku="MUG", location="main", reservable=True,
                quantity=few, unit_cost=f"{cents // 100}.{cents % 100:02d}", currency="GBP",
                document="", by="", lot=None, serial=None, expiry=None,
            )  # fmt: skip
            on_hand, exact = on_hand + few, exact + few * cents
        elif few > on_hand:
            continue
        else:
            event = _shipped(few, "main")
            exact -= exact * few / on_hand
            on_hand, parcels = on_hand - few, parcels + 1
        ledger.hear(told(event, version, "inventory", "stock-MUG"))
        value: Value = ledger.states[cost_stream("main", "MUG")]
        assert value.units == on_hand
        assert abs(value.value - exact) <= parcels
        if not on_hand:
            assert value.value == 0
            parcels = 0


@settings(max_examples=examples(300), deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["told", "later", "gone"]), st.integers(1, 9)),
        min_size=1, max_size=20,
    ),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_units_whose_cost_is_told_later_are_worth_what_they_would_have_been_at_once(
    story: list[tuple[str, int]], rng: Any
) -> None:
    """Every unit costs 2.00: whoever says so, and when, what is here is worth that, and no more."""
    shelf = Shelf()
    for what, few in story:
        match what:
            case "told":
                shelf.receives(few, "2.00")
            case "later":
                shelf.receives(few, *(("9.00", "SEK") if shelf.value.known else (None, None)))
            case _:
                shelf.ships(few)
    waits = sorted(shelf.value.held)
    rng.shuffle(waits)
    for name in waits:
        shelf.cost_is_told("2.00", int(name.rpartition("/")[2]))
    if shelf.value.known and shelf.value.units >= 0:
        assert abs(shelf.value.value - 200 * shelf.value.units) <= 2 * len(story)


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.integers(0, 1), max_size=12), st.integers(1, 6), st.integers(1, 6))
def test_orders_and_stock_do_not_touch_each_other(
    choices: list[int], first: int, second: int
) -> None:
    """Streams of different SKUs and orders may be heard in any order: the books end the same."""
    receipt = stock_samples.then(Stock(), stock_samples.receive(9))[1][0]
    mug = [receipt, _shipped(first, "main"), _shipped(second, "main")]
    cup = [inventory.StockReceived(**{**_fields(receipt), "sku": "CUP", "unit_cost": "3.10"})]

    def books(picks: list[int]) -> dict[tuple[str, str, str], int]:
        ledger, versions = Ledger(), defaultdict[str, int](int)
        for event in interleaved([mug, cup], picks):
            versions[event.sku] += 1
            ledger.hear(told(event, versions[event.sku], "inventory", f"stock-{event.sku}"))
        return ledger.balances()

    assert books(choices) == books([])


def _fields(event: Any) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}
