"""What a channel must hear of us: asked for once, answered once, before its deadline. Pure.

A report belongs to the stream of the channel's order, so that the channel's own words and ours to
it are in one order.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, assert_never

import msgspec
from immutables import Map
from msgspec.structs import replace

from libs.contracts import channels, common
from libs.eventsourcing.decider import Refused
from libs.values.ids import derive
from services.channels.report_commands import (
    RecordReport,
    ReportCommand,
    RequestReport,
    SettleReport,
)
from services.channels.report_lines import Line, concerns

HOUR = 3_600_000_000  # microseconds
REPORT_WITHIN = 24 * HOUR  # where the channel told no deadline of its own
REFUSED = "refused-by-channel"  # the channel's own word; it may keep it under the request's key
REMEMBERED = 64  # settled reports of one order; a repeat that old comes no more

State = Literal["open", "in-doubt", "confirmed", "refused"]

ReportEvent = (
    channels.ChannelReportRequested
    | channels.ChannelReportConfirmed
    | channels.ChannelReportRefused
    | channels.ChannelReportInDoubt
)


class Report(msgspec.Struct, frozen=True, array_like=True):
    """A report and how it stands; `request` is what was last asked for.

    `refusals` counts the channel's own words; a doubt is none, and neither is what it never heard.
    """

    state: State
    request: channels.ChannelReportRequested
    since: int = 0
    refusals: int = 0


class Reporting(msgspec.Struct, frozen=True):
    """Lines by our id, units told as dispatched, reports by id, settled ones in their order.

    A line stays known once it was in the order. `parcels` are those that were told of, by the
    name that the channel knows each by, with their lines.
    """

    lines: Map[str, Line] = Map()
    told: Map[str, int] = Map()
    reports: Map[str, Report] = Map()
    settled: tuple[str, ...] = ()
    parcels: tuple[tuple[str, tuple[str, ...]], ...] = ()


def report_id(order_id: str, kind: str, subject: str) -> str:
    """Return the id of a report: the same subject is told once."""
    return derive("channel report", order_id, kind, subject)


def mark(report: channels.ChannelReportRequested) -> str:
    """Return what a channel knows a parcel by: its tracking code, or our name for it."""
    return report.tracking_code or report.report_id


def decide(command: ReportCommand, state: Reporting) -> Sequence[ReportEvent]:
    """Return what happens to a report; nothing for a repeat."""
    match command:
        case RequestReport():
            return _request(command, state)
        case RecordReport():
            return _record(command, state)
        case SettleReport():
            return _settle(command, state)
        case _:
            assert_never(command)


def _request(command: RequestReport, state: Reporting) -> Sequence[ReportEvent]:
    order = command.reference
    name = report_id(order.order_id, command.kind, command.subject)
    if name in state.reports or name in state.settled:
        return []
    rows, sent = _concerning(command, state), bool(state.told)
    if not rows and (sent or not command.whole):
        return []
    resend_of = ""
    if command.kind == "dispatch":
        first = _first_time(rows, state)
        resend_of, rows = ("", first) if first else (_earlier(rows, state), rows)
    lines = tuple(
        common.ExternalLineQuantity(
            external_line_id=state.lines[row.line_id].external_id, quantity=row.quantity
        )
        for row in rows
    )
    dispatch = command.kind == "dispatch"
    last = (dispatch or sent) and _complete(command.rows, state)
    # Of an order with a parcel on its way only the rest is cancelled.
    whole = last if dispatch else command.whole and not sent
    return [
        channels.ChannelReportRequested(
            entity=command.entity, occurred_at=command.at, account=order.account,
            provider=order.provider, external_id=order.external_id, order_id=order.order_id,
            report_id=name, kind=command.kind, subject=command.subject, lines=lines, whole=whole,
            carrier=command.carrier, tracking_code=command.tracking_code,
            tracking_url=command.tracking_url, reason=command.reason,
            due_by=command.at + REPORT_WITHIN, rest=last and not dispatch, resend_of=resend_of,
            after=_under_way(state) if last else (),
        )
    ]  # fmt: skip


def _concerning(command: RequestReport, state: Reporting) -> tuple[common.LineQuantity, ...]:
    """Return the units that the channel must hear of: cancelled, none that it knows as sent."""
    rows = tuple(
        row
        for row in command.rows
        if row.line_id in state.lines and concerns(command.kind, state.lines[row.line_id])
    )
    return _unsent(rows, state) if command.kind == "cancellation" else rows


def _unsent(
    rows: Iterable[common.LineQuantity], state: Reporting
) -> tuple[common.LineQuantity, ...]:
    """Return the units to be cancelled without those that the channel knows as sent."""
    found = []
    for row in rows:
        line, gone = state.lines[row.line_id], state.told.get(row.line_id, 0)
        left = line.units - line.cancelled - gone if gone else row.quantity
        if (units := min(row.quantity, left)) > 0:
            found.append(replace(row, quantity=units))
    return tuple(found)


def _first_time(
    rows: Iterable[common.LineQuantity], state: Reporting
) -> tuple[common.LineQuantity, ...]:
    """Return the units of a parcel without those that its channel was told of in another.

    What leaves beyond what the channel's order has was sent before: that parcel was lost, say. Of
    a line in no parcel yet all units count, whatever an edit has left of it.
    """
    told, found = dict(state.told), []
    for row in rows:
        line, gone = state.lines[row.line_id], told.get(row.line_id, 0)
        beyond = gone + row.quantity - (line.units - line.cancelled)
        fresh = row.quantity - min(max(beyond, 0), gone, row.quantity)
        told[row.line_id] = gone + fresh
        if fresh:
            found.append(replace(row, quantity=fresh))
    return tuple(found)


def _earlier(rows: Iterable[common.LineQuantity], state: Reporting) -> str:
    """Return the parcel that these units were told in first, one with all their lines if any."""
    lines = {row.line_id for row in rows}
    sharing = [(name, lines - set(held)) for name, held in state.parcels if lines & set(held)]
    return min(sharing, key=lambda one: len(one[1]), default=("", lines))[0]


def _under_way(state: Reporting) -> tuple[str, ...]:
    """Return the reports that the channel may not know yet, but for an order's whole end."""
    return tuple(
        name
        for name, known in sorted(state.reports.items())
        if known.state != "refused"
        and not (known.request.kind == "cancellation" and known.request.whole)
    )


