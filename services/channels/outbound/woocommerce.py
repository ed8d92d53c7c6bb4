"""Tells a WooCommerce shop over its REST API v3: an order's metadata names what it was told.

Each report is a metadata entry of its own, looked for before it is written, so that nothing is told
twice and two reports at once do not overwrite each other. Source: WooCommerce REST API
documentation, "Update an order" (a line with quantity 0 is taken off).

A completed order's buyer gets a mail, once. So the last report completes it only when the order has
those before it; else whichever of them comes last does. Each is written, then the order is read: of
two at once, one sees both.
"""

from collections.abc import Callable
from typing import Any

from libs.contracts.channels import ChannelReportRequested
from libs.effects.http import Answered, NoAnswer, NotReached, Outside, undecided
from libs.effects.kinds import Absent, Confirmed, NotYet, Rejected, Result, Unknown
from libs.store.store import Call
from services.channels.outbound.report import report_of

_OURS = "_lonja_"
_OPEN = {"pending", "processing", "on-hold"}  # statuses from which a late word completes an order
_ROUNDS = 2  # the report, and the status where another report came in between


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
        cancels = report.kind == "cancellation" and report.whole and not _has(order, report)
        if cancels and order.get("status") == "completed":
            # Overtaken: the order was opened again and sent. WooCommerce would do as it is told.
            return Rejected("refused-by-channel", "order-completed")
        for _ in range(_ROUNDS):
            change = _change(order, report)
            if not change:
                break
            order = await self._put(report, change)
            if not isinstance(order, dict):
                return order
        return Confirmed(_told(order))

    async def ask(self, call: Call) -> Result:
        """Look for the report, and what is due with it, in the order as the shop has it."""
        report = report_of(call)
        order = await self._order(report)
        if not isinstance(order, dict):
            return order
        return Absent() if _change(order, report) else Confirmed(_told(order))

    async def _order(self, report: ChannelReportRequested) -> dict[str, Any] | Result:
        """Return the order as the shop has it, or what else the answer means."""
        try:
            answer = await self._shop.call("GET", _path(report))
        except (NotReached, NoAnswer):  # a question has no effect: it is asked again
            return NotYet("unreachable")
        found = undecided(answer, self._clock(), asking=True)
        if found is not None:
            return found
        if answer.status != 200 or not isinstance(answer.body, dict):
            return _refused(answer)
        return answer.body

    async def _put(
        self, report: ChannelReportRequested, change: dict[str, Any]
    ) -> dict[str, Any] | Result:
        """Change the order and return it as the shop has it then, or what else the answer means."""
        try:
            answer = await self._shop.call("PUT", _path(report), json=change)
        except NotReached:
            return NotYet("unreachable")
        except NoAnswer:
            return Unknown("connection-lost")
        found = undecided(answer, self._clock())
        if found is not None:
            return found
        if answer.status != 200 or not isinstance(answer.body, dict):
            return _refused(answer)
        return answer.body if _has(answer.body, report) else Unknown("not-kept")


def _path(report: ChannelReportRequested) -> str:
    return f"/wp-json/wc/v3/orders/{report.external_id}"


def _key(report: ChannelReportRequested) -> str:
    what = "tracking" if report.kind == "dispatch" else report.kind
    return f"{_OURS}{what}_{report.report_id}"


def _change(order: dict[str, Any], report: ChannelReportRequested) -> dict[str, Any]:
    """Return what is to be put yet: the entry, the status when all is told, lines that end."""
    entry = _entry(report)
    completes = _completes(_entries(order) | {report.report_id: entry}, report.report_id)
    if _has(order, report):
        return {"status": "completed"} if completes and order.get("status") in _OPEN else {}
    body: dict[str, Any] = {"meta_data": [{"key": _key(report), "value": entry}]}
    cancels = report.kind == "cancellation"
    if cancels and report.whole:
        body["status"] = "cancelled"
    elif completes:
        body["status"] = "completed"
    if cancels and not report.whole:
        body["line_items"] = _ended(order, report)
    return body


def _entry(report: ChannelReportRequested) -> dict[str, Any]:
    """Return what the order's metadata keeps of a report; the last one names what it waits for."""
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
    if report.rest or (report.kind == "dispatch" and report.whole):
        value["completes_after"] = list(report.after)
    return value


def _entries(order: dict[str, Any]) -> dict[str, Any]:
    """Return what the order keeps of our reports, by report."""
    return {
        str(one["key"]).rpartition("_")[2]: one.get("value")
        for one in _rows(order)
        if str(one.get("key")).startswith(_OURS)
    }


def _completes(told: dict[str, Any], report_id: str) -> bool:
    """Say whether the order is complete with this report: the last one, or what that waited for."""
    for name, entry in told.items():
        after = entry.get("completes_after") if isinstance(entry, dict) else None
        if not isinstance(after, list) or report_id not in {name, *map(str, after)}:
            continue
        if told.keys() >= set(map(str, after)):
            return True
    return False


def _ended(order: dict[str, Any], report: ChannelReportRequested) -> list[dict[str, Any]]:
    """Return the lines that are cancelled whole; of others the money is the shop's to say."""
    units = {one.external_line_id: one.quantity for one in report.lines}
    return [
        {"id": line["id"], "quantity": 0}
        for line in order.get("line_items") or ()
        if units.get(str(line["id"]), 0) >= int(line["quantity"]) > 0
    ]


def _has(order: dict[str, Any], report: ChannelReportRequested) -> bool:
    return any(one.get("key") == _key(report) for one in _rows(order))


def _rows(order: dict[str, Any]) -> list[dict[str, Any]]:
    kept = order.get("meta_data")
    return [one for one in kept if isinstance(one, dict)] if isinstance(kept, list) else []


def _told(order: dict[str, Any]) -> str:
    return str(order.get("id", ""))[:60]


def _refused(answer: Answered) -> Rejected:
    code = answer.body.get("code") if isinstance(answer.body, dict) else None
    return Rejected("refused-by-channel", str(code or f"status-{answer.status}")[:100])
