"""What the seller told a shop about an order, and how the shop's own order shows it. Pure.

A report leaves the planned story alone: it is laid over whatever state the story has reached.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from services.sandbox.retail.content import State
from services.sandbox.shops import shapes
from services.sandbox.shops.shopify_parts import line_id, order_id

Json = dict[str, Any]
Kind = Literal["dispatch", "cancellation", "change", "note"]
_SECOND = 1_000_000


class Report(Struct, frozen=True):
    """A dispatch, a cancellation, another change or a note.

    `id` is the shop's own number of it within its order.
    `position` is how far the shop had come in the run, `lines` units by line, `at` microseconds
    of the real clock, `told` what the shop keeps word for word (WooCommerce's status and metadata),
    and in `resend_of` which parcel's units, or which fulfilment's, a dispatch is told of once more.
    """

    account: str
    number: str
    kind: Kind
    id: int
    position: int
    at: int
    lines: dict[int, int]
    tracking: str | None = None
    carrier: str | None = None
    url: str | None = None
    reason: str = ""
    told: Json = {}


def shipped(reports: Sequence[Report]) -> Counter[int]:
    """Units that left, by line; what is sent again has left before."""
    found: Counter[int] = Counter()
    for one in reports:
        if one.kind == "dispatch" and "resend_of" not in one.told:
            found.update(one.lines)
    return found


def remaining(state: State, reports: Sequence[Report]) -> dict[int, int]:
    """Units by line that may still leave or be cancelled; `state` has the cancellations in it."""
    gone = shipped(reports)
    left = {line.id: state.remaining(line) - gone[line.id] for line in state.content.lines}
    return {line: max(0, units) for line, units in left.items()}


def told(state: State, reports: Sequence[Report]) -> State:
    """The state with the cancellations, each report a second and a version newer."""
    cancelled = dict(state.cancelled)
    for one in reports:
        if one.kind == "cancellation":
            for line, units in one.lines.items():
                cancelled[line] = cancelled.get(line, 0) + units
    bounded = {
        line.id: min(line.quantity, cancelled[line.id])
        for line in state.content.lines
        if cancelled.get(line.id)
    }
    whole = bool(bounded) and all(
        bounded.get(line.id, 0) == line.quantity for line in state.content.lines
    )
    return replace(
        state,
        cancelled=bounded,
        status="cancelled" if whole else state.status,
        version=state.version + len(reports),
        updated_at=state.updated_at + len(reports) * _SECOND,
    )


def shopify(order: Json, state: State, reports: Sequence[Report]) -> Json:
    """Fulfilments and their status on an order; drafts and edits have none."""
    dispatches = [one for one in reports if one.kind == "dispatch"]
    if not dispatches or "fulfillments" not in order:
        return order
    left, gone = remaining(state, reports), shipped(reports)
    items = [
        item
        | {
            "fulfillable_quantity": left[line.id],
            "fulfillment_status": _status(gone[line.id], left[line.id]),
        }
        for item, line in zip(order["line_items"], state.content.lines, strict=True)
    ]
    whole = not any(left[line.id] for line in state.content.lines if line.kind == "goods")
    return order | {
        "line_items": items,
        "fulfillment_status": "fulfilled" if whole else "partial",
        "fulfillments": [
            _fulfilment(state, one, numbers(one, dispatches)) for one in made(dispatches)
        ],
    }


def _status(gone: int, left: int) -> str | None:
    if not gone:
        return None
    return "partial" if left else "fulfilled"


def made(dispatches: Sequence[Report]) -> list[Report]:
    """The fulfilments among dispatches; the others were added to one of them."""
    return [one for one in dispatches if "resend_of" not in one.told]


def numbers(of: Report, dispatches: Sequence[Report]) -> list[str]:
    """The tracking numbers of a fulfilment as they were set last."""
    found = [of.tracking] if of.tracking else []
    for one in dispatches:
        if one.told.get("resend_of") == of.id:
            found = list(one.told["numbers"])
    return found


def _fulfilment(state: State, report: Report, codes: Sequence[str]) -> Json:
    content, at = state.content, shapes.with_offset(state.updated_at)
    number = line_id(content, 7000 + report.id)
    return {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/Fulfillment/{number}",
        "created_at": at,
        "line_items": [
            {"id": line_id(content, line), "quantity": units}
            for line, units in sorted(report.lines.items())
        ],
        "location_id": 1,
        "name": f"#{content.number}.{report.id}",
        "order_id": order_id(content),
        "origin_address": {},
        "receipt": {},
        "service": "manual",
        "shipment_status": None,
        "status": "success",
        "tracking_company": report.carrier,
        "tracking_number": codes[0] if codes else None,
        "tracking_numbers": list(codes),
        "tracking_url": report.url,
        "tracking_urls": [report.url] if report.url else [],
        "updated_at": at,
    }


def woocommerce(order: Json, state: State, reports: Sequence[Report]) -> Json:
    """The status and the metadata that were put last; an order that is cancelled stays so.

    The shop's own metadata is as it is now, whatever it was when something was put.
    """
    found = dict(order)
    own = {one["key"] for one in order["meta_data"]}
    for one in reports:
        if one.told.get("status") and state.status != "cancelled":
            found["status"] = one.told["status"]
        if "meta_data" in one.told:
            put = [entry for entry in one.told["meta_data"] if entry["key"] not in own]
            found["meta_data"] = [*order["meta_data"], *put]
    if found["status"] == "completed":
        at = state.updated_at
        found |= {
            "date_completed": shapes.naive_local(at),
            "date_completed_gmt": shapes.naive_utc(at),
        }
    return found


def standard(message: Json, state: State, reports: Sequence[Report]) -> Json:
    """`fulfilments` beside the lines, where there are any."""
    del state
    dispatches = [one for one in reports if one.kind == "dispatch"]
    if not dispatches:
        return message
    return message | {"data": message["data"] | {"fulfilments": fulfilments(dispatches)}}


def fulfilments(dispatches: Sequence[Report]) -> list[Json]:
    return [
        {
            "id": f"ful_{one.number}_{one.id}",
            "lines": [
                {"line_id": f"line_{line}", "quantity": units}
                for line, units in sorted(one.lines.items())
            ],
            "carrier": one.carrier,
            "tracking_code": one.tracking,
            "tracking_url": one.url,
        }
        | one.told
        for one in dispatches
    ]


SHOWN: Mapping[str, Callable[[Json, State, Sequence[Report]], Json]] = {
    "shopify": shopify,
    "woocommerce": woocommerce,
    "standard": standard,
}
