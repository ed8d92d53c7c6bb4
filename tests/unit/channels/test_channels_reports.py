"""What shops are told: asked for once per parcel or cancellation, ended once, decided by people."""

import asyncio
from functools import reduce
from typing import Any

import msgspec

from libs.contracts import channels, common, fulfilment, orders
from libs.effects import policy
from libs.effects.http import Answered
from libs.effects.kinds import Confirmed, Rejected, Unknown
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.testing import given
from libs.store.store import Call
from services.channels import report_commands, reports
from services.channels.commands import order_stream
from services.channels.decider import CHANNEL_ORDER
from services.channels.outbound.report import ATTEMPTS, report_of, tell
from services.channels.outbound.standard import StandardReports
from services.channels.report_rows import REPORTS, ReportRow
from services.channels.reporting import plan, react_to_fulfilment, react_to_orders
from tests.unit.channels.memory import NOW, Shop, app_of, call
from tests.unit.channels.test_channels_orders import told as record

NOON = 1_709_294_400_000_000
ORDER = common.OrderReference(
    order_id="ord_1", account="shop", provider="woocommerce", external_id="2001"
)
RECORD = record()
(FIRST,) = CHANNEL_ORDER.decide(RECORD, CHANNEL_ORDER.initial)
LINES = [line for line in RECORD.order.lines if line.requires_shipping]


def decided(command: Any, state: Any) -> Any:
    return CHANNEL_ORDER.decide(command, state)


def begun(*commands: Any) -> Any:
    return given(CHANNEL_ORDER, FIRST).when(*commands)


def planned(event: Any, cause: str = "e1") -> Any:
    return plan(envelope(event, cause))


def result(call: Call, of: Any) -> Any:
    return tell(call, of, NOON)


def rows(*units: int) -> tuple[common.LineQuantity, ...]:
    return tuple(
        common.LineQuantity(line_id=line.line_id, quantity=count)
        for line, count in zip(LINES, units, strict=False)
        if count
    )


def dispatched(shipment: str, *units: int, at: int = NOON) -> report_commands.RequestReport:
    return report_commands.RequestReport(
        reference=ORDER, entity="main", kind="dispatch", subject=shipment, rows=rows(*units),
        reason="", at=at, carrier="UPS", tracking_code=f"T-{shipment}",
    )  # fmt: skip


def cancellation(subject: str, *units: int, whole: bool = False) -> report_commands.RequestReport:
    return report_commands.RequestReport(
        reference=ORDER, entity="main", kind="cancellation", subject=subject, rows=rows(*units),
        reason="out-of-stock", at=NOON, whole=whole,
    )  # fmt: skip


def name(kind: str, subject: str) -> str:
    return reports.report_id("ord_1", kind, subject)


def ended(
    kind: str, subject: str, outcome: Any, at: int = NOON + 1
) -> report_commands.RecordReport:
    return report_commands.RecordReport(name(kind, subject), outcome, "answer", "code", 2, at)


ALL = tuple(line.quantity for line in LINES)


def test_a_parcel_is_told_once_with_the_channels_own_line_ids_and_a_deadline() -> None:
    outcome = begun(dispatched("s1", *ALL))
    (event,) = outcome.events
    assert isinstance(event, channels.ChannelReportRequested)
    assert event.due_by == NOON + reports.REPORT_WITHIN
    assert {one.external_line_id for one in event.lines} == {o.external_line_id for o in LINES}
    assert event.whole
    assert decided(dispatched("s1", *ALL, at=NOON + 9), outcome.state) == []


def test_the_order_is_whole_with_its_last_parcel_only() -> None:
    state = begun(dispatched("s1", 1)).state
    (first,) = state.reporting.reports.values()
    assert not first.request.whole
    rest = (ALL[0] - 1, *ALL[1:])
    (last,) = decided(dispatched("s2", *rest), state)
    assert last.whole


def test_the_last_report_names_those_that_the_channel_may_not_know_yet() -> None:
    rest = (ALL[0] - 1, *ALL[1:])
    state = begun(dispatched("s1", 1)).state
    under_way = (name("dispatch", "s1"),)
    for last in (dispatched("s2", *rest), cancellation("c1", *rest)):
        (told,) = decided(last, state)
        assert told.after == under_way
        (alone,) = decided(last, given(CHANNEL_ORDER, FIRST).when(
            dispatched("s1", 1), ended("dispatch", "s1", "confirmed")
        ).state)  # fmt: skip
        assert alone.after == ()
    (more,) = decided(dispatched("s3", 1), begun(dispatched("s1", 1)).state)
    assert more.after == ()  # something is left to send after it


