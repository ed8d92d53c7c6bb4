"""The shops' own desks: what the seller reports about orders, kept in the shops' books. No I/O.

A report is booked before it counts. The desk judges nothing that a shop would not judge.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct, convert, to_builtins

from services.sandbox.chance import Fault, Faults, fault_of
from services.sandbox.retail.content import State
from services.sandbox.shops.reported import Kind, Report, remaining, told

Json = dict[str, Any]
RECORDS = frozenset({"report", "repeat", "admin-fault", "settled", "echo"})


class Orders(Protocol):
    """A shop's orders as the run has brought them about so far."""

    def held(self, account: str, number: str) -> State | None: ...

    def position(self, account: str) -> int: ...


class Kept(Struct, frozen=True):
    """An answer under an idempotency key."""

    request: str
    status: int
    body: Json


class Desk:
    """Reports by account and order, faults, kept answers and counts."""

    def __init__(
        self, orders: Orders, book: Callable[..., None], faults: Faults, seed: int
    ) -> None:
        self._orders, self._book = orders, book
        self._faults, self._seed = faults, seed
        self._reports: dict[tuple[str, str], list[Report]] = defaultdict(list)
        self.all: list[Report] = []
        self.faulted: dict[str, Fault] = {}
        self.kept: dict[tuple[str, str], Kept] = {}
        self.repeats: Counter[str] = Counter()
        self.calls: dict[str, Counter[str]] = defaultdict(Counter)
        self.acked: dict[str, set[int]] = defaultdict(set)

    def apply(self, record: Sequence[Any]) -> None:
        """Take over a booked record of the kinds in RECORDS."""
        match list(record):
            case ["report", given]:
                self._take(convert(given, Report, str_keys=True))
            case ["repeat", account]:
                self.repeats[account] += 1
            case ["admin-fault", subject, fault]:
                self.faulted[subject] = fault
            case ["settled", given, account, key, kept]:
                if given is not None:
                    self._take(convert(given, Report, str_keys=True))
                self.kept[account, key] = convert(kept, Kept)
            case ["echo", key, copy]:
                self.acked[key].add(copy)
            case _:
                raise ValueError(f"no record of the desk: {record[:1]}")

    def _take(self, report: Report) -> None:
        self._reports[report.account, report.number].append(report)
        self.all.append(report)

    def reports(self, account: str, number: str, before: int | None = None) -> list[Report]:
        """An order's reports, or those made before the run came to a position."""
        found = self._reports.get((account, number), [])
        return [one for one in found if before is None or one.position < before]

    def order(self, account: str, number: str) -> State | None:
        """An order as the shop holds it, cancellations included; None where there is none."""
        state = self._orders.held(account, number)
        if state is None or state.status == "draft":
            return None
        return told(state, self.reports(account, number))

    def left(self, account: str, number: str) -> dict[int, int]:
        state = self.order(account, number)
        assert state is not None
        return remaining(state, self.reports(account, number))

    def draft(
        self, account: str, number: str, kind: Kind, at: int, lines: Mapping[int, int], **more: Any
    ) -> Report:
        """A report that is not booked yet; the caller has checked it."""
        return Report(
            account=account,
            number=number,
            kind=kind,
            id=len(self.reports(account, number)) + 1,
            position=self._orders.position(account),
            at=at,
            lines={line: units for line, units in lines.items() if units},
            **more,
        )

    def add(
        self, account: str, number: str, kind: Kind, at: int, lines: Mapping[int, int], **more: Any
    ) -> Report:
        """Book a report; the caller has checked it."""
        report = self.draft(account, number, kind, at, lines, **more)
        self._book("report", to_builtins(report, str_keys=True))
        return report

    def repeat(self, account: str) -> None:
        """Book that the shop was told again what it knew."""
        self._book("repeat", account)

    def settle(self, account: str, key: str, kept: Kept, report: Report | None) -> None:
        """Book an answer under its key and the report behind it in one line: both or neither."""
        given = None if report is None else to_builtins(report, str_keys=True)
        self._book("settled", given, account, key, to_builtins(kept))

    def meets(self, subject: str) -> Fault | None:
        """The seeded fault of a subject, once: booked before it strikes."""
        if subject in self.faulted:
            return None
        fault = fault_of(self._faults, self._seed, subject)
        if fault is not None:
            self._book("admin-fault", subject, fault)
        return fault

    def told(self, account: str) -> Json:
        """What a shop was told, for a checker: each dispatch and cancellation, and what came twice.

        Two dispatches of an order with the same tracking code, or both without one and with the
        same lines, are one that was told twice.
        """
        mine = [one for one in self.all if one.account == account]
        dispatches = [one for one in mine if one.kind == "dispatch"]
        seen = Counter(_identity(one) for one in dispatches)
        return {
            "account": account,
            "dispatches": [to_builtins(one, str_keys=True) for one in dispatches],
            "cancellations": [
                to_builtins(one, str_keys=True) for one in mine if one.kind == "cancellation"
            ],
            "told_twice": [list(one) for one, times in seen.items() if times > 1],
            "repeats": self.repeats[account],
            "calls": dict(sorted(self.calls[account].items())),
            "faults": dict(
                Counter(
                    fault
                    for subject, fault in self.faulted.items()
                    if subject.startswith(f"{account}:")
                )
            ),
        }


def _identity(report: Report) -> tuple[str, str]:
    return report.number, report.tracking or str(sorted(report.lines.items()))
