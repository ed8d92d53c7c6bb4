"""The carrier's books for a checker: labels bought and given back, their cost, the parcels' ends.

Costs are minor units of the carrier's currency.
"""

from collections import Counter, defaultdict
from typing import Any

from services.sandbox.carrier.parcels import Parcel
from services.sandbox.carrier.provider import Provider

Json = dict[str, Any]


def books(provider: Provider) -> Json:
    """Sums, each bought label, and what must not be: two labels in force for one reference."""
    now = provider.clock.now()
    bought = [one for one in provider.parcels.by_id.values() if one.bought_at is not None]
    kept = [one for one in bought if one.given_back_at is None]
    return {
        "account": provider.settings.account,
        "now": now,
        "quoted": len(provider.parcels.by_id),
        "bought": len(bought),
        "given_back": len(bought) - len(kept),
        "currency": provider.settings.currency,
        "bought_minor": sum(one.cost for one in bought),
        "given_back_minor": sum(one.cost for one in bought if one.given_back_at is not None),
        "by_status": dict(Counter(_row(provider, one, now)["status"] for one in bought)),
        "labels": [_row(provider, one, now) for one in bought],
        "bought_twice": _twice(kept),
        "faults": dict(Counter(provider.faulted.values())),
        "calls": dict(sorted(provider.calls.items())),
    }


def _row(provider: Provider, parcel: Parcel, now: float) -> Json:
    return {
        "reference": parcel.reference,
        "shipment": parcel.id,
        "tracking_code": parcel.code,
        "cost_minor": parcel.cost,
        "service": parcel.body["selected_rate"]["service"],
        "bought_at": parcel.bought_at,
        "given_back": parcel.given_back_at is not None,
        "status": provider.parcels.tracker(parcel, now)["status"],
    }


def _twice(kept: list[Parcel]) -> list[Json]:
    found: dict[str, list[str]] = defaultdict(list)
    for one in kept:
        if one.reference:
            found[one.reference].append(one.id)
    return [
        {"reference": name, "shipments": numbers}
        for name, numbers in found.items()
        if len(numbers) > 1
    ]
