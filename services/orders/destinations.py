"""Where parcels go, and which go where their buyer no longer is. Addresses stay sealed. Pure."""

import hashlib

from libs.contracts import common, orders
from services.orders.progress import UNDER_WAY, Parcel
from services.orders.state import OrderState

KEPT = "ShipmentAddressKept"  # fulfilment's fact: a person lets a parcel go to the old address


def mark(customer: common.Customer | None) -> str:
    """Return a text by which a buyer's address is known, "" where there is none."""
    contact = customer.contact if customer is not None else None
    return hashlib.sha256(contact.ciphertext).hexdigest()[:12] if contact is not None else ""


def goes_to(old: Parcel | None, event: orders.OrderShipmentRecorded, here: str) -> str:
    """Return where a parcel goes: where it was planned for, else where the buyer was by then."""
    return event.destination or (old.to if old is not None else "") or here


def astray(state: OrderState) -> dict[str, Parcel]:
    """Return the parcels that can be stopped no more and go where their buyer no longer is."""
    here = mark(state.customer)
    return {
        name: parcel
        for name, parcel in sorted(state.parcels.items())
        if (parcel.status == "dispatched" or (parcel.late and parcel.status in UNDER_WAY))
        and here and parcel.to and here not in {parcel.to, parcel.let_be}
        and any(state.lines[line].needs_parcel for line in parcel.lines if line in state.lines)
    }  # fmt: skip