def test_the_last_report_waits_for_no_refused_one_and_no_cancelled_whole() -> None:
    for before in (
        (dispatched("s1", 1), ended("dispatch", "s1", "refused")),
        (cancellation("c1", whole=True),),
    ):
        (last,) = decided(dispatched("s2", *ALL), begun(*before).state)
        assert (last.whole, last.after) == (True, ())


def test_what_is_no_line_of_the_channels_order_is_not_told() -> None:
    foreign = (common.LineQuantity(line_id="ln_other", quantity=1),)
    command = report_commands.RequestReport(
        reference=ORDER, entity="main", kind="dispatch", subject="s", rows=foreign, reason="",
        at=NOON,
    )  # fmt: skip
    given(CHANNEL_ORDER, FIRST).when(command).then()


def test_an_answer_ends_a_report_once_and_a_repeat_changes_nothing() -> None:
    outcome = begun(dispatched("s1", *ALL), ended("dispatch", "s1", "confirmed"))
    (event,) = outcome.events
    assert (event.answer, event.attempts) == ("answer", 2)
    for again in ("confirmed", "refused", "in-doubt"):
        assert decided(ended("dispatch", "s1", again), outcome.state) == []
    assert decided(dispatched("s1", *ALL), outcome.state) == []


def test_a_doubt_is_told_once_and_resolved() -> None:
    doubted = begun(dispatched("s1", *ALL), ended("dispatch", "s1", "in-doubt"))
    assert decided(ended("dispatch", "s1", "in-doubt"), doubted.state) == []
    (event,) = decided(ended("dispatch", "s1", "confirmed"), doubted.state)
    assert isinstance(event, channels.ChannelReportConfirmed)


def test_a_refused_report_is_tried_again_or_taken_as_told_by_a_person() -> None:
    refused = begun(dispatched("s1", *ALL), ended("dispatch", "s1", "refused"))
    retry = report_commands.SettleReport(name("dispatch", "s1"), "retry", "ann", NOON + 5)
    (again,) = decided(retry, refused.state)
    assert (again.report_id, again.occurred_at) == (name("dispatch", "s1"), NOON + 5)
    by_hand = report_commands.SettleReport(name("dispatch", "s1"), "confirmed", "ann", NOON + 5)
    (done,) = decided(by_hand, refused.state)
    assert done.answer == "by ann"


def test_a_person_cannot_retry_what_is_under_way_nor_what_is_not_there() -> None:
    retry = report_commands.SettleReport(name("dispatch", "s1"), "retry", "ann", NOON)
    begun(dispatched("s1", *ALL), retry).then_refused("report-not-refused")
    begun(retry).then_refused("report-not-found")


def envelope(event: Any, name: str = "e1") -> Envelope[Any]:
    return Envelope(event, "", name, "s", 1, NOON, "x", 0, 1, "")


def test_a_dispatch_asks_each_order_of_the_parcel() -> None:
    other = common.OrderReference(
        order_id="ord_2", account="store", provider="standard", external_id="9"
    )
    event = fulfilment.ShipmentDispatched(
        entity="main", occurred_at=NOON, shipment_id="s1", location="main",
        rows=(
            common.ShipmentRow(order_id="ord_1", line_id="a", quantity=2),
            common.ShipmentRow(order_id="ord_2", line_id="b", quantity=1),
        ),
        units=(), accounts=("shop", "store"), carrier="UPS", service="std", tracking_code="T",
        tracking_url=None, tracked=True, by="policy", references=(ORDER, other),
    )  # fmt: skip
    asked = dict(react_to_fulfilment(envelope(event)))
    assert set(asked) == {order_stream("shop", "2001"), order_stream("store", "9")}
    assert [row.line_id for row in asked[order_stream("store", "9")].rows] == ["b"]


def cancelled(cause: str) -> orders.OrderLinesCancelled:
    return orders.OrderLinesCancelled(
        entity="main", occurred_at=NOON, order_id="ord_1", lines=rows(1), whole=False,
        by="seller", reason="out-of-stock", cause=cause, version=None, reference=ORDER,
    )  # fmt: skip


