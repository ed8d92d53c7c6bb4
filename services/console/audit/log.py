"""P1, as far as topics show it: every event once, in its stream's order, without a hole."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from services.console.audit.record import Finding, Record

REPEATS = 10_000  # records that a relay may send again, looked back for


class LogCheck:
    """Numbers of partitions and versions of streams have no hole, and one event each.

    What a relay sends again is passed over, and what lies behind a hole waits until it is filled:
    so do all who read a topic, and so every other check is given its records.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[str, int], int] = {}
        self._ids: dict[tuple[str, int], dict[int, str]] = {}
        self._early: dict[tuple[str, int], dict[int, Record]] = {}  # behind a hole
        self._versions: dict[tuple[str, str], int] = {}
        self._received: set[tuple[str, ...]] = set()
        self._found: list[Finding] = []
        self._events = self._repeats = 0

    def see(self, record: Record) -> None:
        """Compare a record with what stands before it."""
        self.taken(record)

    def taken(self, record: Record) -> Sequence[Record]:
        """Compare a record with what stands before it; return those whose turn has come."""
        lane = (record.service, record.partition)
        last, ids = self._last.get(lane, 0), self._ids.setdefault(lane, {})
        early = self._early.setdefault(lane, {})
        if record.pseq <= last or record.pseq in early:
            self._repeats += 1
            if ids.get(record.pseq, record.id) != record.id:
                self._say("two-histories", record, f"number {record.pseq} names two events")
            return ()
        ids[record.pseq] = record.id
        ids.pop(record.pseq - REPEATS, None)
        early[record.pseq] = record
        found = []
        while (following := early.pop(last + 1, None)) is not None:
            self._last[lane] = last = following.pseq
            self._in_stream(following)
            found.append(following)
        return found

    def _in_stream(self, record: Record) -> None:
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
        order = record.data["order"]
        names: set[tuple[str, ...]] = {
            (record.type, record.stream),
            (record.type, order["account"], order["external_id"]),
        }
        if names & self._received:
            text = f"{order['external_id']} of {order['account']} has two {record.type}"
            self._say("received-twice", record, text)
        self._received |= names

    def _say(self, code: str, record: Record, text: str) -> None:
        subject = f"{record.service}/{record.partition}"
        self._found.append(Finding("P1", code, subject, text, (record.place,)))

    def sent(self, service: str) -> Mapping[int, int]:
        """Return the last number without a hole before it, by partition of a service's topic."""
        return {lane[1]: last for lane, last in self._last.items() if lane[0] == service}

    def findings(self) -> Iterable[Finding]:
        """Return holes, repeats with other content, and streams out of order."""
        yield from self._found
        for (service, partition), early in self._early.items():
            if early:
                last, first = self._last.get((service, partition), 0), early[min(early)]
                text = f"{last} is followed by {first.pseq}; nothing behind it is looked at"
                subject = f"{service}/{partition}"
                yield Finding("P1", "hole-in-the-log", subject, text, (first.place,))

    def figures(self) -> Mapping[str, Any]:
        """Return how many events were read, and how many were sent again."""
        return {"events": self._events, "sent_again": self._repeats}
