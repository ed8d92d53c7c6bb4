"""P1, as far as topics show it: every event once, in its stream's order, without a hole."""

from collections.abc import Iterable, Mapping
from typing import Any

from services.console.audit.record import Finding, Record

REPEATS = 10_000  # records that a relay may send again, looked back for


class LogCheck:
    """Numbers of partitions and versions of streams have no hole, and one event each."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, int], int] = {}
        self._ids: dict[tuple[str, int], dict[int, str]] = {}
        self._versions: dict[tuple[str, str], int] = {}
        self._received: dict[tuple[str, str], str] = {}
        self._found: list[Finding] = []
        self._events = self._repeats = 0

    def see(self, record: Record) -> None:
        """Compare a record with what stands before it."""
        lane = (record.service, record.partition)
        last, ids = self._last.get(lane, 0), self._ids.setdefault(lane, {})
        if record.pseq <= last:
            self._repeats += 1
            if ids.get(record.pseq, record.id) != record.id:
                self._say("two-histories", record, f"number {record.pseq} names two events")
            return
        if record.pseq != last + 1:
            self._say("hole-in-the-log", record, f"{last} is followed by {record.pseq}")
        self._last[lane] = record.pseq
        ids[record.pseq] = record.id
        ids.pop(record.pseq - REPEATS, None)
        self._events += 1
        stream = (record.service, record.stream)
        version = self._versions.get(stream, 0)
        if record.version != version + 1:
            text = f"version {version} of {record.stream} is followed by {record.version}"
            self._say("version-out-of-order", record, text)
        self._versions[stream] = record.version
        self._once(record)

    def _once(self, record: Record) -> None:
        if record.type not in {"ChannelOrderReceived", "OrderPlaced"}:
            return
        name = (record.type, record.stream)
        if name in self._received:
            self._say("received-twice", record, f"{record.stream} has two {record.type}")
        self._received[name] = record.id

    def _say(self, code: str, record: Record, text: str) -> None:
        subject = f"{record.service}/{record.partition}"
        self._found.append(Finding("P1", code, subject, text, (record.place,)))

    def findings(self) -> Iterable[Finding]:
        """Return holes, repeats with other content, and streams out of order."""
        return self._found

    def figures(self) -> Mapping[str, Any]:
        """Return how many events were read, and how many were sent again."""
        return {"events": self._events, "sent_again": self._repeats}