def test_a_cancellation_of_ours_is_told_and_the_channels_own_is_not() -> None:
    ((stream, command),) = react_to_orders(envelope(cancelled("policy")))
    assert (stream, command.kind, command.subject) == (
        order_stream("shop", "2001"),
        "cancellation",
        "e1",
    )
    assert react_to_orders(envelope(cancelled("channel"))) == ()


def test_each_request_plans_one_call_and_its_result_goes_back_to_the_order() -> None:
    (event,) = begun(dispatched("s1", *ALL)).events
    (effect,) = planned(event)
    (again,) = planned(event, "e2")
    assert effect.id != again.id
    call = Call(effect.id, effect.kind, effect.stream, effect.request, 1, 1, 0, NOON)
    assert effect.kind == "woocommerce.report"
    assert report_of(call) == event
    assert result(call, Confirmed("77")).outcome == "confirmed"
    assert result(call, Rejected("no")).outcome == "refused"
    assert result(call, Unknown("timeout")).outcome == "in-doubt"
    last = Call(effect.id, effect.kind, effect.stream, effect.request, ATTEMPTS, 1, 0, NOON)
    final = result(last, Unknown("timeout"))
    assert (final.outcome, final.code) == ("refused", "outcome-unknown")


def test_a_shop_that_is_away_is_tried_for_most_of_the_day_in_which_it_must_hear() -> None:
    hour = 3_600_000_000
    for number in range(50):
        tries = (Call(f"e{number}", "k", "s", b"", n, n, 0, NOON) for n in range(1, ATTEMPTS + 1))
        given_up = sum(policy.wait(one) for one in tries)
        assert 16 * hour < given_up < reports.REPORT_WITHIN - 3 * hour


class Store:
    """A store that keeps its first answer under a key, and knows no order until it is told one."""

    def __init__(self) -> None:
        self.kept: dict[str, Answered] = {}
        self.known = False
        self.instead: Answered | None = None

    async def call(self, method: str, path: str, *, json: Any, headers: Any) -> Answered:
        assert (method, path, json["external_id"]) == ("POST", "/fulfilments", "2001")
        answer = Answered(201, {}, {"id": f"ful_{len(self.kept)}"})
        unknown = Answered(404, {}, {"code": "order-unknown"})
        kept = self.kept.setdefault(headers["Idempotency-Key"], answer if self.known else unknown)
        return self.instead or kept


def attempted(store: Any, state: Any, attempt: int = 1) -> Any:
    """What the order's state is after an attempt at the request that stands in it."""
    (known,) = state.reporting.reports.values()
    (effect,) = planned(known.request)
    call = Call(effect.id, effect.kind, effect.stream, effect.request, attempt, 1, 0, NOON)
    found = asyncio.run(StandardReports(store, lambda: NOON).perform(call))
    return reduce(CHANNEL_ORDER.evolve, decided(result(call, found), state), state)


def retried(state: Any) -> Any:
    retry = report_commands.SettleReport(name("dispatch", "s1"), "retry", "ann", NOON + 5)
    return reduce(CHANNEL_ORDER.evolve, decided(retry, state), state)


def test_what_a_store_refused_is_another_request_when_it_is_retried() -> None:
    store, state = Store(), begun(dispatched("s1", *ALL)).state
    for _ in range(2):
        state = retried(attempted(store, state))
    store.known = True
    assert not attempted(store, state).reporting.reports, "it is confirmed"
    assert len(store.kept) == 3


def test_what_a_store_left_in_doubt_is_the_same_request_when_it_is_retried() -> None:
    store, state = Store(), attempted(Store(), begun(dispatched("s1", *ALL)).state)
    store.known = True
    closed = Answered(401, {}, {"code": "not-authorised"})
    for store.instead in (Answered(503, {}, None), closed, Answered(404, {}, "<html>"), closed):
        state = attempted(store, retried(state), ATTEMPTS)
        assert state.reporting.reports[name("dispatch", "s1")].state == "refused"
    store.instead = None
    assert not attempted(store, retried(state)).reporting.reports, "it is confirmed"
    assert len(store.kept) == 1


