"""What a result of a call to EasyPost means for the parcel. Pure."""

import msgspec

from libs.contracts import fulfilment as events
from libs.effects.kinds import Confirmed, Rejected, Result
from libs.store.store import Call
from services.fulfilment import easypost_words as words
from services.fulfilment import shipment_commands as commands


def tell_created(call: Call, result: Result, at: int) -> commands.ShipmentCommand:
    """Say what came of creating."""
    event = msgspec.msgpack.decode(call.request, type=events.LabelRequested)
    names = (event.entity, event.shipment_id, event.label_id)
    match result:
        case Confirmed(answer=words.Quote() as chosen):
            return commands.QuoteLabel(
                *names, chosen.provider_shipment, chosen.provider_rate, chosen.cost,
                chosen.currency, at,
            )  # fmt: skip
        case Rejected(code=code):
            return commands.RefuseLabel(*names, code, at)
        case _:
            return commands.DoubtLabel(*names, at)


def tell_bought(call: Call, result: Result, at: int) -> commands.ShipmentCommand:
    """Say what came of buying."""
    event = msgspec.msgpack.decode(call.request, type=events.LabelQuoted)
    names = (event.entity, event.shipment_id, event.label_id)
    match result:
        case Confirmed(answer=words.Purchase() as made):
            return commands.RecordLabel(
                *names, made.provider_shipment, made.tracking_code, made.tracker, made.carrier,
                made.service, made.cost, made.currency, at,
            )  # fmt: skip
        case Rejected(code=code):
            return commands.RefuseLabel(*names, code, at)
        case _:
            return commands.DoubtLabel(*names, at)


def tell_voided(call: Call, result: Result, at: int) -> commands.ShipmentCommand | None:
    """Say whether the label was given back; a refusal is an answer, a doubt is not."""
    event = msgspec.msgpack.decode(call.request, type=events.LabelVoidRequested)
    match result:
        case Confirmed(answer=bool() as accepted):
            return commands.RecordVoid(
                event.entity, event.shipment_id, event.label_id, accepted, at
            )
        case Rejected():
            return commands.RecordVoid(event.entity, event.shipment_id, event.label_id, False, at)
        case _:
            return None


def tell_polled(call: Call, result: Result, at: int) -> commands.ShipmentCommand | None:
    """Say where the parcel is; nothing where nobody knows."""
    event = msgspec.msgpack.decode(call.request, type=events.TrackingAsked)
    match result:
        case Confirmed(answer=words.Scan() as scan):
            return commands.RecordTracking(
                event.entity, event.shipment_id, scan.tracking_code, scan.status,
                scan.status_word, scan.detail, "poll", scan.seen_at, at,
            )  # fmt: skip
        case _:
            return None
