"""What is told to the shops: the list that an operator reads, and what they decide."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from libs.runtime.ports import Ports, Rows, Told
from libs.web.pages import every
from libs.web.problems import Problem
from libs.web.texts import By
from libs.web.writes import After, WriteRequest, Written, carry_out, caught_up, written
from services.channels.commands import order_stream
from services.channels.report_commands import SettleReport
from services.channels.report_rows import REPORTS, ReportRow

_MOST = 500
OPEN = ("open", "in-doubt", "refused")
_NEXT = {
    "open": "nothing: it is tried again by itself",
    "in-doubt": "nothing yet: the shop is asked what became of it",
    "refused": "look in the shop, then decide: retry, or confirmed",
    "confirmed": "",
}
_CONNECT = "mend the account's api_url and api_token, then retry; or tell the shop, then confirmed"


class ReportView(BaseModel):
    """A report; times are microseconds. `late`: confirmed after, or still open behind, `due_by`."""

    report_id: str
    account: str
    external_id: str
    order_id: str
    kind: str
    subject: str
    state: str
    requested_at: int
    due_by: int
    ended_at: int | None
    attempts: int
    answer: str
    code: str
    late: bool
    next_action: str


class Decision(BaseModel):
    """What a person decides on a report."""

    model_config = ConfigDict(extra="forbid")
    decision: Literal["retry", "confirmed"]
    by: By = Field(default="operator", min_length=1, max_length=80)


def report_routes(router: APIRouter, ports: Ports) -> None:
    """Add the routes of reports."""
    rows: Rows[ReportRow] = ports.rows(REPORTS)

    @router.get("/reports")
    async def reports(
        state: Literal["open", "in-doubt", "refused", "confirmed"] | None = None,
        account: Annotated[str | None, Query(max_length=40)] = None,
        order_id: Annotated[str | None, Query(max_length=60)] = None,
        after: After = None,
    ) -> list[ReportView]:
        """List what shops are told, the most urgent first; without a state, what is not done yet.

        What will miss its deadline stands at the top before it does. At most 500; of those that are
        confirmed, the first by their ids.
        """
        found = await caught_up(rows, after)
        equal: dict[str, str | bool] = {} if account is None else {"account": account}
        equal |= {} if order_id is None else {"order_id": order_id}
        states = (state,) if state else OPEN if order_id is None else (*OPEN, "confirmed")
        many: list[ReportRow] = []
        for one in states:
            wanted = equal | {"state": one}
            if one in OPEN or order_id is not None:
                many += await every(found, lambda row: (row.report_id,), **wanted)
            else:
                many += await found.find(after=None, limit=_MOST, **wanted)
        many.sort(key=lambda row: (row.due_by, row.report_id))
        now = ports.clock()
        return [_view(row, now) for row in many[:_MOST]]

    @router.post("/reports/{report_id}/decisions")
    async def decide(report_id: str, body: Decision, write: WriteRequest) -> Written:
        """Settle a report that was refused: try again, or take it as told."""

        async def judged() -> Sequence[Told]:
            row = await rows.get(report_id)
            if row is None:
                raise Problem("not-found", "There is no such report.")
            command = SettleReport(report_id, body.decision, body.by, ports.clock())
            return [(order_stream(row.account, row.external_id), command)]

        return written(await carry_out(ports.commands, write, judged))


def _next(row: ReportRow) -> str:
    unconnected = (row.state, row.code) == ("refused", "channel-not-connected")
    return _CONNECT if unconnected else _NEXT[row.state]


def _view(row: ReportRow, now: int) -> ReportView:
    behind = row.state != "confirmed" and now > row.due_by
    return ReportView(
        report_id=row.report_id, account=row.account, external_id=row.external_id,
        order_id=row.order_id, kind=row.kind, subject=row.subject, state=row.state,
        requested_at=row.requested_at, due_by=row.due_by, ended_at=row.ended_at,
        attempts=row.attempts, answer=row.answer, code=row.code, late=row.late or behind,
        next_action=_next(row),
    )  # fmt: skip