def test_the_row_says_how_it_stands_and_whether_it_was_late() -> None:
    state: Any = given(CHANNEL_ORDER, FIRST).state
    row: Any = None
    late = NOON + reports.REPORT_WITHIN + 1
    said = (
        dispatched("s1", *ALL), ended("dispatch", "s1", "in-doubt"),
        ended("dispatch", "s1", "confirmed", late),
    )  # fmt: skip
    seen = []
    for command in said:
        for event in decided(command, state):
            state = CHANNEL_ORDER.evolve(state, event)
            (key,) = REPORTS.keys(envelope(event))
            row = REPORTS.evolve(row, key, envelope(event))
            assert row is not None
            seen.append((row.state, row.late))
    assert seen == [("open", False), ("in-doubt", False), ("confirmed", True)]


def test_a_gift_card_is_not_told_to_the_channel_that_hands_it_over_itself() -> None:
    card = msgspec.structs.replace(
        LINES[0], line_id="card", kind="gift_card", requires_shipping=False
    )
    order = msgspec.structs.replace(RECORD.order, lines=(*RECORD.order.lines, card))
    (first,) = CHANNEL_ORDER.decide(
        msgspec.structs.replace(RECORD, order=order), CHANNEL_ORDER.initial
    )
    row = common.LineQuantity(line_id="card", quantity=1)
    alone = msgspec.structs.replace(dispatched("s9"), rows=(row,))
    assert given(CHANNEL_ORDER, first).when(alone).events == []
    beside = msgspec.structs.replace(dispatched("s1", *ALL), rows=(*rows(*ALL), row))
    (event,) = given(CHANNEL_ORDER, first).when(beside).events
    assert isinstance(event, channels.ChannelReportRequested)
    assert (len(event.lines), event.whole) == (len(LINES), True)


def without(line_id: str) -> Any:
    """The channel edits a line out of its order."""
    rest = tuple(line for line in RECORD.order.lines if line.line_id != line_id)
    at = common.Version(updated_at=RECORD.order.version.updated_at + 1, counter=0)
    order = msgspec.structs.replace(RECORD.order, lines=rest, version=at)
    return msgspec.structs.replace(RECORD, order=order)


def test_a_parcel_is_told_though_the_channel_has_edited_its_line_out_meanwhile() -> None:
    edited = without(LINES[1].line_id)
    (alone,) = begun(edited, dispatched("s1", 0, ALL[1])).events
    assert [one.external_line_id for one in alone.lines] == [LINES[1].external_line_id]
    assert not alone.whole
    (both,) = begun(edited, dispatched("s1", *ALL)).events
    assert (len(both.lines), both.whole) == (2, True)


def test_what_the_channel_has_edited_out_itself_needs_no_cancellation() -> None:
    edited = without(LINES[1].line_id)
    assert begun(edited, cancellation("c1", 0, ALL[1])).events == []
    (event,) = begun(edited, cancellation("c1", 1, ALL[1])).events
    assert [one.external_line_id for one in event.lines] == [LINES[0].external_line_id]


def test_units_that_we_have_cancelled_are_not_waited_for() -> None:
    (event,) = begun(cancellation("c1", 1), dispatched("s1", ALL[0] - 1, *ALL[1:])).events
    assert (event.kind, event.whole) == ("dispatch", True)


def test_a_cancellation_of_all_that_has_not_left_ends_the_order() -> None:
    (event,) = begun(dispatched("s1", *ALL[:-1]), cancellation("c1", 0, ALL[-1])).events
    assert (event.kind, event.whole, event.rest) == ("cancellation", False, True)


def test_an_order_that_lives_again_waits_for_all_its_units() -> None:
    state = begun(cancellation("c1", *ALL, whole=True)).state
    (event,) = decided(dispatched("s1", 1), state)
    assert not event.whole


async def test_of_thousands_of_reports_the_most_urgent_are_listed() -> None:
    """A shop was away on its busiest evening; ids say nothing of what is due first."""
    shop = Shop()
    for n in range(1200):
        row = ReportRow(
            f"report-{n:04}", "shop", "shopify", f"{n}", f"ord_{n}", "dispatch", "s",
            "open" if n % 3 else "refused", NOW, NOW + 1200 - n,
        )  # fmt: skip
        shop.rows["channel_reports"].found[row.report_id,] = row
    status, listed = await call(app_of(shop), "GET", "/channels/reports", b"", {})
    assert status == 200
    assert [one["due_by"] for one in listed] == [NOW + n for n in range(1, 501)]
