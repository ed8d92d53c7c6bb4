"""A parcel whose units its channel was told of in another: told once, and told as what it is."""

import asyncio
from functools import reduce
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from libs.contracts import channels, common
from libs.effects.http import Answered
from libs.effects.kinds import Confirmed, Rejected, Result
from libs.eventsourcing.states import pack
from libs.eventsourcing.testing import given
from libs.store.store import Call
from services.channels.commands import RecordOrder
from services.channels.decider import CHANNEL_ORDER
from services.channels.outbound.shopify import ShopifyReports
from services.channels.outbound.standard import StandardReports
from services.channels.outbound.woocommerce import WooCommerceReports
from services.channels.report_commands import RequestReport
from services.sandbox.admin import graphql, shopify, standard, woocommerce
from services.sandbox.retail.content import Content
from services.sandbox.shops.reported import SHOWN, Report
from services.sandbox.shops.shopify_parts import line_id, order_id
from tests.unit.channels.test_channels_reports import (
    ALL,
    FIRST,
    LINES,
    RECORD,
    cancellation,
    dispatched,
    ended,
)
from tests.unit.sandbox.desks import AT, Shop, plain

ACCOUNTS = {"shopify": "shopify-uk", "woocommerce": "woo-uk", "standard": "store-uk"}


def requests(*commands: RequestReport) -> list[channels.ChannelReportRequested]:
    """Return what is asked of the channel, parcel by parcel."""
    state: Any = reduce(CHANNEL_ORDER.evolve, [FIRST], CHANNEL_ORDER.initial)
    found = []
    for command in commands:
        events = CHANNEL_ORDER.decide(command, state)
        state = reduce(CHANNEL_ORDER.evolve, events, state)
        found += [one for one in events if isinstance(one, channels.ChannelReportRequested)]
    return found


def version_of(known: RecordOrder, more: int, refunded: int = 0) -> RecordOrder:
    """Return the order a second later, with so many units more of its first line."""
    order = known.order
    at = replace(order.version, updated_at=order.version.updated_at + 1_000_000)
    grown = replace(LINES[0], quantity=LINES[0].quantity + more, refunded_units=refunded)
    lines = tuple(grown if line.line_id == grown.line_id else line for line in order.lines)
    return replace(known, order=replace(order, version=at, lines=lines))


def units(report: channels.ChannelReportRequested) -> tuple[int, ...]:
    return tuple(one.quantity for one in report.lines)


def test_units_that_leave_once_more_are_told_as_another_parcel_of_the_same_units() -> None:
    first, second = requests(dispatched("s1", *ALL), dispatched("s2", *ALL))
    assert (first.whole, first.resend_of) == (True, "")
    assert (second.resend_of, units(second)) == ("T-s1", ALL)
    repeated = given(CHANNEL_ORDER, FIRST, first, second).when(dispatched("s2", *ALL))
    repeated.then()


def test_a_parcel_without_a_tracking_code_is_meant_by_our_name_for_it() -> None:
    untracked = replace(dispatched("s1", *ALL), tracking_code=None)
    first, second = requests(untracked, dispatched("s2", *ALL))
    assert second.resend_of == first.report_id


def test_what_was_lost_counts_once_when_it_is_asked_whether_all_has_left() -> None:
    one, rest = (ALL[0],), (0, *ALL[1:])
    parcels = [dispatched("s1", *one), dispatched("s2", *one), dispatched("s3", *rest)]
    assert [(one.whole, one.resend_of) for one in requests(*parcels)] == [
        (False, ""), (False, "T-s1"), (True, ""),
    ]  # fmt: skip


def test_of_a_parcel_with_units_for_the_first_time_those_alone_are_told() -> None:
    first, second = requests(dispatched("s1", ALL[0]), dispatched("s2", *ALL))
    assert (second.resend_of, units(second), second.whole) == ("", ALL[1:], True)
    assert units(first) == ALL[:1]


