"""Tells our own kind of store: its API honours Idempotency-Key, so a call may be repeated."""

from collections.abc import Callable
from typing import Any

from libs.contracts.channels import ChannelReportRequested
from libs.effects.http import NoAnswer, NotReached, Outside, undecided
from libs.effects.kinds import Confirmed, NotYet, Rejected, Result, Unknown
from libs.store.store import Call
from services.channels.outbound.report import key_of, report_of
from services.channels.reports import REFUSED

_NOT_HEARD = frozenset({401, 403})
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
        headers = {"Idempotency-Key": key_of(report)}
        try:
            answer = await self._store.call("POST", path, json=_body(report), headers=headers)
        except NotReached:
            return NotYet("unreachable")
        except NoAnswer:
            return Unknown("connection-lost")
        found = undecided(answer, self._clock())
        if found is not None:
            return found
        told = answer.body if isinstance(answer.body, dict) else {}
        if 200 <= answer.status < 300:
            return Confirmed(str(told.get("id", ""))[:60])
        code = str(told.get("code") or "")[:100]
        if answer.status in _NOT_HEARD or not code:  # it says nothing of what is under the key
            return Rejected("channel-not-connected", f"status-{answer.status}")
        if report.kind == "cancellation" and code == "order-cancelled":
            return Confirmed(code)  # the store has cancelled it itself meanwhile
        return Rejected(REFUSED, code)

    async def ask(self, call: Call) -> Result:
        """Post it again: the store answers a known key with its first answer."""
        return await self.perform(call)


def _body(report: ChannelReportRequested) -> dict[str, Any]:
    """Return what is posted; without lines it is all that is left."""
    whole = report.whole and report.kind == "cancellation"
    lines = [{"line_id": o.external_line_id, "quantity": o.quantity} for o in report.lines]
    body: dict[str, Any] = {"external_id": report.external_id, "lines": [] if whole else lines}
    if report.kind == "cancellation":
        return body | {"reason": report.reason}
    again = {"resend_of": report.resend_of} if report.resend_of else {}
    return body | again | {
        "carrier": report.carrier, "tracking_code": report.tracking_code,
        "tracking_url": report.tracking_url,
    }  # fmt: skip
