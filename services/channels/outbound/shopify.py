"""Tells a Shopify shop over the Admin GraphQL API: fulfilments, cancelled orders, cancelled units.

fulfillmentCreate, fulfillmentTrackingInfoUpdate and orderCancel take no idempotency key, so the
shop is asked first: a parcel is known by its tracking number or by our name in it, a cancelled
order by its time. refundCreate, which takes cancelled units off, needs @idempotent. Source:
Shopify's Admin API reference.
"""

import asyncio
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

from libs.contracts.channels import ChannelReportRequested
from libs.effects.http import NoAnswer, NotReached, Outside, undecided
from libs.effects.kinds import Absent, Confirmed, NotYet, Rejected, Result, Unknown
from libs.store.store import Call
from services.channels.outbound import shopify_queries as gql
from services.channels.outbound.report import report_of

PATH = "/admin/api/2026-07/graphql.json"
_WAIT = 2_000_000  # microseconds after a throttled answer that does not say how long


class _Ended(Exception):  # noqa: N818 - an answer that ends the attempt
    def __init__(self, result: Result) -> None:
        super().__init__()
        self.result = result


class ShopifyReports:
    """Reports to one shop."""

    def __init__(self, shop: Outside, clock: Callable[[], int]) -> None:
        self._shop, self._clock = shop, clock
        self._telling = WeakValueDictionary[str, asyncio.Lock]()

    async def perform(self, call: Call) -> Result:
        """Ask first, then tell; of one order one after another, for codes are set all at once."""
        report = report_of(call)
        async with self._telling.setdefault(report.external_id, asyncio.Lock()):
            return await self._tell(report)

    async def _tell(self, report: ChannelReportRequested) -> Result:
        try:
            order = await self._order(report)
            if (told := gql.known(order, report)) is not None:
                return Confirmed(told)
            if report.kind == "dispatch":
                return await self._fulfil(order, report)
            if report.kind == "cancellation":
                return await self._cancel(report)
        except _Ended as ended:
            return ended.result
        return Rejected("report-not-supported", report.kind)

    async def ask(self, call: Call) -> Result:
        """Look for it in the order."""
        report = report_of(call)
        try:
            told = gql.known(await self._order(report), report)
        except _Ended as ended:
            return ended.result
        return Absent() if told is None else Confirmed(told)

    async def _order(self, report: ChannelReportRequested) -> dict[str, Any]:
        """Return the order, all of it. Raises _Ended."""
        variables = {"id": f"gid://shopify/Order/{report.external_id}"}
        for parcels, query in gql.ORDERS.items():
            data = await self._call(query, variables, asking=True)
            order = data.get("order")
            if not isinstance(order, dict):
                raise _Ended(Rejected("refused-by-channel", "order-not-found"))
            if not gql.cut_off(order, parcels):
                return order
        raise _Ended(Rejected("order-too-large", "Tell it by hand in the shop, then confirm."))

    async def _fulfil(self, order: dict[str, Any], report: ChannelReportRequested) -> Result:
        """Tell each fulfilment order its lines; all of them belong to one parcel, told at once.

        Units that were told as fulfilled are fulfilled no more: their fulfilment gets the parcel.
        """
        if (again := gql.sent_again(order, report)) is not None:
            data = await self._call(gql.TRACK, again)
            return _mutated(data.get("fulfillmentTrackingInfoUpdate"), "fulfillment")
        wanted, waiting = gql.by_fulfilment_order(order, report)
        if waiting:
            return Rejected("fulfilment-on-hold", "Release it in the shop, then retry.")
        if not wanted:
            return Rejected("refused-by-channel", "nothing-to-fulfil")
        data = await self._call(gql.FULFIL, {"fulfillment": gql.fulfilment(wanted, report)})
        return _mutated(data.get("fulfillmentCreate"), "fulfillment")

    async def _cancel(self, report: ChannelReportRequested) -> Result:
        if report.whole:
            data = await self._call(gql.CANCEL, gql.cancellation(report))
            return _mutated(data.get("orderCancel"), "job")
        variables = {"input": gql.cancelled_units(report), "key": report.report_id}
        data = await self._call(gql.REFUND, variables)
        return _mutated(data.get("refundCreate"), "refund")

    async def _call(
        self, query: str, variables: dict[str, Any], *, asking: bool = False
    ) -> dict[str, Any]:
        """Return the data of an answer. Raises _Ended with what anything else means."""
        body = {"query": query, "variables": variables}
        try:
            answer = await self._shop.call("POST", PATH, json=body)
        except (NotReached, NoAnswer) as error:
            safe = asking or isinstance(error, NotReached)  # a question has no effect
            raise _Ended(NotYet("unreachable") if safe else Unknown("connection-lost")) from None
        found = undecided(answer, self._clock(), asking=asking)
        if found is not None:
            raise _Ended(found)
        told = answer.body if isinstance(answer.body, dict) else {}
        if answer.status != 200:
            raise _Ended(Rejected("refused-by-channel", f"status-{answer.status}"))
        if told.get("errors"):
            raise _Ended(_failed(told))
        data = told.get("data")
        if not isinstance(data, dict):
            raise _Ended(Unknown("not-understood"))
        return data


def _failed(told: dict[str, Any]) -> Result:
    """Say what top-level errors mean: throttled ones have had no effect."""
    codes = gql.error_codes(told)
    if "THROTTLED" in codes:
        return NotYet("throttled", gql.restored_after(told) or _WAIT)
    if codes & {"INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE"} or not codes:
        return Unknown("internal-error")
    return Rejected("refused-by-channel", ",".join(sorted(codes))[:100])


def _mutated(payload: Any, made: str) -> Result:
    if not isinstance(payload, dict):
        return Unknown("not-understood")
    errors = [*payload.get("userErrors", ()), *payload.get("orderCancelUserErrors", ())]
    if errors:
        words = [str(one.get("code") or one.get("field") or "error") for one in errors]
        return Rejected("refused-by-channel", ",".join(words)[:100])
    found = payload.get(made)
    return Confirmed(str(found.get("id", ""))[:100] if isinstance(found, dict) else "")
