"""Says where an order stands: its state, why, whose turn it is and what to do next. Pure."""

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from libs.contracts import common


class LineRow(msgspec.Struct, frozen=True):
    """A line and its ledger of units."""

    line_id: str
    external_line_id: str
    sku: str | None
    title: str
    kind: str
    quantity: int
    net_minor: int
    components: tuple[common.Component, ...]
    cancelled: int = 0
    backordered: int = 0
    confirmed: int = 0


class DemandRow(msgspec.Struct, frozen=True):
    """Units of a SKU that the order needs, and inventory's answer (to which revision)."""

    units: int = 0
    answered: int = 0
    reserved: int = 0
    short: int = 0


class HoldRow(msgspec.Struct, frozen=True):
    """A hold that is in force."""

    reason: str
    blocks: str
    by: str
    since: int
    lines: tuple[str, ...] = ()
    until: int | None = None


class OrderRow(msgspec.Struct, frozen=True):
    """An order as it stands; `customer` is an opaque subject, times are microseconds.

    `revision` is that of the last question to inventory. `waits_for`, `ended`, `at_risk` and
    `partial` are what `state`, `reason` and `value_at_risk_minor` are made of.
    """

    order_id: str
    account: str = ""
    external_id: str = ""
    display_number: str = ""
    provider: str = ""
    state: str = ""
    reason: str = ""
    owner: str = ""
    next_action: str = ""
    since: int = 0
    decide_by: int | None = None
    placed_at: int = 0
    received_at: int = 0
    confirmed_at: int | None = None
    total_minor: int = 0
    currency: str = ""
    value_at_risk_minor: int = 0
    commitment: str = ""
    funds: str = ""
    shortage: str = ""
    customer: str = ""
    revision: int = 0
    partial: bool = False
    waits_for: str = ""
    at_risk: int = 0
    ended: str | None = None
    lines: tuple[LineRow, ...] = ()
    holds: dict[str, HoldRow] = {}
    demands: dict[str, DemandRow] = {}


# States in which an order has not come to its end; a confirmed one is handed on.
UNFINISHED = ("placed", "waiting", "held", "part_confirmed")

# (state, reason) or state -> (owner, next action)
_NEXT: Mapping[str, tuple[str, str]] = {
    "placed": ("inventory", "reserve the stock"),
    "confirmed": ("fulfilment", "ship"),
    "part_confirmed": ("operations", "decide on the rest: retry, backorder or cancel"),
    "cancelled": ("", ""),
    "waiting payment": ("buyer", "pay; unpaid orders are cancelled at decide_by"),
    "waiting status-unknown": ("operations", "find out what the channel's status means"),
    "waiting out-of-stock": ("operations", "decide: retry, backorder or cancel"),
    "waiting decision-overdue": ("operations", "decide now: retry, backorder or cancel"),
    "held unlinked-listing": ("operations", "link the listing; the order resumes by itself"),
    "held totals-disagree": ("operations", "compare with the channel's totals, then release"),
    "held tax-country-unknown": ("operations", "find the country of delivery, then release"),
}
_RELEASE = ("operations", "settle the reason, then release the hold")


def standing(before: OrderRow | None, row: OrderRow, at: int) -> OrderRow:
    """Return the row with its state, reason, owner, next action, age and money at risk."""
    state, reason = _state(row)
    owner, action = _NEXT.get(f"{state} {reason}") or _NEXT.get(state) or _RELEASE
    same = before is not None and (before.state, before.reason) == (state, reason)
    risk = {"waiting": row.at_risk, "part_confirmed": row.at_risk, "held": row.total_minor}
    return replace(
        row, state=state, reason=reason, owner=owner, next_action=action,
        since=before.since if same and before is not None else at,
        value_at_risk_minor=risk.get(state, 0),
    )  # fmt: skip


def _state(row: OrderRow) -> tuple[str, str]:
    if row.ended is not None:
        return "cancelled", row.ended
    if row.holds:
        _, first = min(row.holds.items(), key=lambda item: (item[1].since, item[0]))
        return "held", first.reason
    if row.confirmed_at is not None and row.partial:
        return "part_confirmed", row.waits_for
    if row.waits_for:
        return "waiting", row.waits_for
    if row.confirmed_at is not None:
        return "confirmed", ""
    return "placed", ""
