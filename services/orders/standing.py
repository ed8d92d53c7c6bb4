"""Says where an order stands: its state, why, whose turn it is and what to do next. Pure."""

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from libs.contracts import common
from services.orders.progress import PACKED


class LineRow(msgspec.Struct, frozen=True):
    """A line and its ledger of units; `amount_minor` is what the confirmed ones cost the buyer.

    `reserved` are confirmed and have not left, `returned` came back to us undelivered.
    """

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
    reserved: int = 0
    requested: int = 0
    shipped: int = 0
    delivered: int = 0
    returned: int = 0
    refunded: int = 0
    resent: int = 0
    amount_minor: int = 0


class PaymentRow(msgspec.Struct, frozen=True):
    """What the order was last said to cost and what payments last said; minor units."""

    required_minor: int = 0
    required_revision: int = 0
    standing: str = "unknown"
    authorised_minor: int = 0
    captured_minor: int = 0
    refunded_minor: int = 0
    reason: str = ""
    decide_by: int | None = None


class ParcelRow(msgspec.Struct, frozen=True):
    """The order's units in a shipment."""

    status: str
    lines: dict[str, int]
    reason: str = ""
    since: int = 0
    settled: str = ""


class QueueRow(msgspec.Struct, frozen=True):
    """A queue that the order stands in."""

    since: int
    decide_by: int | None
    at_risk: int


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

    `revision` is that of the last question to inventory. `waits_for`, `waits_until`, `ended`,
    `at_risk` and `partial` are what `state`, `reason`, `decide_by` and `value_at_risk_minor` are
    made of. `requested` is the
    revision of the last request to fulfilment, `blocked` why nothing more of it may go.
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
    waits_until: int | None = None
    at_risk: int = 0
    ended: str | None = None
    custody: str = ""
    payment: PaymentRow = PaymentRow()
    blocked: str | None = None
    requested: int = 0
    completed_at: int | None = None
    completed_by: str = ""
    parcels: dict[str, ParcelRow] = {}
    queues: dict[str, QueueRow] = {}
    lines: tuple[LineRow, ...] = ()
    holds: dict[str, HoldRow] = {}
    demands: dict[str, DemandRow] = {}


# States in which an order has not come to its end; a confirmed one is handed on.
UNFINISHED = (
    "placed", "waiting", "held", "part_confirmed", "confirmed", "in_fulfilment", "dispatched",
)  # fmt: skip

# (state, reason) or state -> (owner, next action)
_NEXT: Mapping[str, tuple[str, str]] = {
    "placed": ("inventory", "reserve the stock"),
    "confirmed": ("payments", "payment is awaited"),
    "confirmed paid": ("fulfilment", "ship"),
    "in_fulfilment": ("fulfilment", "pack, label and hand over"),
    "dispatched": ("carrier", "deliver"),
    "completed": ("", ""),
    "part_confirmed": ("operations", "decide on the rest: retry, backorder or cancel"),
    "cancelled": ("", ""),
    "waiting payment": ("buyer", "pay; unpaid orders are cancelled at decide_by"),
    "waiting status-unknown": ("operations", "find out what the channel's status means"),
    "waiting payment-overdue": ("operations", "ask for the payment, or cancel"),
    "waiting payment-declined": ("buyer", "pay by other means; or cancel"),
    "waiting payment-action": ("buyer", "confirm the payment with the bank"),
    "waiting payment-in-doubt": ("payments", "find out what became of the call"),
    "waiting authorisation-expired": ("payments", "authorise anew, or cancel"),
    "waiting payment-disputed": ("operations", "answer the dispute with evidence"),
    "waiting cancellation-asked": ("fulfilment", "stop the parcel, or say that it has left"),
    "waiting unplannable": ("operations", "mend the address or the stock, then plan again"),
    "waiting delivery-failed": ("operations", "decide: reship, refund or claim"),
    "waiting parcel-lost": ("operations", "decide: reship, refund or claim"),
    "waiting returned-to-sender": ("operations", "decide: reship, refund or claim"),
    "waiting carrier-claim": ("carrier", "answer the claim; then decide: reship or refund"),
    "waiting edit-too-late": ("operations", "settle it with the buyer, then accept"),
    "waiting address-too-late": (
        "operations",
        "have the carrier redirect it, or tell the buyer; then accept",
    ),
    "waiting delivered-twice": ("operations", "settle it with the buyer, then accept"),
    "waiting out-of-stock": ("operations", "decide: retry, backorder or cancel"),
    "waiting decision-overdue": ("operations", "decide now: retry, backorder or cancel"),
    "held unlinked-listing": ("operations", "link the listing; the order resumes by itself"),
    "held totals-disagree": ("operations", "compare with the channel's totals, then release"),
    "held refunded-not-sent": (
        "operations",
        "the buyer has the money back: cancel, or release the hold to send it anyway",
    ),
    "held tax-country-unknown": ("operations", "find the country of delivery, then release"),
}
# Queues of a confirmed order; of several, the first is shown.
_QUEUES = (
    "payment-disputed", "edit-too-late", "address-too-late", "delivered-twice", "parcel-lost",
    "returned-to-sender", "delivery-failed", "carrier-claim", "unplannable", "payment-in-doubt",
    "payment-declined", "payment-action", "authorisation-expired", "payment-overdue",
    "cancellation-asked",
)  # fmt: skip
_RELEASE = ("operations", "settle the reason, then release the hold")


def standing(before: OrderRow | None, row: OrderRow, at: int) -> OrderRow:
    """Return the row with its state, reason, owner, next action, age and money at risk."""
    state, reason = _state(row)
    paid = " paid" if row.requested else ""
    owner, action = (
        _NEXT.get(f"{state} {reason}") or _NEXT.get(f"{state}{paid}") or _NEXT.get(state)
        or _RELEASE
    )  # fmt: skip
    same = before is not None and (before.state, before.reason) == (state, reason)
    queue = row.queues.get(reason) if state == "waiting" else None
    at_risk = row.at_risk if queue is None else queue.at_risk
    risk = {"waiting": at_risk, "part_confirmed": row.at_risk, "held": row.total_minor}
    return replace(
        row, state=state, reason=reason, owner=owner, next_action=action,
        since=before.since if same and before is not None else at,
        value_at_risk_minor=risk.get(state, 0),
        decide_by=row.waits_until if queue is None else queue.decide_by,
    )  # fmt: skip


def _state(row: OrderRow) -> tuple[str, str]:
    queue = next((reason for reason in _QUEUES if reason in row.queues), "")
    if row.ended is not None:
        return ("waiting", queue) if queue else ("cancelled", row.ended)
    if row.holds:
        _, first = min(row.holds.items(), key=lambda item: (item[1].since, item[0]))
        return "held", first.reason
    if queue:
        return "waiting", queue
    if row.confirmed_at is not None and row.partial:
        return "part_confirmed", row.waits_for
    if row.waits_for:
        return "waiting", row.waits_for
    if row.completed_at is not None:
        return "completed", ""
    if any(one.status in PACKED for one in row.parcels.values()):
        left = any(line.requested > line.shipped for line in row.lines)
        return ("in_fulfilment" if left else "dispatched"), ""
    if row.confirmed_at is not None:
        return "confirmed", ""
    return "placed", ""
