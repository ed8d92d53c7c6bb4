"""An independent ledger of where parcels go: to the street that the buyer named last (P7)."""

from collections import defaultdict
from typing import Any

from libs.contracts import common, fulfilment, orders
from tests.simulation.carrier import Carrier
from tests.simulation.shops import Buyers
from tests.simulation.units import expect

_OVER = {"delivered", "delivery_failed", "lost", "returned_to_sender"}
Part = tuple[str, str]  # shipment and order


class Addresses:
    """Parcels that left by the carrier, and what was told of those that went elsewhere.

    Contacts are compared as they are sealed, streets as the shop and the carrier have them.
    """

    def __init__(self, carrier: Carrier, buyers: Buyers) -> None:
        self.carrier, self.buyers = carrier, buyers
        self.codes: dict[str, str] = {}  # shipment to tracking code
        self.orders: dict[str, dict[str, common.OrderReference]] = defaultdict(dict)
        self.contacts: dict[str, bytes] = {}  # of each order, as its newest version has it
        self.asked: dict[tuple[str, int], bytes] = {}  # order and revision of what it asked for
        self.taken: dict[str, bytes] = {}  # of each order, as fulfilment has it
        self.joint: set[str] = set()  # a person has said that all of it goes to one address
        self.over: set[Part] = set()  # of it the order knows already how it ended
        self.kept: set[Part] = set()  # a person let it go on, or its journey had ended before
        self.told: set[str] = set()  # orders of which it was told

    def note(self, event: Any) -> None:
        """Note one event of fulfilment or orders."""
        match event:
            case fulfilment.ShipmentDispatched(shipment_id=name):
                self.codes[name] = event.tracking_code or ""
                self.orders[name] |= {one.order_id: one for one in event.references}
            case fulfilment.ShipmentJoined(reference=common.OrderReference() as one):
                self.orders[event.shipment_id][one.order_id] = one
                self.joint.add(event.shipment_id)
            case orders.FulfilmentRequested(order_id=order, revision=revision):
                self.asked[order, revision] = _sealed(event.customer.contact)
            case fulfilment.FulfilmentTaken(order_id=order, revision=revision):
                self.taken[order] = _sealed(event.customer.contact)
                same = self.taken[order] == self.asked[order, revision]
                expect("P7", same, f"fulfilment of {order} has another address in {revision}")
            case fulfilment.HandoverPlanned(order_id=order, reason="planned"):
                same = _sealed(event.customer.contact) == self.taken[order]
                expect("P7", same, f"{event.shipment_id} of {order} is planned for an old address")
            case fulfilment.ShipmentAddressKept():
                self.kept.add((event.shipment_id, event.order_id))
            case orders.OrderShipmentRecorded(status=status) if status in _OVER:
                self.over.add((event.shipment_id, event.order_id))
            case orders.OrderWaits(reason="address-too-late"):
                self.told.add(event.order_id)
            case orders.OrderPlaced() | orders.OrderAmended():
                self._moved(event.order_id, _sealed(event.order.customer.contact))
            case _:
                return

    def _moved(self, order: str, now: bytes) -> None:
        if self.contacts.get(order, now) != now:
            self.kept |= {part for part in self.over if part[1] == order}
        self.contacts[order] = now

    def rest(self) -> None:
        """At rest, what left went where its buyer wants it, or somebody was told that it did not."""
        for name, code in sorted(self.codes.items()):
            if not code or name in self.joint:
                continue
            ((order, reference),) = self.orders[name].items()
            street = self.carrier.streets[self.carrier.provider.parcels.by_code[code]]
            wanted = self._street(reference)
            right = street == wanted or (name, order) in self.kept or order in self.told
            right |= not self.contacts[order]  # who is erased is at no address
            expect("P7", right, f"{name} of {order} went to {street}, its buyer is at {wanted}")
            moved = order not in self.told or len(set(self._streets(reference))) > 1
            expect("P7", moved, f"{order} waits for a new address, and its buyer never moved")

    def _street(self, order: common.OrderReference) -> str:
        return self._streets(order)[-1]

    def _streets(self, order: common.OrderReference) -> list[str]:
        known = (order.account, order.external_id)
        (found,) = (o for o in self.buyers.orders if (o.account, o.external_id) == known)
        return [state.content.address.street for state in found.states]


def _sealed(contact: common.Sealed | None) -> bytes:
    return contact.ciphertext if contact is not None else b""
