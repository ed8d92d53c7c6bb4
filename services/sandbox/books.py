"""The shops' own books on disk: what was sent, under which key, and what was acknowledged.

Append-only JSON lines, each written before the act that it names goes on; it sends nothing.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import DecodeError, Struct, json


class Books:
    """A line outlives a killed process when `write` returns, and the machine after `sync`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "books.jsonl"
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._cut_torn_line()

    def _cut_torn_line(self) -> None:
        content = self._path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole != len(content):
            os.ftruncate(self._file, whole)

    def write(self, *record: Any) -> None:
        os.write(self._file, json.encode(record) + b"\n")

    def sync(self) -> None:
        os.fsync(self._file)

    async def keep(self) -> None:
        """Bring what was written to the disk each second, until cancelled."""
        while True:
            await asyncio.sleep(1)
            await asyncio.to_thread(self.sync)

    def close(self) -> None:
        os.fsync(self._file)
        os.close(self._file)

    def records(self) -> Iterator[list[Any]]:
        """All records so far. Raises ValueError naming a line that cannot be read."""
        with self._path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    yield json.decode(line)
                except DecodeError as error:
                    raise ValueError(f"{self._path}, line {number}: {error}") from error


class Entry(Struct):
    """A delivery as booked. A delivery has several keys only where its content makes the key."""

    sent: int = 0
    failed: int = 0
    keys: list[str] = []
    acked_keys: list[str] = []


class Ledger:
    """The books' sums, kept as records are written and folded again from disk at a start.

    `keys` are all that were sent, `acked_keys` those acknowledged: WooCommerce tells two changes
    under one key where its body is built after both.
    """

    def __init__(self) -> None:
        self.run: str | None = None
        self.running = False
        self.rate: float | None = None
        self.entries: dict[int, Entry] = {}
        self.tried: set[tuple[int, int]] = set()
        self.acked: set[tuple[int, int]] = set()
        self.statuses: Counter[int] = Counter()
        self.keys: set[str] = set()
        self.acked_keys: set[str] = set()

    def apply(self, record: list[Any] | tuple[Any, ...]) -> None:
        match record:
            case ["try", int(delivery), int(copy), str(key), _]:
                self._tried(delivery, copy, key)
            case ["ok", int(delivery), int(copy), str(key), int(status)]:
                self._acked(delivery, copy, key, status)
            case ["no", int(delivery), _, int(status)]:
                self.entries[delivery].failed += 1
                self.statuses[status] += 1
            case ["run", str(digest)]:
                self.run = digest
            case ["start", rate]:
                self.running, self.rate = True, rate
            case ["stop"]:
                self.running = False
            case _:
                raise ValueError(f"the books hold a record of an unknown kind: {record[:1]}")

    def _tried(self, delivery: int, copy: int, key: str) -> None:
        entry = self.entries.setdefault(delivery, Entry())
        entry.sent += 1
        self.tried.add((delivery, copy))
        self.keys.add(key)
        if key not in entry.keys:
            entry.keys.append(key)

    def _acked(self, delivery: int, copy: int, key: str, status: int) -> None:
        entry = self.entries[delivery]
        self.acked.add((delivery, copy))
        self.acked_keys.add(key)
        self.statuses[status] += 1
        if key not in entry.acked_keys:
            entry.acked_keys.append(key)
