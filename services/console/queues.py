"""What waits in all services, in one shape, as their own routes show it. Changes nothing."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

import msgspec

Row = Mapping[str, Any]
PAGE = "200"
MOST = 500  # that a route without pages shows


class Reader(Protocol):
    """Whoever can ask the services."""

    async def get(self, path: str, **query: str) -> Any:
        """Return the answer's JSON. Raises Refusal."""
        ...


class Waiting(msgspec.Struct, frozen=True):
    """One thing that does not go on by itself; money in minor units, times in microseconds.

    `state` is what kind of thing waits, or how it stands; a `deadline` of None is none any more.
    `decisions` is where a person says what is to be done, where that is one place.
    """

    service: str
    state: str
    reason: str
    subject: str
    owner: str
    next_action: str
    since: int
    deadline: int | None
    at_risk_minor: int
    currency: str
    overdue: bool
    decisions: str = ""


class Cut(msgspec.Struct, frozen=True):
    """A service has more that waits than its route shows."""

    service: str


async def everything(
    http: Reader, now: int, without: Collection[str] = ()
) -> tuple[list[Waiting], list[str], list[str]]:
    """Return all that waits, overdue first, then the most money; who did not answer; who has more.

    A service that does not run there has no such route: it is named, not taken for an empty queue.
    """
    from services.console.http import Refusal  # noqa: PLC0415 - --help stays quick

    told: list[Waiting | Cut] = []
    silent: list[str] = []
    for service, read in _READERS.items():
        if service in without:
            continue
        try:
            told += [one async for one in read(http, now)]
        except Refusal as refusal:
            if refusal.status != 404:
                raise
            silent.append(service)
    found = [one for one in told if isinstance(one, Waiting)]
    found.sort(key=lambda one: (not one.overdue, -one.at_risk_minor, one.since, one.subject))
    return found, silent, sorted({one.service for one in told if isinstance(one, Cut)})


async def beside(http: Reader, now: int, subjects: Collection[str]) -> list[Waiting]:
    """Return what waits in other services than orders for an order or its parcels."""
    found, _, _ = await everything(http, now, without=("orders", "crm_sync"))
    return [one for one in found if one.subject in subjects]


async def _pages(http: Reader, path: str, rows: str, **query: str) -> AsyncIterator[Row]:
    cursor: str | None = ""
    while cursor is not None:
        page = await http.get(path, limit=PAGE, **query, **({"cursor": cursor} if cursor else {}))
        for row in page[rows]:
            yield row
        cursor = page["cursor"]


async def _orders(http: Reader, now: int) -> AsyncIterator[Waiting]:
    for state in ("waiting", "held", "part_confirmed"):
        async for row in _pages(http, "/orders", "orders", state=state):
            yield Waiting(
                service="orders", state=row["state"], reason=row["reason"],
                subject=row["order_id"], owner=row["owner"], next_action=row["next_action"],
                since=row["since"], deadline=row["decide_by"],
                at_risk_minor=row["value_at_risk_minor"], currency=row["currency"],
                overdue=_late(row["decide_by"], now, by_then=row["state"] == "waiting"),
            )  # fmt: skip
            for reason, queue in row["queues"].items():
                if reason != row["reason"]:
                    yield _beside(row, reason, queue, now)


def _beside(row: Row, reason: str, queue: Row, now: int) -> Waiting:
    """Return another queue that the same order stands in."""
    return Waiting(
        service="orders", state=row["state"], reason=reason, subject=row["order_id"],
        owner=row["owner"], next_action=f"after {row['reason']}: lonja stuck explain ORDER",
        since=queue["since"], deadline=queue["decide_by"], at_risk_minor=queue["at_risk"],
        currency=row["currency"], overdue=_late(queue["decide_by"], now),
    )  # fmt: skip


def _late(decide_by: int | None, now: int, *, by_then: bool = True) -> bool:
    """An order's queue has a deadline until it passes, then none any more."""
    return by_then if decide_by is None else decide_by < now


