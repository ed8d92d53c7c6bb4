"""The demo's report: arithmetic on what databases, read models and books say; it reads nothing."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from services.console.demo.outcome import Outcome, additions
from services.sandbox.retail.reconcile import Sums, total
from services.sandbox.retail.rows import Row

IN_TRANSIT = "in-transit"  # parcels of which their carrier has no more to say yet
IN_PART = "-in-part"  # a split order whose rest waits
WAITING = frozenset({"waiting", "part_confirmed"})


class Standing(msgspec.Struct, frozen=True):
    """Orders in one state for one reason; money in minor units."""

    state: str
    reason: str
    orders: int
    at_risk: int


class StockFacts(msgspec.Struct, frozen=True):
    """Units over all SKUs, as the inventory read model and inventory's events say."""

    skus: int
    units_promised_without_stock: int
    units_sold_by_channels_without_stock: int
    units_short_now: int
    units_written_off: int


class Facts(msgspec.Struct, frozen=True):
    """All that a report is made of. `latencies` are µs; `file` is the input's own sum in pounds.

    `placed_minor` is the net value of the file's orders as the shops placed them, in pence;
    `missing` names orders that a shop holds and we do not, `differing` those whose totals differ.
    `outcome` is what the audit found.
    """

    input: Mapping[str, Sums]
    file: Decimal
    file_rows: int
    standings: Sequence[Standing]
    stock: StockFacts
    sent: int
    distinct: int
    effective: int
    parked: int
    events: int
    seconds: float
    latencies: Sequence[int]
    synthetic: Sequence[str]
    missing: Sequence[str] = ()
    differing: Sequence[str] = ()
    placed_minor: int = 0
    outcome: Outcome = Outcome({})


def percentile(values: Iterable[int], share: float) -> float | None:
    """Return the nearest-rank percentile in milliseconds of values in µs, None without any."""
    ordered = sorted(values)
    if not ordered:
        return None
    rank = max(1, -(-len(ordered) * round(share * 1000) // 1000))
    return round(ordered[rank - 1] / 1000, 1)


def report(facts: Facts) -> dict[str, Any]:
    """Return the report in the shape that `--report` writes."""
    return {
        "input": {
            name: {"rows": one.rows, "units": one.units, "net_minor": one.net_minor}
            for name, one in facts.input.items()
        },
        "orders": _orders(facts.standings),
        "stock": msgspec.to_builtins(facts.stock),
        "deliveries": {
            "sent": facts.sent,
            "distinct": facts.distinct,
            "effective": facts.effective,
        },
        "events": facts.events,
        "seconds": round(facts.seconds, 2),
        "latency_ms": {
            "p50": percentile(facts.latencies, 0.5),
            "p99": percentile(facts.latencies, 0.99),
        },
        "synthetic": list(facts.synthetic),
        **additions(facts.outcome),
    }


def _orders(standings: Sequence[Standing]) -> dict[str, Any]:
    waiting: dict[str, int] = {}
    held: dict[str, int] = {}
    for one in standings:
        if one.state in WAITING:
            reason = one.reason + (IN_PART if one.state == "part_confirmed" else "")
            waiting[reason] = waiting.get(reason, 0) + one.orders
        elif one.state == "dispatched":
            waiting[IN_TRANSIT] = waiting.get(IN_TRANSIT, 0) + one.orders
        elif one.state == "held":
            held[one.reason] = held.get(one.reason, 0) + one.orders
    return {
        "received": sum(one.orders for one in standings),
        "confirmed": _count(standings, "confirmed"),
        "completed": _count(standings, "completed"),
        "cancelled": _count(standings, "cancelled"),
        "waiting": waiting,
        "held": held,
        "value_at_risk_minor": sum(one.at_risk for one in standings),
    }


def _count(standings: Sequence[Standing], state: str) -> int:
    return sum(one.orders for one in standings if one.state == state)


def faults(facts: Facts) -> list[str]:
    """Return what is not as it must be, one sentence each; a sound report has none."""
    orders, stock = _orders(facts.standings), facts.stock
    settled = orders["completed"] + orders["cancelled"]
    settled += sum(orders["waiting"].values()) + sum(orders["held"].values())
    summed, groups = total(facts.input.values()), by_group(facts.input)
    booked = Decimal(summed.net_minor) / 100 + summed.residue
    of_orders = groups["order"].net_minor if "order" in groups else 0
    lost, unsettled = stock.units_promised_without_stock, orders["received"] - settled
    found = {
        f"{facts.distinct} deliveries were acknowledged, {facts.effective} took effect once": (
            facts.effective != facts.distinct
        ),
        f"{facts.parked} deliveries or commands are parked": facts.parked,
        f"{lost} units are promised without stock": lost,
        f"{unsettled} orders are neither completed, cancelled nor in a named queue": unsettled,
        f"orders that a shop holds are missing: {_few(facts.missing)}": facts.missing,
        f"totals differ from the shops' books: {_few(facts.differing)}": facts.differing,
        f"the input sums to £{booked} in {summed.rows} rows, the file to £{facts.file} in "
        f"{facts.file_rows}": (summed.rows, booked) != (facts.file_rows, facts.file),
        f"the file's orders are worth {of_orders} pence, those placed {facts.placed_minor}": (
            of_orders != facts.placed_minor
        ),
    }
    own = [text for text, wrong in found.items() if wrong]
    return [*own, *facts.outcome.findings]


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def file_sum(rows: Iterable[Row]) -> Decimal:
    """Return what the file itself sums to, in pounds, exact."""
    return sum((row.amount for row in rows), Decimal(0))


def by_group(sums: Mapping[str, Sums]) -> dict[str, Sums]:
    """Return sums by the words before the colon: order, stock, credit-note, excluded."""
    found: dict[str, Sums] = {}
    for name, one in sums.items():
        group = name.partition(":")[0]
        found[group] = found[group].plus(one) if group in found else one
    return found


def compare(
    books: Mapping[str, Mapping[str, Any]], ours: Mapping[tuple[str, str], int]
) -> tuple[list[str], list[str]]:
    """Return the orders of shops' books that we miss, and those whose total is another one.

    `ours` is total by (account, external id). A draft is no order; where something was cancelled
    each provider counts its total in a way of its own, so those are compared by presence only.
    """
    missing: list[str] = []
    differing: list[str] = []
    for account, book in books.items():
        for order in book["orders"]:
            if order["status"] == "draft":
                continue
            known = ours.get((account, order["external_id"]))
            cancelled = order["status"] == "cancelled" or any(
                line["cancelled"] for line in order["lines"]
            )
            if known is None:
                missing.append(f"{account} {order['number']}")
            elif not cancelled and known != order["total_minor"]:
                differing.append(f"{account} {order['number']}")
    return missing, differing