def test_the_parcel_that_is_meant_has_the_same_lines_where_there_is_one() -> None:
    one, both = (1,), (1, *ALL[1:])
    parcels = [dispatched("s1", *one), dispatched("s2", *both), dispatched("s3", *both)]
    assert [one.resend_of for one in requests(*parcels)] == ["", "", "T-s2"]


def test_units_that_an_order_has_more_of_after_a_resend_leave_for_the_first_time() -> None:
    state: Any = reduce(CHANNEL_ORDER.evolve, [FIRST], CHANNEL_ORDER.initial)
    more = version_of(RECORD, 1)
    for command in (dispatched("s1", *ALL), dispatched("s2", *ALL), more):
        state = reduce(CHANNEL_ORDER.evolve, CHANNEL_ORDER.decide(command, state), state)
    (third,) = CHANNEL_ORDER.decide(dispatched("s3", 1), state)
    assert isinstance(third, channels.ChannelReportRequested)
    assert (third.resend_of, units(third), third.whole) == ("", (1,), True)


def test_a_unit_ordered_anew_after_one_was_sent_and_refunded_leaves_for_the_first_time() -> None:
    state: Any = reduce(CHANNEL_ORDER.evolve, [FIRST], CHANNEL_ORDER.initial)
    refunded = version_of(RECORD, -1, 1)
    anew = version_of(refunded, 0, 1)
    for command in (dispatched("s1", *ALL), refunded, anew):
        state = reduce(CHANNEL_ORDER.evolve, CHANNEL_ORDER.decide(command, state), state)
    (second,) = CHANNEL_ORDER.decide(dispatched("s2", 1), state)
    assert isinstance(second, channels.ChannelReportRequested)
    assert (second.resend_of, units(second), second.whole) == ("", (1,), True)


def test_units_that_we_have_cancelled_leave_no_room_for_units_sent_again() -> None:
    half = tuple(max(count - 1, 0) for count in ALL)
    one_each = tuple(1 for _ in ALL)
    told = requests(dispatched("s1", *half), cancellation("e", *one_each), dispatched("s2", *half))
    assert [one.resend_of for one in told] == ["", "", "T-s1"]


def test_a_confirmed_parcel_is_remembered_for_what_is_sent_again() -> None:
    (first,) = requests(dispatched("s1", *ALL))
    state: Any = reduce(CHANNEL_ORDER.evolve, [FIRST, first], CHANNEL_ORDER.initial)
    confirmed = CHANNEL_ORDER.decide(ended("dispatch", "s1", "confirmed"), state)
    state = reduce(CHANNEL_ORDER.evolve, confirmed, state)
    [again] = CHANNEL_ORDER.decide(dispatched("s2", *ALL), state)
    assert isinstance(again, channels.ChannelReportRequested)
    assert again.resend_of == "T-s1"


