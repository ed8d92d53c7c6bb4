"""Reports to channels, whatever versions of the order come between: nothing that left is untold."""

from collections import Counter
from functools import reduce
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.contracts import common
from libs.eventsourcing.states import pack, unpack
from services.channels import commands, report_commands
from services.channels.adapters import shopify
from services.channels.decider import CHANNEL_ORDER, ChannelOrder
from tests.examples import examples
from tests.unit.channels import payloads

BASE = payloads.order_of(shopify, "orders/create", payloads.shopify())
ORDER = common.OrderReference(
    order_id="ord_1", account="shop", provider="shopify", external_id="1001"
)
LINES = {
    name: replace(BASE.lines[0], line_id=name, external_line_id=f"x-{name}") for name in ("a", "b")
}
UNITS = st.fixed_dictionaries({name: st.integers(0, 3) for name in LINES})


def version(number: int, units: dict[str, int]) -> commands.RecordOrder:
    """Tell the order as it is now; a line without units is not in it any more."""
    lines = tuple(replace(LINES[name], quantity=n) for name, n in units.items() if n)
    at = common.Version(updated_at=1_000_000 * number, counter=0)
    return commands.RecordOrder(replace(BASE, lines=lines, version=at))


def report(
    kind: Any, number: int, units: dict[str, int], *, whole: bool = False
) -> report_commands.RequestReport:
    rows = tuple(common.LineQuantity(line_id=name, quantity=n) for name, n in units.items() if n)
    return report_commands.RequestReport(
        reference=ORDER, entity="main", kind=kind, subject=f"s{number}", rows=rows, reason="",
        at=number, whole=whole,
    )  # fmt: skip


def told(state: ChannelOrder, command: Any) -> tuple[ChannelOrder, list[Any]]:
    """Decide and fold; the state is what comes out of the store."""
    events = list(CHANNEL_ORDER.decide(command, state))
    folded = reduce(CHANNEL_ORDER.evolve, events, state)
    return unpack(ChannelOrder, pack(folded)), events


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["version", "parcel"]), UNITS), max_size=8))
def test_a_parcel_is_told_with_every_line_that_its_order_ever_had(steps: Any) -> None:
    now = Counter({"a": 2, "b": 1})
    state, _ = told(CHANNEL_ORDER.initial, version(1, now))
    known, gone = set(now), Counter[str]()  # `gone`: told as left, each unit once
    parcels: dict[str, set[str]] = {}
    for number, (what, units) in enumerate(steps, 2):
        if what == "version":
            now = Counter(units)
            known |= {name for name, n in units.items() if n}
            state, _ = told(state, version(number, units))
            continue
        inside = {name: n for name, n in units.items() if name in known and n}
        state, events = told(state, report("dispatch", number, inside))
        assert len(events) == bool(inside)
        for event in events:
            first = {one.external_line_id[2:]: one.quantity for one in event.lines}
            assert event.whole == (now <= gone + Counter(inside))
            if event.resend_of:
                assert first == inside
                assert parcels[event.resend_of] & inside.keys()
                assert all(now[name] < gone[name] + n for name, n in inside.items())
                continue
            for name, n in inside.items():  # what is not told now was told before
                again = n - first.get(name, 0)
                assert 0 <= again <= gone[name]
                assert again == 0 or now[name] <= gone[name] + first.get(name, 0)
            gone.update(first)
            parcels[event.report_id] = set(first)


@st.composite
def ends(draw: Any) -> Any:
    """Draw what becomes of each unit of an order: reports by kind, in any order."""
    fates = st.tuples(st.sampled_from(["dispatch", "cancellation"]), st.integers(1, 2))
    units = draw(st.lists(st.tuples(st.sampled_from("ab"), fates), min_size=1, max_size=6))
    found: dict[Any, Counter[str]] = {}
    for name, fate in units:
        found.setdefault(fate, Counter())[name] += 1
    return draw(st.permutations([(kind, rows) for (kind, _), rows in found.items()]))


@settings(max_examples=examples(300), deadline=None)
@given(ends(), st.lists(st.booleans(), min_size=4, max_size=4))
def test_an_order_is_complete_with_its_last_report_whether_or_not_its_channel_echoes(
    said: Any, echoes: list[bool]
) -> None:
    now = sum((rows for _, rows in said), Counter[str]())
    state, _ = told(CHANNEL_ORDER.initial, version(1, now))
    found = []
    for number, ((kind, rows), echo) in enumerate(zip(said, echoes, strict=False), 2):
        last = number == len(said) + 1
        state, (event,) = told(state, report(kind, number, rows, whole=last and kind != "dispatch"))
        found.append((event.kind, event.whole, event.rest))
        if kind == "cancellation":
            now = now - rows
            state, _ = told(state, version(number, now)) if echo else (state, [])
    *before, (kind, whole, rest) = found
    assert not any(whole or rest for _, whole, rest in before)
    some_left = any(kind == "dispatch" for kind, _ in said)
    assert (whole, rest) == ((False, True) if some_left and kind != "dispatch" else (True, False))
