"""What an outbound adapter is given and what its answer is to the order's stream. Pure."""

from libs.contracts.channels import ChannelReportRequested
from libs.effects.kinds import Confirmed, Rejected, Result, Unknown
from libs.eventsourcing.states import unpack
from libs.store.store import Call
from services.channels.report_commands import RecordReport

# With pauses that grow to an hour: 16 to 20 hours, and then a person, before the report is due.
ATTEMPTS = 36
NO_ANSWER = "outcome-unknown"  # a person finds out; trying again asks the channel first


def report_of(call: Call) -> ChannelReportRequested:
    """Return what the channel is to be told."""
    report: ChannelReportRequested = unpack(ChannelReportRequested, call.request)
    return report


def key_of(report: ChannelReportRequested) -> str:
    """Return the key of the request: another one as soon as the channel has refused it.

    A channel that keeps answers by key would repeat its refusal; where there was no answer, the
    same key makes sure that it is done once.
    """
    return f"{report.report_id}-{report.refusals}" if report.refusals else report.report_id


def tell(call: Call, result: Result, now: int) -> RecordReport | None:
    """Return the result as a command to the order's stream; the last doubt is a person's matter."""
    name = report_of(call).report_id
    match result:
        case Confirmed(answer=answer):
            return RecordReport(name, "confirmed", str(answer or ""), "", call.attempt, now)
        case Rejected(code=code, answer=answer):
            return RecordReport(name, "refused", str(answer or ""), code, call.attempt, now)
        case Unknown(code=code) if call.attempt >= ATTEMPTS or code == "attempts-used-up":
            return RecordReport(name, "refused", code, NO_ANSWER, call.attempt, now)
        case Unknown():
            return RecordReport(name, "in-doubt", "", "", call.attempt, now)
        case _:
            return None