class Outside:
    """A shop's own API of the sandbox, without HTTP."""

    def __init__(self, folder: Path, provider: str) -> None:
        self.shop, self.provider = Shop(folder), provider
        self.account = ACCOUNTS[provider]
        self.content: Content = plain(self.account)

    async def call(self, method: str, path: str, *, json: Any = None, headers: Any = None) -> Any:
        desk, number = self.shop.desk, path.rsplit("/", 1)[-1]
        body: Any
        match self.provider:
            case "shopify":
                asked = graphql.parse(json["query"], json["variables"])
                status, body = 200, {"data": shopify.execute(desk, self.account, asked, AT)}
            case "woocommerce" if method == "GET":
                status, body = woocommerce.get(desk, self.account, number)
            case "woocommerce":
                status, body = woocommerce.put(desk, self.account, number, json, AT)
            case _:
                key = headers["Idempotency-Key"]
                status, body = standard.once(desk, self.account, number, key, json, AT)
        return Answered(status, {}, msgspec.json.decode(msgspec.json.encode(body)))

    def named(self, line: int) -> str:
        match self.provider:
            case "shopify":
                return str(line_id(self.content, line))
            case "woocommerce":
                return str(int(self.content.number) * 1000 + line)
            case _:
                return f"line_{line}"

    def report(
        self, name: str, code: str | None, resend_of: str = "", only: int | None = None
    ) -> channels.ChannelReportRequested:
        one = self.content
        external = {"shopify": str(order_id(one)), "woocommerce": one.number}
        return channels.ChannelReportRequested(
            entity="main", occurred_at=1, account=self.account, provider=self.provider,
            external_id=external.get(self.provider, f"ord_{one.number}"), order_id="ord_1",
            report_id=name, kind="dispatch", subject=name, whole=only is None and not resend_of,
            carrier="UPS", tracking_code=code, tracking_url=None, reason="", due_by=2,
            lines=tuple(
                common.ExternalLineQuantity(external_line_id=self.named(line.id), quantity=line.quantity)
                for line in one.lines
                if only in {None, line.id}
            ),
            resend_of=resend_of,
        )  # fmt: skip

    def tell(self, report: channels.ChannelReportRequested) -> Result:
        outside: Any = self
        kinds = {"shopify": ShopifyReports, "woocommerce": WooCommerceReports}
        adapter: Any = kinds.get(self.provider, StandardReports)(outside, lambda: AT)
        call = Call("e", f"{self.provider}.report", "x", pack(report), 1, 1, 0, 1)
        found: Result = asyncio.run(adapter.perform(call))
        return found

    def told(self) -> list[Report]:
        return self.shop.desk.reports(self.account, self.content.number)

    def shown(self) -> dict[str, Any]:
        """Return the order as the shop's webhooks show it."""
        state = self.shop.desk.order(self.account, self.content.number)
        assert state is not None
        lines = [{"id": line.id} for line in self.content.lines]
        body: Any = {"line_items": lines, "fulfillments": [], "data": {}, "meta_data": [],
                     "status": "processing"}  # fmt: skip
        return SHOWN[self.provider](body, state, self.told())


@pytest.mark.parametrize("provider", ACCOUNTS)
def test_every_shop_hears_of_a_parcel_that_replaces_a_lost_one_and_keeps_the_lost_one(
    provider: str, tmp_path: Path
) -> None:
    outside = Outside(tmp_path, provider)
    for name, code, of in (("r1", "T1", ""), ("r2", "T2", "T1"), ("r3", "T3", "T1")):
        for _ in range(2):  # the answer was lost, and it is told again
            assert isinstance(outside.tell(outside.report(name, code, of)), Confirmed)
    assert [one.tracking for one in outside.told()] == ["T1", "T2", "T3"]


def test_shopify_keeps_one_fulfilment_with_the_newest_parcel_first(tmp_path: Path) -> None:
    outside = Outside(tmp_path, "shopify")
    for name, code, of in (("r1", "T1", ""), ("r2", "T2", "T1")):
        outside.tell(outside.report(name, code, of))
    [fulfilment] = outside.shown()["fulfillments"]
    assert fulfilment["tracking_numbers"] == ["T2", "T1"]
    assert outside.shown()["fulfillment_status"] == "fulfilled"


class Slow(Outside):
    """A Shopify shop that others talk to while it thinks."""

    async def call(self, method: str, path: str, *, json: Any = None, headers: Any = None) -> Any:
        await asyncio.sleep(0)
        answer = await super().call(method, path, json=json, headers=headers)
        await asyncio.sleep(0)
        return answer


def test_shopify_keeps_the_codes_of_parcels_that_are_told_at_the_same_time(tmp_path: Path) -> None:
    outside = Slow(tmp_path, "shopify")
    shop: Any = outside
    adapter = ShopifyReports(shop, lambda: AT)

    async def told(*reports: channels.ChannelReportRequested) -> list[Result]:
        calls = [
            Call(f"e{n}", "shopify.report", "x", pack(one), 1, 1, 0, 1)
            for n, one in enumerate(reports)
        ]
        return await asyncio.gather(*(adapter.perform(call) for call in calls))

    asyncio.run(told(outside.report("r1", "T1")))
    both = asyncio.run(told(outside.report("r2", "T2", "T1"), outside.report("r3", "T3", "T1")))
    assert all(isinstance(one, Confirmed) for one in both)
    [fulfilment] = outside.shown()["fulfillments"]
    assert fulfilment["tracking_numbers"] == ["T3", "T2", "T1"]


