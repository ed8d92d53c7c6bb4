"""What a waiting parcel, order or tracker waits for: reason, owner, deadline, next action. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from libs.contracts import common

OURS = ("fulfilment",)  # the topics that our rows are folded from
HOUR = 3_600_000_000  # microseconds
DAY = 24 * HOUR
CLEARED_WITHIN = DAY
PACKED_WITHIN = 2 * DAY
HANDED_OVER_WITHIN = DAY


class Waiting(NamedTuple):
    """Why something waits, who must act, by when (microseconds) and with what."""

    reason: str
    owner: str
    deadline: int | None
    next_action: str


NOTHING = Waiting("", "", None, "")
_ASKED = {
    "requested": "the carrier is asked for a label; ask another after an hour, if it is away",
    "quoted": "the carrier is asked for a day; then decide: bought or not-bought",
}


class ShipmentRow(msgspec.Struct, frozen=True):
    """One parcel. `orders`: rows by order; `since`: when it began to wait for what it waits for.

    `value` is the declared value, minor units; `label_cost` likewise in `label_currency`.
    `strays`: labels that were bought after all and are being given back, until when each.
    """

    shipment_id: str
    entity: str = "main"
    state: str = "planned"
    location: str = ""
    carrier: str = ""
    service: str = ""
    requires_shipping: bool = True
    subject: str = ""
    orders: dict[str, dict[str, int]] = {}
    units: dict[str, int] = {}
    accounts: tuple[str, ...] = ()
    cleared: tuple[str, ...] = ()
    blocked: dict[str, str] = {}
    stops: dict[str, dict[str, int]] = {}
    stop_reasons: dict[str, str] = {}
    packing: str = "automatic"
    hand_over: str = "automatic"
    ship_by: int | None = None
    deliver_by: int | None = None
    value: int = 0
    currency: str = ""
    label: str = ""
    label_id: str = ""
    strays: dict[str, int] = {}
    label_code: str = ""
    label_account: str = ""
    provider_shipment: str = ""
    label_cost: int = 0
    label_currency: str = ""
    tracking_code: str = ""
    tracker: str = ""
    tracking: str = ""
    decision: str = ""
    decisions: dict[str, str] = {}
    planned_at: int = 0
    changed_at: int = 0
    due: int | None = None
    waiting: bool = True
    reason: str = ""
    owner: str = ""
    deadline: int | None = None
    next_action: str = ""
    since: int = 0
    version: int = 0


def waiting(row: ShipmentRow) -> Waiting:
    """Say what the parcel waits for first; what is on its way waits for nobody."""
    open_here = row.state in {"planned", "packed", "ready"}
    if open_here and row.label == "bought" and "address-changed" in row.stop_reasons.values():
        return Waiting(
            "address-changed-after-label", "operations", row.due,
            "decide: new-label (give it back, plan again) or keep (send it as it is)",
        )  # fmt: skip
    if open_here and row.stops:
        return Waiting("stop-requested", "warehouse", row.due, "answer the stop")
    if open_here and row.label == "refused":
        return Waiting(
            f"label-refused:{row.label_code}", "warehouse", row.due,
            "mend the address, or ask for another service",
        )  # fmt: skip
    if row.label == "doubt":
        return Waiting(
            "label-in-doubt", "operations", row.due,
            "the carrier is asked for a day; then decide: bought or not-bought",
        )  # fmt: skip
    if row.label == "voiding":
        return Waiting(
            "label-void", "operations", row.due,
            "the carrier is asked for a day; then decide: given-back or not-given-back",
        )  # fmt: skip
    if open_here and row.blocked:
        return Waiting("blocked", "operations", row.ship_by, "release the hold on the order")
    match row.state:
        case "planned":
            due = row.ship_by or row.planned_at + PACKED_WITHIN
            return Waiting("not-packed", "warehouse", due, "pack it")
        case "packed" if set(row.cleared) < set(row.orders):
            due = row.changed_at + CLEARED_WITHIN
            return Waiting("clearance", "payments", due, "the capture is awaited")
        case "packed":
            due = row.changed_at + CLEARED_WITHIN
            return Waiting("label", "system", due, _ASKED.get(row.label, _ASKED["requested"]))
        case "ready":
            due = row.ship_by or row.changed_at + HANDED_OVER_WITHIN
            return Waiting("hand-over", "warehouse", due, "give it to the carrier")
        case "failed" | "lost" | "returned" if not row.decision:
            code = {
                "failed": "delivery-failed", "lost": "parcel-lost",
                "returned": "returned-to-sender",
            }  # fmt: skip
            return Waiting(
                code[row.state],
                "operations",
                row.due,
                "decide at the order: reship, refund or claim; or here: delivered",
            )
        case _:
            return _stray(row)


def _stray(row: ShipmentRow) -> Waiting:
    """Say what a parcel waits for that has a label too many."""
    if not row.strays:
        return NOTHING
    name, due = min(row.strays.items())
    return Waiting(
        "label-void", "operations", due,
        f"{name} was bought after all; the carrier is asked for a day; then decide: given-back or "
        "not-given-back",
    )  # fmt: skip


def standing(old: ShipmentRow, new: ShipmentRow, at: int) -> ShipmentRow:
    """Return the new row with what it waits for, and since when."""
    found = waiting(new)
    return msgspec.structs.replace(
        new, waiting=bool(found.reason), reason=found.reason, owner=found.owner,
        deadline=found.deadline, next_action=found.next_action,
        since=old.since if old.reason == found.reason and old.since else at,
    )  # fmt: skip


def lines(rows: Sequence[common.ShipmentRow]) -> dict[str, int]:
    """Return the units of each line."""
    found: dict[str, int] = {}
    for row in rows:
        found[row.line_id] = found.get(row.line_id, 0) + row.quantity
    return found


def less(rows: Mapping[str, int], by: Mapping[str, int]) -> dict[str, int]:
    """Return units less other units; what has nothing left is gone."""
    return {k: n - by.get(k, 0) for k, n in rows.items() if n > by.get(k, 0)}


def without(found: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return a mapping without one of its keys."""
    return {name: value for name, value in found.items() if name != key}
