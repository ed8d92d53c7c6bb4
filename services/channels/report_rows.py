"""What channels shows of its reports to shops: each with its deadline. Folded, pure."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from libs.contracts import channels
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.projection import Key, Projection
from services.channels.reports import ReportEvent


class ReportRow(msgspec.Struct, frozen=True):
    """What a channel is told; `state` is open, in-doubt, confirmed or refused. Times are µs.

    `late` says that it was confirmed after `due_by`.
    """

    report_id: str
    account: str
    provider: str
    external_id: str
    order_id: str
    kind: str
    subject: str
    state: str
    requested_at: int
    due_by: int
    ended_at: int | None = None
    attempts: int = 0
    answer: str = ""
    code: str = ""
    late: bool = False


def _report_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    event = envelope.event
    return ((event.report_id,),) if isinstance(event, ReportEvent) else ()


def _report(row: ReportRow | None, key: Key, envelope: Envelope[Any]) -> ReportRow | None:
    match envelope.event:
        case channels.ChannelReportRequested() as event:
            if row is not None:
                return replace(row, state="open", ended_at=None, code="", answer="")
            return ReportRow(
                str(key[0]), event.account, event.provider, event.external_id, event.order_id,
                event.kind, event.subject, "open", event.occurred_at, event.due_by,
            )  # fmt: skip
        case _ if row is None:
            return None
        case channels.ChannelReportConfirmed() as event:
            return replace(
                row, state="confirmed", ended_at=event.occurred_at, attempts=event.attempts,
                answer=event.answer, code="", late=event.occurred_at > row.due_by,
            )  # fmt: skip
        case channels.ChannelReportRefused() as event:
            return replace(
                row, state="refused", ended_at=event.occurred_at, code=event.code,
                answer=event.answer,
            )  # fmt: skip
        case channels.ChannelReportInDoubt():
            return replace(row, state="in-doubt")
        case _:
            return row


REPORTS: Projection[ReportRow] = Projection(
    name="channel_reports",
    version=1,
    row=ReportRow,
    key=("report_id",),
    topics=("channels",),
    keys=_report_keys,
    evolve=_report,
    indexes=(("state", "report_id"), ("order_id", "report_id"), ("account", "state", "report_id")),
)
