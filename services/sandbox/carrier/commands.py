"""EasyPost's POST endpoints on shipments: create, buy once, give back. No I/O.

Source: docs.easypost.com/docs/shipments and /docs/errors; codes as EasyPost's callers know them
(`SHIPMENT.POSTAGE.EXISTS`, `SHIPMENT.PURCHASE.IN_PROGRESS`).
"""

from typing import Any

from msgspec.structs import replace

from services.sandbox.carrier import addresses, objects, tariff
from services.sandbox.carrier.addresses import Refused, field
from services.sandbox.carrier.config import Settings
from services.sandbox.carrier.parcels import Parcel, Parcels
from services.sandbox.chance import identifier

Json = dict[str, Any]
_LABELS = "https://labels.example.invalid"


def create(parcels: Parcels, given: Json, at: int) -> Parcel:
    """A shipment with its rates; each call makes one. Raises Refused."""
    wanted = given.get("shipment")
    if not isinstance(wanted, dict):
        raise Refused(422, "SHIPMENT.INVALID_PARAMS", "Missing required parameter: shipment.")
    to, sender = addresses.checked(wanted, "to_address"), addresses.checked(wanted, "from_address")
    ounces = addresses.weight(wanted)
    settings, reference = parcels.settings, wanted.get("reference")
    number = identifier(settings.seed, "shp_", len(parcels.by_id) + 1, 32)
    parts: Json = {
        "to_address": {"object": "Address", "country": to["country"]},
        "from_address": {"object": "Address", "country": sender["country"]},
        "parcel": {"object": "Parcel", "weight": ounces},
    }
    if to["country"] in settings.refused_countries:
        text = f"{objects.CARRIER} does not serve the destination country"
        parts["messages"] = [{"carrier": objects.CARRIER, "type": "rate_error", "message": text}]
    else:
        parts["rates"] = _rates(settings, number, at, to["country"], ounces)
    known = str(reference)[:100] if reference else None
    return Parcel(number, known, objects.shipment(number, at, known, parts), at)


def _rates(settings: Settings, number: str, at: int, country: str, ounces: float) -> list[Json]:
    return [
        objects.rate(
            identifier(settings.seed, "rate_", int(number[4:16], 16) + place, 32),
            number,
            at,
            one.name,
            tariff.text(tariff.price(one, ounces)),
            settings.currency,
            one.days,
        )
        for place, one in enumerate(tariff.services(home=country == settings.home))
    ]


def found(parcels: Parcels, number: str) -> Parcel:
    """A shipment by id or by reference (the newest of it). Raises Refused."""
    parcel = parcels.by_id.get(number)
    if parcel is None:
        same = [one for one in parcels.by_id.values() if one.reference == number]
        if not same:
            raise Refused(404, "NOT_FOUND", "The requested resource could not be found.")
        parcel = same[-1]
    return parcel


def buy(parcels: Parcels, parcel: Parcel, given: Json, at: int) -> Parcel:
    """Pay for the label of one rate. Raises Refused; a second time always."""
    if parcel.bought_at is not None:
        text = "Postage already exists for this shipment. Create a new shipment to buy another."
        raise Refused(422, "SHIPMENT.POSTAGE.EXISTS", text)
    wanted = given.get("rate")
    rate_id = wanted.get("id") if isinstance(wanted, dict) else wanted
    rates = [one for one in parcel.body["rates"] if one["id"] == rate_id]
    if not rates:
        fault = field("rate", "is no rate of this shipment")
        raise Refused(422, "SHIPMENT.POSTAGE.RATE_INVALID", "Unable to buy postage.", fault)
    rate, seed = rates[0], parcels.settings.seed
    count = int(parcel.id[4:16], 16)
    code = f"SB{count % 10**9:09d}GB"
    while code in parcels.by_code:
        count += 1
        code = f"SB{count % 10**9:09d}GB"
    label = objects.label(identifier(seed, "pl_", count, 32), at, _LABELS)
    bought = {"postage_label": label, "selected_rate": rate, "tracking_code": code}
    bought["fees"] = [_fee(rate["rate"])]
    itself = parcels.settings.pickup == "by_itself"
    return replace(
        parcel,
        body=parcel.body | bought,
        cost=int(rate["rate"].replace(".", "")),
        bought_at=at,
        code=code,
        tracker=identifier(seed, "trk_", count, 32),
        start=at if itself else None,
    )


def _fee(amount: str) -> Json:
    return {
        "object": "Fee",
        "type": "PostageFee",
        "amount": amount,
        "charged": True,
        "refunded": False,
    }


def give_back(parcels: Parcels, parcel: Parcel, at: int) -> Parcel:
    """Ask for the money of a label that was not used. Raises Refused."""
    if parcel.bought_at is None:
        text = "Refund not available: the shipment has no postage."
        raise Refused(422, "SHIPMENT.REFUND.UNAVAILABLE", text)
    if parcel.given_back_at is not None:
        text = "Refund request cannot be processed: it was submitted before."
        raise Refused(422, "SHIPMENT.REFUND.UNAVAILABLE", text)
    if len(parcels.seen(parcel, at)) > 1:
        text = "Refund not available: the parcel is on its way."
        raise Refused(422, "SHIPMENT.REFUND.UNAVAILABLE", text)
    return replace(parcel, given_back_at=at)


def hand_over(parcel: Parcel, at: int) -> Parcel | None:
    """The parcel is at the carrier's door; None where that is known or makes no sense."""
    if parcel.bought_at is None or parcel.start is not None or parcel.given_back_at is not None:
        return None
    return replace(parcel, start=at)
