"""What the adapter for WooCommerce makes of an order that it is to change."""

import asyncio
from typing import Any

import pytest

from libs.contracts.channels import ChannelReportRequested
from libs.contracts.common import ExternalLineQuantity
from libs.effects.http import Answered, NoAnswer
from libs.effects.kinds import Absent, Confirmed, NotYet, Rejected, Result, Unknown
from libs.eventsourcing.states import pack
from libs.store.store import Call
from services.channels.outbound.woocommerce import WooCommerceReports

MUG = (ExternalLineQuantity(external_line_id="2", quantity=1),)


class Shop:
    """A shop's API with one order; a PUT is done as it is told, metadata by its key.

    `at_once` callers have read the order before any of them changes it.
    """

    def __init__(self, status: str, at_once: int = 1) -> None:
        self.order: dict[str, Any] = {"id": 2001, "status": status, "line_items": []}
        self.read = asyncio.Barrier(at_once)
        self.completed_with: list[set[str]] = []  # each time, the reports that it had by then

    async def call(self, method: str, path: str, *, json: Any = None) -> Answered:
        assert path == "/wp-json/wc/v3/orders/2001"
        if method == "PUT":
            self._put(json)
        order = dict(self.order)
        if method == "GET":
            await self.read.wait()
        return Answered(200, {}, order)

    def _put(self, given: dict[str, Any]) -> None:
        before = self.order["status"]
        kept = {one["key"]: one for one in self.order.get("meta_data", ())}
        kept |= {one["key"]: one for one in given.get("meta_data", ())}
        self.order |= given | {"meta_data": list(kept.values())}
        if before != self.order["status"] == "completed":
            self.completed_with.append({key.rpartition("_")[2] for key in kept})


def report(kind: str, name: str, **fields: Any) -> ChannelReportRequested:
    given: dict[str, Any] = {
        "entity": "main", "occurred_at": 0, "account": "woo", "provider": "woocommerce",
        "external_id": "2001", "order_id": "ord_1", "report_id": name, "kind": kind,
        "subject": "e1", "lines": (), "whole": False, "reason": "payment-expired", "due_by": 1,
    }  # fmt: skip
    return ChannelReportRequested(**(given | fields))


async def perform(shop: Shop, told: ChannelReportRequested) -> Result:
    return await _adapter(shop).perform(_call(told))


def ask(shop: Shop, told: ChannelReportRequested) -> Result:
    return asyncio.run(_adapter(shop).ask(_call(told)))


def tell(shop: Shop, told: ChannelReportRequested) -> Result:
    return asyncio.run(perform(shop, told))


def cancel(shop: Shop, **fields: Any) -> Result:
    return tell(shop, report("cancellation", "r1", **({"whole": True} | fields)))


def _adapter(shop: Shop) -> WooCommerceReports:
    outside: Any = shop
    return WooCommerceReports(outside, lambda: 0)


def _call(told: ChannelReportRequested) -> Call:
    return Call("e", "woocommerce.report", "channelorder-woo:2001", pack(told), 1, 1, 0, 0)


PARCEL = report("dispatch", "p1")
LAST_PARCEL = report("dispatch", "p2", whole=True, after=("p1",))
REST = report("cancellation", "c1", lines=MUG, rest=True, after=("p1",))


def test_an_order_is_cancelled_as_a_whole() -> None:
    shop = Shop("processing")
    assert isinstance(cancel(shop), Confirmed)
    assert shop.order["status"] == "cancelled"


def test_a_cancellation_that_a_dispatch_has_overtaken_is_a_persons_matter() -> None:
    shop = Shop("completed")
    assert cancel(shop) == Rejected("refused-by-channel", "order-completed")
    assert shop.order["status"] == "completed"


def test_a_cancellation_of_the_rest_completes_an_order_that_has_left_in_part() -> None:
    shop = Shop("processing")
    shop.order["line_items"] = [{"id": 1, "quantity": 2}, {"id": 2, "quantity": 1}]
    assert isinstance(cancel(shop, lines=MUG, whole=False, rest=True), Confirmed)
    assert shop.order["status"] == "completed"
    assert shop.order["line_items"] == [{"id": 2, "quantity": 0}]


@pytest.mark.parametrize("last", [LAST_PARCEL, REST])
def test_an_order_is_completed_with_the_tracking_of_each_parcel_and_not_before(
    last: ChannelReportRequested,
) -> None:
    shop = Shop("processing")
    assert isinstance(tell(shop, last), Confirmed)
    assert shop.order["status"] == "processing"
    assert isinstance(tell(shop, PARCEL), Confirmed)
    assert shop.completed_with == [{"p1", last.report_id}]


@pytest.mark.parametrize("told", [(PARCEL, LAST_PARCEL), (LAST_PARCEL, PARCEL)])
def test_two_reports_at_once_complete_the_order_once(
    told: tuple[ChannelReportRequested, ...],
) -> None:
    async def both(shop: Shop) -> list[Result]:
        return await asyncio.gather(*(perform(shop, one) for one in told))

    shop = Shop("processing", at_once=2)
    assert all(isinstance(one, Confirmed) for one in asyncio.run(both(shop)))
    assert shop.completed_with == [{"p1", "p2"}]


def test_a_report_in_doubt_is_told_when_the_order_is_completed_too() -> None:
    shop = Shop("processing")
    tell(shop, LAST_PARCEL)
    tell(shop, PARCEL)
    shop.order["status"] = "processing"  # it died between the report and the status
    assert ask(shop, PARCEL) == Absent()
    tell(shop, PARCEL)
    assert shop.order["status"] == "completed"
    assert isinstance(ask(shop, PARCEL), Confirmed)


def test_what_has_become_of_an_order_since_is_not_undone_by_a_report_that_it_has() -> None:
    shop = Shop("processing")
    tell(shop, PARCEL)
    tell(shop, LAST_PARCEL)
    shop.order["status"] = "refunded"
    assert isinstance(ask(shop, LAST_PARCEL), Confirmed)
    tell(shop, LAST_PARCEL)
    assert shop.order["status"] == "refunded"


def test_a_parcel_that_nothing_waits_for_does_not_complete_the_order_again() -> None:
    shop = Shop("processing")
    tell(shop, PARCEL)
    tell(shop, LAST_PARCEL)
    shop.order["status"] = "processing"  # something was added to it
    tell(shop, report("dispatch", "p3"))
    assert shop.order["status"] == "processing"


class Hangs(Shop):
    """A shop that does what this method asks, and ends the connection instead of answering."""

    def __init__(self, method: str) -> None:
        super().__init__("processing")
        self.method = method

    async def call(self, method: str, path: str, *, json: Any = None) -> Answered:
        answer = await super().call(method, path, json=json)
        if method == self.method:
            raise NoAnswer
        return answer


def test_a_question_without_an_answer_leaves_no_doubt_and_a_change_does() -> None:
    assert tell(Hangs("GET"), PARCEL) == NotYet("unreachable")
    shop = Hangs("PUT")
    assert tell(shop, PARCEL) == Unknown("connection-lost")
    assert isinstance(ask(shop, PARCEL), Confirmed), "it is asked first, and has taken effect"
