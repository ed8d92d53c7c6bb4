"""Calls EasyPost: creates, buys, gives back and asks. Addresses are opened here, for one call.

What may have taken effect is unknown, never failed; a purchase is read back before it is repeated.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from libs.contracts import fulfilment as events
from libs.effects.kinds import Absent, Confirmed, EffectKind, NotYet, Rejected, Result, Unknown
from libs.runtime.ports import Ports
from libs.runtime.settings import Address, Carrier
from libs.security.vault.sealing import VaultError
from libs.store.store import Call
from libs.values.money import to_text
from services.fulfilment import easypost_results as results
from services.fulfilment import easypost_words as words
from services.fulfilment.easypost_http import EasyPost
from services.fulfilment.process import BUY, CREATE, POLL, VOID

SECOND = 1_000_000  # microseconds
# Attempts, with pauses that grow to an hour: five days and more. Meanwhile a person may decide.
ASKED = 200
HONOURED = 24 * 3600 * SECOND
IN_PROGRESS = "shipment-purchase-in-progress"
TRACKER = "trk_"  # what a tracker's id begins with
STREETS = ("address1", "line1", "address_1"), ("address2", "line2", "address_2")


class Creates:
    """A shipment with EasyPost: costs nothing, so that one too many does no harm."""

    def __init__(self, easypost: EasyPost) -> None:
        self._easypost = easypost

    async def perform(self, call: Call) -> Result:
        """Create it under our id and choose a rate."""
        event = msgspec.msgpack.decode(call.request, type=events.LabelRequested)
        ports = self._easypost.ports
        carrier = ports.settings.carriers.get(event.carrier)
        if carrier is None:
            return NotYet("carrier-unknown")
        place = ports.settings.locations.get(event.location)
        sender = place.address if place is not None else Address()
        try:
            to = await self._recipient(event)
        except VaultError as error:
            return Rejected(error.code)
        if not to["street1"] or not to["country"]:
            return Rejected("address-incomplete")
        body = {"shipment": shipment_body(event, carrier, sender, to)}
        answer = await self._easypost.post(event.carrier, "shipments", body)
        if not isinstance(answer, Confirmed):
            return answer
        try:
            chosen = words.quote(
                answer.answer, event.service, carrier.services, event.deliver_by, ports.clock()
            )
        except words.CarrierDataError as error:
            return Unknown(error.code)
        return Confirmed(chosen) if chosen is not None else Rejected("no-rate")

    async def ask(self, call: Call) -> Result:
        """Say that it may be created again: what is not bought binds nobody."""
        del call
        return Absent()

    async def close(self) -> None:
        """Give connections back."""
        await self._easypost.close()

    async def _recipient(self, event: events.LabelRequested) -> Mapping[str, str]:
        """Open the delivery address; shops name its parts differently."""
        sealed = event.customer.contact
        plain = b"{}"
        if sealed is not None:
            plain = await self._easypost.ports.vault.open(sealed, "contact")
        given = words.record(msgspec.json.decode(plain))

        def first(*names: str) -> str:
            return next((str(given[name]) for name in names if given.get(name)), "")

        return {
            "name": first("name"), "company": first("company"), "street1": first(*STREETS[0]),
            "street2": first(*STREETS[1]), "city": first("city"),
            "state": first("state", "province", "region"), "zip": first("zip", "postcode"),
            "country": event.customer.ship_to_country, "phone": first("phone"),
            "email": first("email"),
        }  # fmt: skip


def shipment_body(
    event: events.LabelRequested, carrier: Carrier, sender: Address, to: Mapping[str, str]
) -> dict[str, Any]:
    """Return EasyPost's shipment; weights are in ounces, customs values in units of currency."""
    grams = event.weight_grams or carrier.weight_grams
    ounces = -(-grams * 1_000_000 // 2_834_952) / 10  # rounded up to a tenth
    body: dict[str, Any] = {
        "reference": event.shipment_id, "to_address": dict(to),
        "from_address": sender.model_dump(), "parcel": {"weight": ounces},
        "options": {"print_custom_1": event.shipment_id},
    }  # fmt: skip
    if sender.country and sender.country != to["country"]:
        item = {
            "description": "Merchandise", "quantity": 1, "weight": ounces,
            "value": float(to_text(event.declared_value, event.currency)),
            "currency": event.currency,
            "origin_country": sender.country,
        }  # fmt: skip
        body["customs_info"] = {"contents_type": "merchandise", "customs_items": [item]}
    return body


class Buys:
    """A label: bought once. EasyPost has no idempotency keys, so a doubt is read back."""

    def __init__(self, easypost: EasyPost) -> None:
        self._easypost = easypost

    async def perform(self, call: Call) -> Result:
        """Buy the quoted rate; whatever a refusal says, a label that is there was bought."""
        event = msgspec.msgpack.decode(call.request, type=events.LabelQuoted)
        path = f"shipments/{event.provider_shipment}"
        body = {"rate": {"id": event.provider_rate}}
        answer = await self._easypost.post(event.account, f"{path}/buy", body)
        if isinstance(answer, Confirmed):
            return _bought(answer) or Unknown("no-label-in-answer")
        if isinstance(answer, Rejected):
            seen = await self._easypost.get(event.account, path)
            if not isinstance(seen, Confirmed):
                return Unknown("refused-but-not-read-back")
            busy = answer.code == IN_PROGRESS  # an earlier attempt of ours, which nobody heard end
            return _bought(seen) or (Unknown(answer.code) if busy else answer)
        return answer

    async def ask(self, call: Call) -> Result:
        """Look whether the shipment has a label."""
        event = msgspec.msgpack.decode(call.request, type=events.LabelQuoted)
        answer = await self._easypost.get(event.account, f"shipments/{event.provider_shipment}")
        if isinstance(answer, Confirmed):
            return _bought(answer) or Absent()
        return answer

    async def close(self) -> None:
        """Give connections back."""
        await self._easypost.close()


def _bought(answer: Confirmed) -> Result | None:
    try:
        found = words.purchase(answer.answer)
    except words.CarrierDataError as error:
        return Unknown(error.code)
    return None if found is None else Confirmed(found)


class Voids:
    """A label that is given back; the answer may be that the carrier keeps the money."""

    def __init__(self, easypost: EasyPost) -> None:
        self._easypost = easypost

    async def perform(self, call: Call) -> Result:
        """Ask for the money back."""
        event = msgspec.msgpack.decode(call.request, type=events.LabelVoidRequested)
        path = f"shipments/{event.provider_shipment}/refund"
        answer = await self._easypost.post(event.account, path)
        if not isinstance(answer, Confirmed):
            return answer
        return Confirmed(words.refund_of(answer.answer) is not False)

    async def ask(self, call: Call) -> Result:
        """Look whether it was asked for."""
        event = msgspec.msgpack.decode(call.request, type=events.LabelVoidRequested)
        answer = await self._easypost.get(event.account, f"shipments/{event.provider_shipment}")
        if not isinstance(answer, Confirmed):
            return answer
        status = words.refund_of(answer.answer)
        return Absent() if status is None else Confirmed(status)

    async def close(self) -> None:
        """Give connections back."""
        await self._easypost.close()


class Polls:
    """Where a parcel is, while nobody tells us; by its code where its tracker is not known."""

    def __init__(self, easypost: EasyPost) -> None:
        self._easypost = easypost

    async def perform(self, call: Call) -> Result:
        """Read the tracker."""
        event = msgspec.msgpack.decode(call.request, type=events.TrackingAsked)
        known = event.tracker.startswith(TRACKER)
        path = f"trackers/{event.tracker}"
        if not known:
            path = f"trackers?tracking_code={quote(event.tracker, safe='')}"
        answer = await self._easypost.get(event.account, path)
        if not isinstance(answer, Confirmed):
            return answer
        told = answer.answer if known else words.newest(answer.answer, event.tracker)
        try:
            return Confirmed(words.scan(told, self._easypost.ports.clock()))
        except words.CarrierDataError as error:
            return Rejected(error.code)

    async def ask(self, call: Call) -> Result:
        """Read it again: it changes nothing."""
        return await self.perform(call)

    async def close(self) -> None:
        """Give connections back."""
        await self._easypost.close()


def kinds(ports: Ports) -> Sequence[EffectKind]:
    """Return the kinds of effects; all accounts share one budget, that of the slowest."""
    easypost = EasyPost(ports)
    rate = min((one.per_second for one in ports.settings.carriers.values()), default=10.0)
    budget: dict[str, Any] = {
        "provider": "easypost",
        "per_second": rate,
        "burst": max(10, int(rate)),
    }
    return (
        EffectKind(
            CREATE,
            Creates(easypost),
            results.tell_created,
            "repeat",
            honoured=HONOURED,
            attempts=ASKED,
            **budget,
        ),
        EffectKind(BUY, Buys(easypost), results.tell_bought, "ask", attempts=ASKED, **budget),
        EffectKind(VOID, Voids(easypost), results.tell_voided, "ask", attempts=ASKED, **budget),
        EffectKind(
            POLL,
            Polls(easypost),
            results.tell_polled,
            "repeat",
            honoured=HONOURED,
            attempts=4,
            **budget,
        ),
    )
