"""Tells a WooCommerce shop over its REST API v3: an order's metadata names what it was told.

Each report is a metadata entry of its own, looked for before it is written, so that nothing is told
twice and two reports at once do not overwrite each other. Source: WooCommerce REST API
documentation, "Update an order" (a line with quantity 0 is taken off).
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
        report = report_of(call)
        order = await self._order(report)
        if not isinstance(order, dict):
            return order
        if _has(order, report):
            return Confirmed(_told(order))
        if report.kind == "cancellation" and report.whole and order.get("status") == "completed":
            # Overtaken: the order was opened again and sent. WooCommerce would do as it is told.
            return Rejected("refused-by-channel", "order-completed")
        try:
            answer = await self._shop.call("PUT", _path(report), json=_change(order, report))
        except NotReached:
            return NotYet("unreachable")
        return self._judged(answer, report)

    async def ask(self, call: Call) -> Result:
        """Look for the report in the order's metadata."""
        report = report_of(call)
        order = await self._order(report)
        if not isinstance(order, dict):
            return order
        return Confirmed(_told(order)) if _has(order, report) else Absent()

    async def _order(self, report: ChannelReportRequested) -> dict[str, Any] | Result:
        """Return the order as the shop has it, or what else the answer means."""
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
        return answer.body

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
    what = "tracking" if report.kind == "dispatch" else report.kind
    return f"_lonja_{what}_{report.report_id}"


def _change(order: dict[str, Any], report: ChannelReportRequested) -> dict[str, Any]:
    """Return what is put: the entry, the status when nothing is left to send, lines that end."""
    value: dict[str, Any] = {
        "subject": report.subject,
        "lines": [[one.external_line_id, one.quantity] for one in report.lines],
    }
    if report.kind == "dispatch":
        value |= {
            "tracking_provider": report.carrier or "",
            "tracking_number": report.tracking_code or report.report_id,
            "tracking_link": report.tracking_url or "",
        }  # fmt: skip
    body: dict[str, Any] = {"meta_data": [{"key": _key(report), "value": value}]}
    cancels = report.kind == "cancellation"
    if report.whole or report.rest:
        body["status"] = "cancelled" if cancels and report.whole else "completed"
    if cancels and not report.whole:
        body["line_items"] = _ended(order, report)
    return body


def _ended(order: dict[str, Any], report: ChannelReportRequested) -> list[dict[str, Any]]:
    """Return the lines that are cancelled whole; of others the money is the shop's to say."""
    units = {one.external_line_id: one.quantity for one in report.lines}
    return [
        {"id": line["id"], "quantity": 0}
        for line in order.get("line_items") or ()
        if units.get(str(line["id"]), 0) >= int(line["quantity"]) > 0
    ]


def _has(order: dict[str, Any], report: ChannelReportRequested) -> bool:
    kept = order.get("meta_data")
    rows = kept if isinstance(kept, list) else []
    return any(isinstance(one, dict) and one.get("key") == _key(report) for one in rows)


def _told(order: dict[str, Any]) -> str:
    return str(order.get("id", ""))[:60]


def _refused(answer: Answered) -> Rejected:
    code = answer.body.get("code") if isinstance(answer.body, dict) else None
    return Rejected("refused-by-channel", str(code or f"status-{answer.status}")[:100])
