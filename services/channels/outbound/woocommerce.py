"""Tells a WooCommerce shop over its REST API v3: an order's metadata names what it was told.

A report's key is a metadata entry `_lonja_<report id>`; it is looked for before it is written, so
nothing is told twice. Source: WooCommerce REST API documentation, "Update an order".
"""

from collections.abc import Callable
from typing import Any

from libs.contracts.channels import ChannelReportRequested
from libs.effects.http import Answered, NotReached, Outside, undecided
from libs.effects.kinds import Absent, Confirmed, NotYet, Rejected, Result, Unknown
from libs.store.store import Call
from services.channels.outbound.report import report_of


class WooCommerceReports:
    """Reports to one shop."""

    def __init__(self, shop: Outside, clock: Callable[[], int]) -> None:
        self._shop, self._clock = shop, clock

    async def perform(self, call: Call) -> Result:
        """Write the state and the tracking into the order, unless it has them."""
        known = await self.ask(call)
        if not isinstance(known, Absent):
            return known
        report = report_of(call)
        body: dict[str, Any] = {"meta_data": _metadata(report)}
        if report.whole:
            body["status"] = "cancelled" if report.kind == "cancellation" else "completed"
        try:
            answer = await self._shop.call("PUT", _path(report), json=body)
        except NotReached:
            return NotYet("unreachable")
        return self._judged(answer, report)

    async def ask(self, call: Call) -> Result:
        """Look for the report in the order's metadata."""
        report = report_of(call)
        try:
            answer = await self._shop.call("GET", _path(report))
        except NotReached:
            return NotYet("unreachable")
        found = undecided(answer, self._clock())
        if found is not None:
            # A question has no effect: it is asked again, whatever the answer was.
            return NotYet("status-5xx") if isinstance(found, Unknown) else found
        if answer.status != 200 or not isinstance(answer.body, dict):
            return _refused(answer)
        return Confirmed(_told(answer.body)) if _has(answer.body, report) else Absent()

    def _judged(self, answer: Answered, report: ChannelReportRequested) -> Result:
        found = undecided(answer, self._clock())
        if found is not None:
            return found
        if answer.status != 200 or not isinstance(answer.body, dict):
            return _refused(answer)
        return Confirmed(_told(answer.body)) if _has(answer.body, report) else Unknown("not-kept")


def _path(report: ChannelReportRequested) -> str:
    return f"/wp-json/wc/v3/orders/{report.external_id}"


def _key(report: ChannelReportRequested) -> str:
    return f"_lonja_{report.report_id}"


def _metadata(report: ChannelReportRequested) -> list[dict[str, Any]]:
    value = {
        "kind": report.kind, "subject": report.subject, "carrier": report.carrier or "",
        "tracking_number": report.tracking_code or "", "tracking_link": report.tracking_url or "",
        "lines": [[one.external_line_id, one.quantity] for one in report.lines],
    }  # fmt: skip
    return [{"key": _key(report), "value": value}]


def _has(order: dict[str, Any], report: ChannelReportRequested) -> bool:
    kept = order.get("meta_data")
    rows = kept if isinstance(kept, list) else []
    return any(isinstance(one, dict) and one.get("key") == _key(report) for one in rows)


def _told(order: dict[str, Any]) -> str:
    return str(order.get("id", ""))[:60]


def _refused(answer: Answered) -> Rejected:
    code = answer.body.get("code") if isinstance(answer.body, dict) else None
    return Rejected("refused-by-channel", str(code or f"status-{answer.status}")[:100])
