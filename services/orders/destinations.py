"""Where parcels go, and which go where their buyer no longer is. Addresses stay sealed. Pure."""

from libs.contracts import orders
from libs.values.places import mark, same_place
from services.orders.progress import UNDER_WAY, Parcel
from services.orders.state import OrderState

KEPT = "ShipmentAddressKept"  # fulfilment's fact: a person lets a parcel go to the old address


def goes_to(old: Parcel | None, event: orders.OrderShipmentRecorded, here: str) -> str:
    """Return where a parcel goes: where it was planned for, else where the buyer was by then."""
    return event.destination or (old.to if old is not None else "") or here


def right(parcel: Parcel, here: str) -> bool:
    """Say whether a parcel goes to this place, or a person lets it go on in spite of it."""
    return any(same_place(here, there) for there in (parcel.to, parcel.let_be))


def astray(state: OrderState) -> dict[str, Parcel]:
    """Return the parcels that can be stopped no more and go where their buyer no longer is."""
    here = mark(state.customer)
    return {
        name: parcel
        for name, parcel in sorted(state.parcels.items())
        if (parcel.status == "dispatched" or (parcel.late and parcel.status in UNDER_WAY))
        and here and parcel.to and not right(parcel, here)
        and any(state.lines[line].needs_parcel for line in parcel.lines if line in state.lines)
    }  # fmt: skip
