"""What is asked of a report to a channel, as data."""

from typing import Literal

import msgspec

from libs.contracts import common

Outcome = Literal["confirmed", "refused", "in-doubt"]


class RequestReport(msgspec.Struct, frozen=True, tag=True):
    """A channel is to be told; `rows` are our line ids, `subject` what it is about.

    `ship_by` is the channel's own deadline where it told one; microseconds.
    """

    reference: common.OrderReference
    entity: str
    kind: common.ReportKind
    subject: str
    rows: tuple[common.LineQuantity, ...]
    reason: str
    at: int
    carrier: str | None = None
    tracking_code: str | None = None
    tracking_url: str | None = None
    whole: bool = False


class RecordReport(msgspec.Struct, frozen=True, tag=True):
    """What became of telling it; `answer` is the channel's own id, or its words of refusal."""

    report_id: str
    outcome: Outcome
    answer: str
    code: str
    attempts: int
    at: int


class SettleReport(msgspec.Struct, frozen=True, tag=True):
    """A person decides on a report that was refused or is in doubt."""

    report_id: str
    decision: Literal["retry", "confirmed"]
    by: str
    at: int


ReportCommand = RequestReport | RecordReport | SettleReport
