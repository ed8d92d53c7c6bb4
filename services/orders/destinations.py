"""Where parcels go, and which go where their buyer no longer is. Addresses stay sealed. Pure."""

import hashlib

from libs.contracts import orders
from services.orders.progress import UNDER_WAY, Parcel
from services.orders.state import OrderState

MOVED = "address-changed"  # fulfilment's word for units asked back because of another address
ELSEWHERE = "elsewhere"  # where a parcel goes of which only that is known


def destination(state: OrderState) -> str:
    """Return a text by which the buyer's newest address is known, "" where there is none."""
    contact = state.customer.contact if state.customer is not None else None
    return hashlib.sha256(contact.ciphertext).hexdigest()[:12] if contact is not None else ""


def goes_to(old: Parcel | None, event: orders.OrderShipmentRecorded, here: str) -> str:
    """Return where a parcel goes: to the address at its departure, unless that came too late."""
    known = old.to if old is not None else ""
    if event.fact == "StopTooLate" and event.reason == MOVED:
        return ELSEWHERE if known in {"", here} else known
    return known or (here if event.status == "dispatched" else "")


def astray(state: OrderState) -> dict[str, Parcel]:
    """Return the parcels that can be stopped no more and go where their buyer no longer is."""
    here = destination(state)
    return {
        name: parcel
        for name, parcel in sorted(state.parcels.items())
        if (parcel.status == "dispatched" or (parcel.late and parcel.status in UNDER_WAY))
        and here and parcel.to and here not in {parcel.to, parcel.let_be}
        and any(state.lines[line].needs_parcel for line in parcel.lines if line in state.lines)
    }  # fmt: skip
