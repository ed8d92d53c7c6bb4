"""P9: what a channel must hear, it hears once and in time."""

from collections.abc import Iterable, Mapping
from typing import Any

from services.console.audit.record import Finding, Record


class ReportsCheck:
    """Dispatches beside the reports of them; `now` in microseconds."""

    def __init__(self, now: int) -> None:
        self._now = now
        self._due: dict[tuple[str, str], Record] = {}  # shipment, order
        self._asked: dict[str, Record] = {}
        self._subjects: dict[tuple[str, str], str] = {}
        self._confirmed: dict[str, list[Record]] = {}
        self._refused: dict[str, Record] = {}
        self._gifts: set[tuple[str, str]] = set()  # order, line: gift cards hand themselves over

    def see(self, record: Record) -> None:
        """Note what is due, asked for and answered."""
        data = record.data
        match record.type:
            case "OrderPlaced" | "OrderAmended":
                for line in data["order"]["lines"]:
                    if line["kind"] == "gift_card":
                        self._gifts.add((data["order_id"], line["line_id"]))
            case "ShipmentDispatched":
                for order in data["references"]:
                    self._due[data["shipment_id"], order["order_id"]] = record
            case "ChannelReportRequested":
                self._asked[data["report_id"]] = record
                self._refused.pop(data["report_id"], None)
                if data["kind"] == "dispatch":
                    self._subjects[data["subject"], data["order_id"]] = data["report_id"]
            case "ChannelReportConfirmed":
                self._confirmed.setdefault(data["report_id"], []).append(record)
            case "ChannelReportRefused":
                self._refused[data["report_id"]] = record
            case _:
                return

    def codes(self, account: str) -> set[str]:
        """Return what an account was asked to hear of, by tracking code or the report's name."""
        return {
            record.data["tracking_code"] or name
            for name, record in self._asked.items()
            if record.data["kind"] == "dispatch" and record.data["account"] == account
        }

    def confirmed_codes(self, account: str) -> set[str]:
        """Return the tracking codes of dispatches that an account has confirmed."""
        return {
            record.data["tracking_code"]
            for name, record in self._asked.items()
            if name in self._confirmed and record.data["tracking_code"]
            and record.data["kind"] == "dispatch" and record.data["account"] == account
        }  # fmt: skip

    def findings(self) -> Iterable[Finding]:
        """Return dispatches that a channel never heard of, heard of twice, or heard of too late."""
        for name, record in self._due.items():
            rows = (row for row in record.data["rows"] if row["order_id"] == name[1])
            gifts = all((row["order_id"], row["line_id"]) in self._gifts for row in rows)
            if name not in self._subjects and not gifts:
                text = f"{name[0]} of {name[1]} was never reported to its channel"
                yield Finding("P9", "not-reported", name[1], text, (record.place,))
        for report, record in self._asked.items():
            answers = self._confirmed.get(report, [])
            subject, due = record.data["order_id"], record.data["due_by"]
            if len(answers) > 1:
                places = tuple(answer.place for answer in answers)
                yield Finding("P9", "confirmed-twice", subject, f"{report}", places)
            ended = answers[0].data["occurred_at"] if answers else self._now
            if ended > due:
                text = f"{record.data['kind']} of {subject} missed its deadline"
                yield Finding("P9", "reported-late", subject, text, (record.place,))

    def figures(self) -> Mapping[str, Any]:
        """Return reports that were due, confirmed, late, refused and still open."""
        late = sum(
            answers[0].data["occurred_at"] > self._asked[name].data["due_by"]
            for name, answers in self._confirmed.items()
            if name in self._asked
        )
        return {
            "due": len(self._asked), "confirmed": len(self._confirmed), "late": late,
            "refused": len(self._refused.keys() - self._confirmed.keys()),
            "open": len(self._asked.keys() - self._confirmed.keys() - self._refused.keys()),
        }  # fmt: skip
