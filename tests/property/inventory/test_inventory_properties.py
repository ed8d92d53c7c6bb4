"""Whatever happens to a SKU: units add up, promises are kept, and the rows say what the stock is."""

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.eventsourcing.decider import Refused
from libs.eventsourcing.states import pack, unpack
from services.inventory import commands
from services.inventory.read_model import RESERVATIONS
from services.inventory.read_model import STOCK as ROWS
from services.inventory.stock import Stock
from tests.examples import examples
from tests.simulation.units import Units
from tests.unit.inventory import samples
from tests.unit.memory import envelope, folded

PLACES = ("attic", "fba", "main")
orders = st.sampled_from(["a", "b", "c", "d"])
places = st.sampled_from(PLACES)
few = st.integers(1, 6)


@st.composite
def facts(draw: st.DrawFn) -> commands.InventoryCommand:
    document = draw(st.sampled_from([f"d{n}" for n in range(40)]))
    place = draw(places)
    match draw(st.integers(0, 3)):
        case 0:
            return samples.receive(draw(few), place, document, ours=place != "fba")
        case 1:
            command: commands.InventoryCommand = samples.adjust(
                draw(st.integers(-6, 3).filter(bool)), place, document
            )
        case 2:
            command = samples.count(draw(st.integers(0, 6)), place, document)
        case _:
            command = samples.move(draw(few), draw(places), place, document)
    return replace(command, reservable=getattr(command, "location_to", place) != "fba")


wanted = {
    (order, revision): (3 * revision + n) % 7
    for revision in range(13)
    for n, order in enumerate("abcd")
}
needs = st.builds(
    lambda order, revision, **terms: samples.need(order, wanted[order, revision], revision, **terms),
    orders, st.integers(1, 12),
    hold=st.none() | st.integers(1, 4), priority=st.integers(1, 2), placed=st.integers(0, 3),
)  # fmt: skip
parcels = st.builds(samples.ship, orders, few, places, st.sampled_from([f"s{n}" for n in range(9)]))
lapses = st.builds(samples.expire, orders, st.integers(1, 4))
stories = st.lists(needs | needs | lapses | parcels | facts(), max_size=40)


@settings(max_examples=examples(400), deadline=None)
@given(stories)
def test_promises_hold_and_the_rows_say_what_the_stock_is(
    story: list[commands.InventoryCommand],
) -> None:
    stock, ledger, log = Stock(), Units(), list[Any]()
    for command in story:
        if isinstance(command, commands.RequireUnits):
            ledger.asked[command.order_id, command.sku, command.revision] = command.units
        try:
            stock, events = samples.then(stock, command)
        except Refused:  # a move to where it came from
            continue
        for event in events:
            ledger.note(event)
            log.append(envelope(event, len(log) + 1, samples.NOW, "inventory"))
        _held(stock, ledger)
        assert samples.then(stock, command)[1] == [] or isinstance(command, commands.RequireUnits)
    for order, entry in stock.reservations.items():
        assert entry.shipped == ledger.shipped[order, samples.MUG]
        assert entry.wanted == entry.reserved + entry.waiting
    _shown(stock, log)
    assert unpack(Stock, pack(stock)) == stock


def _held(stock: Stock, ledger: Units) -> None:
    """The independent ledger agrees, nothing is promised that is not there, and the list is right."""
    for (_, place), units in ledger.on_hand.items():
        level = stock.levels[place]
        assert (level.on_hand, level.reserved) == (units, ledger.reserved["MUG", place])
        assert 0 <= level.reserved <= max(0, level.on_hand)
    known = stock.reservations
    waiting = sorted(
        (entry.priority, entry.placed_at, order) for order, entry in known.items() if entry.waiting
    )
    assert [turn for run in stock.queue for turn in run] == waiting
    assert all(stock.queue)
    assert not (stock.free() and waiting)


def _shown(stock: Stock, log: list[Any]) -> None:
    row = folded(ROWS, log).get((samples.MUG,))
    levels = stock.levels.values()
    if row is not None:
        assert row.on_hand == sum(level.on_hand for level in levels)
        assert row.reserved == sum(level.reserved for level in levels)
        assert row.shipped == sum(entry.shipped for entry in stock.reservations.values())
        assert (row.available, row.promised_without_stock) == (stock.free(), 0)
    rows = folded(RESERVATIONS, log)
    assert {key[0] for key in rows} == set(stock.reservations)
    for (order, _), row in rows.items():
        entry = stock.reservations[str(order)]
        held = entry.reserved if entry.reservation_class == "hold" else 0
        assert (row.reserved, row.short, row.held) == (entry.reserved, entry.waiting, held)
        assert row.shipped == entry.shipped


statements = st.lists(st.integers(0, 6), min_size=1, max_size=4)


@settings(max_examples=examples(300), deadline=None)
@given(statements, st.lists(few, max_size=3), st.randoms(use_true_random=False))
def test_an_order_ends_with_what_it_still_needs_whenever_its_parcels_leave(
    stated: list[int], parcels: list[int], rng: random.Random
) -> None:
    """Parcels before, between or after statements, also of fewer units than have left."""
    sources: list[list[commands.InventoryCommand]] = [
        [samples.need("a", units, revision) for revision, units in enumerate(stated, 1)],
        [samples.ship("a", units, "main", f"s{n}") for n, units in enumerate(parcels)],
    ]
    stock = samples.after(samples.receive(99))
    while left := [queue for queue in sources if queue]:
        stock, _ = samples.then(stock, rng.choice(left).pop(0))
    gone, entry = sum(parcels), stock.reservations.get("a")
    assert stock.levels["main"].on_hand == 99 - gone
    assert (entry.shipped if entry else 0) == gone
    # A statement of fewer units than have left forgives the rest; a later one asks from there.
    owed = max(0, stated[-1] - gone)
    assert (entry.reserved + entry.waiting if entry else 0) == owed