def test_units_sent_again_fulfil_nothing_that_has_not_left(tmp_path: Path) -> None:
    outside = Outside(tmp_path, "shopify")
    one = outside.content.lines[0].id
    for name, code, of in (("r1", "T1", ""), ("r2", "T2", "T1")):
        assert isinstance(outside.tell(outside.report(name, code, of, one)), Confirmed)
    assert outside.shown()["fulfillment_status"] == "partial"
    assert outside.shop.desk.left(outside.account, outside.content.number)[one] == 0
    rest = {line.id for line in outside.content.lines} - {one}
    left = outside.shop.desk.left(outside.account, outside.content.number)
    assert all(left[line] for line in rest)


def test_a_parcel_that_the_shop_never_heard_of_is_replaced_by_an_ordinary_one(
    tmp_path: Path,
) -> None:
    outside = Outside(tmp_path, "shopify")
    assert isinstance(outside.tell(outside.report("r2", "T2", "T1")), Confirmed)
    assert sum(sum(one.lines.values()) for one in outside.told()) == sum(
        line.quantity for line in outside.content.lines
    )


class Undone(Outside):
    """A Shopify shop whose people have cancelled every fulfilment: its lines wait again."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "shopify")
        self.sent: list[dict[str, Any]] = []

    async def call(self, method: str, path: str, *, json: Any = None, headers: Any = None) -> Any:
        if "mutation" in json["query"] and self.told():
            self.sent.append(json)
            made = {"fulfillment": {"id": "f2"}, "userErrors": []}
            return Answered(200, {}, {"data": {"fulfillmentCreate": made}})
        answer = await super().call(method, path, json=json, headers=headers)
        order = answer.body["data"].get("order")
        for one in order["fulfillments"] if order else ():
            assert one["status"] == "SUCCESS"
            one["status"] = "CANCELLED"
            for waiting in order["fulfillmentOrders"]["nodes"]:
                waiting["status"] = "OPEN"
                for line in waiting["lineItems"]["nodes"]:
                    line["remainingQuantity"] = 1
        return answer


def test_units_of_a_fulfilment_that_the_shop_has_cancelled_are_fulfilled_anew(
    tmp_path: Path,
) -> None:
    outside = Undone(tmp_path)
    for name, code, of in (("r1", "T1", ""), ("r2", "T2", "T1")):
        assert isinstance(outside.tell(outside.report(name, code, of)), Confirmed)
    [sent] = outside.sent
    assert "fulfillmentCreate" in sent["query"]
    assert sent["variables"]["fulfillment"]["trackingInfo"]["number"] == "T2"


def test_a_store_takes_no_more_again_than_has_left(tmp_path: Path) -> None:
    outside = Outside(tmp_path, "standard")
    refused = outside.tell(outside.report("r2", "T2", "T1"))
    assert isinstance(refused, Rejected)
    assert refused.answer == "nothing-left"


def test_units_that_the_channel_knows_as_sent_are_not_cancelled_there() -> None:
    first, *others = ALL
    (_, rest) = requests(dispatched("s1", first - 1, *others), cancellation("c1", *ALL, whole=True))
    assert [(one.external_line_id, one.quantity) for one in rest.lines] == [
        (LINES[0].external_line_id, 1)
    ]
    assert len(requests(dispatched("s1", *ALL), cancellation("c1", *ALL, whole=True))) == 1
    (unsent,) = requests(cancellation("c1", *ALL, whole=True))
    assert [one.quantity for one in unsent.lines] == list(ALL)