async def _payments(http: Reader, now: int) -> AsyncIterator[Waiting | Cut]:
    page = await http.get("/payments/queues", limit=str(MOST))
    if page["more"]:
        yield Cut("payments")
    for row in page["items"]:
        yield Waiting(
            service="payments", state=row["what"], reason=row["reason"],
            subject=row["order_id"] or row["subject"], owner=row["owner"],
            next_action=row["next_action"], since=row["since"], deadline=row["deadline"],
            at_risk_minor=row["at_risk_minor"], currency=row["currency"],
            overdue=_past(row["deadline"], now),
            decisions=f"/payments/{row['order_id']}/decisions" if row["order_id"] else "",
        )  # fmt: skip


async def _fulfilment(http: Reader, now: int) -> AsyncIterator[Waiting]:
    async for row in _pages(http, "/fulfilment/queues", "entries"):
        waits, shipment = row["waiting"], row["kind"] == "shipment"
        yield Waiting(
            service="fulfilment", state=row["kind"], reason=waits["reason"], subject=row["id"],
            owner=waits["owner"], next_action=waits["next_action"], since=waits["since"],
            deadline=waits["deadline"], at_risk_minor=waits["value_at_risk_minor"],
            currency=waits["currency"], overdue=_past(waits["deadline"], now),
            decisions=f"/fulfilment/shipments/{row['id']}/decisions" if shipment else "",
        )  # fmt: skip


async def _accounting(http: Reader, now: int) -> AsyncIterator[Waiting]:
    async for row in _pages(http, "/accounting/queues", "rows"):
        yield Waiting(
            service="accounting", state="posting", reason=row["code"],
            subject=row["order_id"] or row["sku"] or row["subject"], owner=row["owner"],
            next_action=row["next_action"], since=row["since"], deadline=row["deadline"],
            at_risk_minor=row["amount"], currency=row["currency"],
            overdue=_past(row["deadline"], now),
        )  # fmt: skip


async def _channels(http: Reader, now: int) -> AsyncIterator[Waiting | Cut]:
    del now  # the route says what is late by the service's own clock
    rows = await http.get("/channels/reports")
    if max(Counter(row["state"] for row in rows).values(), default=0) >= MOST:
        yield Cut("channels")
    for row in rows:
        refused = row["state"] == "refused"
        yield Waiting(
            service="channels", state=f"report {row['state']}",
            reason=f"{row['kind']}: {row['code']}" if row["code"] else row["kind"],
            subject=row["order_id"], owner="operations" if refused else "channels",
            next_action=row["next_action"], since=row["requested_at"], deadline=row["due_by"],
            at_risk_minor=0, currency="", overdue=row["late"],
            decisions=f"/channels/reports/{row['report_id']}/decisions",
        )  # fmt: skip


async def _customers(http: Reader, now: int) -> AsyncIterator[Waiting]:
    for row in await http.get("/customers/erasures"):
        yield Waiting(
            service="crm_sync", state="erasure", reason="requested", subject=row["customer_id"],
            owner=row["owner"], next_action=row["next_action"], since=row["requested_at"],
            deadline=row["answer_by"], at_risk_minor=0, currency="",
            overdue=_past(row["answer_by"], now),
        )  # fmt: skip


def _past(deadline: int | None, now: int) -> bool:
    return deadline is not None and deadline < now


_READERS: Mapping[str, Callable[[Reader, int], AsyncIterator[Waiting | Cut]]] = {
    "orders": _orders, "payments": _payments, "fulfilment": _fulfilment,
    "accounting": _accounting, "channels": _channels, "crm_sync": _customers,
}  # fmt: skip


def grouped(found: Sequence[Waiting]) -> list[list[Waiting]]:
    """Return what waits by service, kind and reason: overdue ones first, then the most money."""
    groups: dict[tuple[str, str, str], list[Waiting]] = {}
    for one in found:
        groups.setdefault((one.service, one.state, one.reason), []).append(one)
    return sorted(
        groups.values(),
        key=lambda group: (
            not any(one.overdue for one in group), -sum(one.at_risk_minor for one in group),
            min(one.since for one in group),
        ),
    )  # fmt: skip
