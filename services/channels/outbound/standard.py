"""Tells our own kind of store: its API honours Idempotency-Key, so a call may be repeated."""

from collections.abc import Callable

from libs.effects.http import NotReached, Outside, undecided
from libs.effects.kinds import Confirmed, NotYet, Rejected, Result
from libs.store.store import Call
from services.channels.outbound.report import report_of

_PATHS = {"dispatch": "/fulfilments", "cancellation": "/cancellations"}


class StandardReports:
    """Reports to one store by `POST /fulfilments` and `POST /cancellations`."""

    def __init__(self, store: Outside, clock: Callable[[], int]) -> None:
        self._store, self._clock = store, clock

    async def perform(self, call: Call) -> Result:
        """Post the report under its key."""
        report = report_of(call)
        path = _PATHS.get(report.kind)
        if path is None:
            return Rejected("report-not-supported", report.kind)
        body = {
            "order_id": report.external_id, "reference": report.report_id, "whole": report.whole,
            "lines": [
                {"line_id": one.external_line_id, "quantity": one.quantity} for one in report.lines
            ],
            "carrier": report.carrier, "tracking_number": report.tracking_code,
            "tracking_url": report.tracking_url, "reason": report.reason,
        }  # fmt: skip
        headers = {"Idempotency-Key": report.report_id}
        try:
            answer = await self._store.call("POST", path, json=body, headers=headers)
        except NotReached:
            return NotYet("unreachable")
        found = undecided(answer, self._clock())
        if found is not None:
            return found
        told = answer.body if isinstance(answer.body, dict) else {}
        if 200 <= answer.status < 300:
            return Confirmed(str(told.get("id", ""))[:60])
        if answer.status == 409:  # the same key is being answered right now
            return NotYet("in-progress")
        return Rejected(
            "refused-by-channel", str(told.get("code", f"status-{answer.status}"))[:100]
        )

    async def ask(self, call: Call) -> Result:
        """Post it again: the store answers a known key with its first answer."""
        return await self.perform(call)
