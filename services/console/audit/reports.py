"""P9: what a channel must hear, it hears once and in time."""

from collections.abc import Iterable, Mapping
from typing import Any

from services.console.audit.record import Finding, Record

About = tuple[str, str, str]  # kind of report, what it is about, order


class ReportsCheck:
    """Dispatches and cancellations beside the reports of them; `now` in microseconds."""

    def __init__(self, now: int, settled: int) -> None:
        self._now, self._settled = now, settled
        self._due: dict[About, tuple[Record, set[str]]] = {}  # with the lines that it is about
        self._asked: dict[str, Record] = {}
        self._confirmed: dict[str, list[Record]] = {}
        self._refused: dict[str, Record] = {}
        self._lines: dict[str, dict[str, str]] = {}  # order -> line -> kind, by the newest version

    def see(self, record: Record) -> None:
        """Note what is due, asked for and answered."""
        data = record.data
        match record.type:
            case "OrderPlaced" | "OrderAmended":
                lines = data["order"]["lines"]
                self._lines[data["order_id"]] = {one["line_id"]: one["kind"] for one in lines}
            case "ShipmentDispatched":
                for name in (order["order_id"] for order in data["references"]):
                    rows = {row["line_id"] for row in data["rows"] if row["order_id"] == name}
                    self._due["dispatch", data["shipment_id"], name] = record, rows
            case "OrderLinesCancelled" if data["reference"] and data["cause"] != "channel":
                rows = {row["line_id"] for row in data["lines"]}
                self._due["cancellation", record.id, data["order_id"]] = record, rows
            case "ChannelReportRequested":
                self._asked[data["report_id"]] = record
                self._refused.pop(data["report_id"], None)
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
        """Return what a channel never heard of, heard untruly, twice, or too late."""
        asked = {_about(record) for record in self._asked.values()}
        for name, (record, rows) in self._due.items():
            told = name in asked or record.at > self._settled
            if not told and self._concerns(name, record, rows):
                text = f"{name[0]} {name[1]} of {name[2]} was never reported to its channel"
                yield Finding("P9", "not-reported", name[2], text, (record.place,))
        heard: dict[About, list[Record]] = {}
        for answers in self._confirmed.values():
            for answer in answers:
                heard.setdefault(_about(answer), []).append(answer)
        for name, answers in heard.items():
            if len(answers) > 1:
                places = tuple(answer.place for answer in answers)
                text = f"{name[0]} {name[1]} was confirmed {len(answers)} times"
                yield Finding("P9", "confirmed-twice", name[2], text, places)
        for report, record in self._asked.items():
            answers = self._confirmed.get(report, [])
            subject, due = record.data["order_id"], record.data["due_by"]
            if _about(record) not in self._due:
                text = f"{record.data['kind']} {record.data['subject']} was told and never happened"
                yield Finding("P9", "reported-untruly", subject, text, (record.place,))
            ended = answers[0].data["occurred_at"] if answers else self._now
            if ended > due:
                text = f"{record.data['kind']} of {subject} missed its deadline"
                yield Finding("P9", "reported-late", subject, text, (record.place,))

    def _concerns(self, name: About, record: Record, rows: set[str]) -> bool:
        """Say whether it is about anything that the channel still has in its order.

        Gift cards are handed over by the channel that sold them.
        """
        kind, _, order = name
        if kind == "cancellation" and record.data["whole"]:
            return True
        lines = self._lines.get(order)
        if lines is None:
            return True
        known = {line for line, what in lines.items() if kind != "dispatch" or what != "gift_card"}
        return bool(rows & known)

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


def _about(report: Record) -> About:
    return report.data["kind"], report.data["subject"], report.data["order_id"]
