"""What EasyPost refuses about addresses and parcels before it asks a carrier. Pure.

Source: docs.easypost.com/docs/errors and /docs/addresses: an error names each field.
"""

from typing import Any

Json = dict[str, Any]
_NEEDED = ("street1", "city", "country")
# Countries whose post needs no postcode; everywhere else one is asked for.
_NO_POSTCODE = frozenset({"AE", "AG", "AO", "BS", "BZ", "FJ", "GH", "HK", "IE", "JM", "QA", "ZW"})
_LENGTH = 120


class Refused(Exception):  # noqa: N818 - the trade's word
    """A refusal with its HTTP status and error object."""

    def __init__(self, status: int, code: str, message: str, *errors: Json) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"error": {"code": code, "message": message, "errors": list(errors)}}


def field(name: str, message: str) -> Json:
    return {"field": name, "message": message, "suggestion": None}


def checked(shipment: Json, name: str) -> Json:
    """An address of a shipment. Raises Refused naming its faulty fields."""
    given = shipment.get(name)
    if not isinstance(given, dict):
        text = f"Missing or invalid required parameter: shipment.{name}"
        raise Refused(422, "SHIPMENT.INVALID_PARAMS", text, field(name, "cannot be blank"))
    faults = [
        field(part, "cannot be blank") for part in _NEEDED if not str(given.get(part) or "").strip()
    ]
    country = str(given.get("country") or "").upper()
    if country and (len(country) != 2 or not country.isalpha()):
        faults.append(field("country", "must be an ISO 3166 code of two letters"))
    if country not in _NO_POSTCODE and not str(given.get("zip") or "").strip():
        faults.append(field("zip", "cannot be blank"))
    if not str(given.get("name") or given.get("company") or "").strip():
        faults.append(field("name", "name or company cannot be blank"))
    faults += [
        field(part, f"is too long (at most {_LENGTH} characters)")
        for part, value in given.items()
        if isinstance(value, str) and len(value) > _LENGTH
    ]
    if faults:
        raise Refused(422, "ADDRESS.VERIFY.FAILURE", f"Unable to verify {name}.", *faults)
    return given | {"country": country}


def weight(shipment: Json) -> float:
    """The parcel's weight in ounces. Raises Refused."""
    parcel = shipment.get("parcel")
    given = parcel.get("weight") if isinstance(parcel, dict) else None
    try:
        found = float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        found = 0.0
    if not 0 < found <= 16 * 2_200:
        fault = field("weight", "must be above 0 and at most 35200 ounces")
        raise Refused(422, "PARCEL.INVALID_PARAMS", "Invalid parcel.", fault)
    return found