def _complete(rows: Iterable[common.LineQuantity], state: Reporting) -> bool:
    """Say whether with these rows nothing is left to send: each unit left or is cancelled."""
    gone = {name: state.told.get(name, 0) + line.cancelled for name, line in state.lines.items()}
    for row in rows:
        gone[row.line_id] = gone.get(row.line_id, 0) + row.quantity
    return all(gone[name] >= line.units for name, line in state.lines.items())


def _record(command: RecordReport, state: Reporting) -> Sequence[ReportEvent]:
    known = state.reports.get(command.report_id)
    if known is None or known.state in {"confirmed", "refused"}:
        return []
    names = _names(known.request, command.at)
    match command.outcome:
        case "confirmed":
            return [
                channels.ChannelReportConfirmed(
                    **names, answer=command.answer, attempts=command.attempts
                )
            ]
        case "refused":
            return [
                channels.ChannelReportRefused(**names, code=command.code, answer=command.answer)
            ]
        case "in-doubt":
            if known.state == "in-doubt":
                return []
            return [channels.ChannelReportInDoubt(**names, since=command.at)]
        case _:
            assert_never(command.outcome)


def _settle(command: SettleReport, state: Reporting) -> Sequence[ReportEvent]:
    known = state.reports.get(command.report_id)
    if known is None:
        if command.report_id in state.settled:
            return []
        raise Refused("report-not-found", "There is no such report.")
    if command.decision == "confirmed":
        names = _names(known.request, command.at)
        return [channels.ChannelReportConfirmed(**names, answer=f"by {command.by}", attempts=0)]
    if known.state != "refused":
        raise Refused("report-not-refused", "It is under way; only a refused report is retried.")
    return [replace(known.request, occurred_at=command.at, refusals=known.refusals)]


def _names(request: channels.ChannelReportRequested, at: int) -> dict[str, Any]:
    return {
        "entity": request.entity, "occurred_at": at, "account": request.account,
        "provider": request.provider, "external_id": request.external_id,
        "order_id": request.order_id, "report_id": request.report_id, "kind": request.kind,
        "subject": request.subject, "due_by": request.due_by,
    }  # fmt: skip


def evolve(state: Reporting, event: ReportEvent) -> Reporting:
    """Fold one event."""
    match event:
        case channels.ChannelReportRequested():
            known = Report("open", event, refusals=event.refusals)
            counted = state if event.report_id in state.reports else _counted(state, event)
            return replace(counted, reports=state.reports.set(event.report_id, known))
        case channels.ChannelReportConfirmed():
            settled = (*state.settled, event.report_id)[-REMEMBERED:]
            return replace(state, reports=_without(state.reports, event.report_id), settled=settled)
        case channels.ChannelReportRefused():
            sure = event.code == REFUSED
            return _moved(state, event.report_id, "refused", event.occurred_at, int(sure))
        case channels.ChannelReportInDoubt():
            return _moved(state, event.report_id, "in-doubt", event.since)
        case _:
            assert_never(event)


def _counted(state: Reporting, event: channels.ChannelReportRequested) -> Reporting:
    """Count a report's units as told or cancelled; an order cancelled whole may live again."""
    if event.resend_of:
        return state
    ours: Mapping[str, str] = {line.external_id: name for name, line in state.lines.items()}
    told, lines, parcels = state.told, state.lines, state.parcels
    inside: list[str] = []
    for one in event.lines:
        name = ours.get(one.external_line_id)
        if name is None:
            continue
        if event.kind == "dispatch":
            told = told.set(name, told.get(name, 0) + one.quantity)
            inside.append(name)
        elif not event.whole:
            line = lines[name]
            lines = lines.set(name, replace(line, cancelled=line.cancelled + one.quantity))
    if inside:
        parcels = (*parcels, (mark(event), tuple(inside)))[-REMEMBERED:]
    return replace(state, told=told, lines=lines, parcels=parcels)


def _without(reports: Map[str, Report], name: str) -> Map[str, Report]:
    return reports.delete(name) if name in reports else reports


def _moved(state: Reporting, name: str, to: State, since: int, refusals: int = 0) -> Reporting:
    known = state.reports[name]
    moved = replace(known, state=to, since=since, refusals=known.refusals + refusals)
    return replace(state, reports=state.reports.set(name, moved))
