"""A parcel's label: created, quoted, bought, and given back; bought once, whatever is lost. Pure.

A purchase under way when the parcel is stopped is waited for, then the label is given back.
"""

from typing import assert_never

from msgspec.structs import replace

from libs.contracts import fulfilment as events
from libs.eventsourcing.decider import Refused
from services.fulfilment import shipment_commands as commands
from services.fulfilment.shipment import Label, Shipment

HOUR = 3_600_000_000  # microseconds
PATIENCE = 24 * HOUR  # a person has so long for a refusal or a doubt
Events = list[events.FulfilmentEvent]
LabelCommand = (
    commands.QuoteLabel | commands.RefuseLabel | commands.DoubtLabel | commands.RecordLabel
    | commands.RecordVoid | commands.RetryLabel | commands.DecideLabel | commands.DecideVoid
)  # fmt: skip


def decide(command: LabelCommand, state: Shipment) -> Events:
    """Decide what the carrier, or a person, said of the label."""
    match command:
        case commands.QuoteLabel():
            return _quoted(command, state)
        case commands.RecordLabel():
            return _bought(command, state)
        case commands.RefuseLabel():
            return _refused(command, state)
        case commands.DoubtLabel():
            return _doubted(command, state)
        case commands.RecordVoid():
            return _voided(command, state)
        case commands.RetryLabel():
            return _again(command, state)
        case commands.DecideLabel():
            return _decided(command, state)
        case commands.DecideVoid():
            return _void_decided(command, state)
        case _:
            assert_never(command)


def request(
    command: commands.ShipmentCommand, state: Shipment, carrier: str, service: str
) -> events.LabelRequested:
    """Ask a carrier account for a label for the parcel as it is."""
    assert state.customer is not None
    return events.LabelRequested(
        entity=command.entity, occurred_at=command.at, shipment_id=command.shipment_id,
        label_id=commands.label_name(command.shipment_id, state.labels + 1), carrier=carrier,
        service=service, location=state.location, customer=state.customer,
        weight_grams=state.weight_grams, declared_value=state.declared_value,
        currency=state.currency, deliver_by=state.deliver_by,
    )  # fmt: skip


def given_back(command: commands.ShipmentCommand, state: Shipment, reason: str) -> Events:
    """Give a bought label back; one that is not bought yet is left alone."""
    label = state.label
    if label is None or label.state != "bought":
        return []
    return [_void(command, label, reason)]


def _void(
    command: commands.ShipmentCommand, label: Label, reason: str
) -> events.LabelVoidRequested:
    return events.LabelVoidRequested(
        entity=command.entity, occurred_at=command.at, shipment_id=command.shipment_id,
        label_id=label.label_id, provider_shipment=label.provider_shipment, reason=reason,
        account=label.account,
    )  # fmt: skip


def _mine(state: Shipment, label_id: str, *among: str) -> Label | None:
    label = state.label
    return label if label and label.label_id == label_id and label.state in among else None


def _quoted(command: commands.QuoteLabel, state: Shipment) -> Events:
    """Buy what was quoted, unless the parcel has been stopped: then nothing is bought."""
    label = _mine(state, command.label_id, "requested", "doubt")
    if label is None or label.provider_shipment or state.status == "cancelled":
        return []
    return [
        events.LabelQuoted(
            entity=command.entity, occurred_at=command.at, shipment_id=command.shipment_id,
            label_id=command.label_id, provider_shipment=command.provider_shipment,
            provider_rate=command.provider_rate, cost=command.cost, currency=command.currency,
            account=label.account,
        )
    ]  # fmt: skip


def _bought(command: commands.RecordLabel, state: Shipment) -> Events:
    label = _mine(state, command.label_id, "quoted", "doubt", "refused")
    if label is None:
        return _stray(command, state)
    bought = events.LabelBought(
        entity=command.entity, occurred_at=command.at, shipment_id=command.shipment_id,
        label_id=command.label_id, provider_shipment=command.provider_shipment,
        tracking_code=command.tracking_code, tracker=command.tracker, carrier=command.carrier,
        service=command.service, cost=command.cost, currency=command.currency,
        label_url="", account=label.account,
    )  # fmt: skip
    if state.status != "cancelled":
        return [bought]
    mine = Label(
        command.label_id, "bought", label.account, provider_shipment=command.provider_shipment
    )
    return [bought, _void(command, mine, "stopped")]


def _stray(command: commands.RecordLabel, state: Shipment) -> Events:
    """Give a label back that was bought after all, when another had been asked for already."""
    label = state.earlier.get(command.label_id)
    if label is None or label.state == "voiding":
        return []
    bought = replace(label, provider_shipment=command.provider_shipment)
    return [_void(command, bought, "bought-after-all")]


def _decided(command: commands.DecideLabel, state: Shipment) -> Events:
    """Take a person's word for what no question has answered for a day, or what was not heard.

    What was bought after all, when another label was asked for, is given back.
    Refused("shipment-not-found" | "label-not-in-doubt" | "carrier-still-asked").
    """
    if not state.status:
        raise Refused("shipment-not-found", "There is no such shipment.")
    label = state.label
    if label is None or label.state not in {"quoted", "doubt"}:
        raise Refused("label-not-in-doubt", "It is known whether its label was bought.")
    if command.at < label.doubted + PATIENCE:
        raise Refused("carrier-still-asked", "The carrier is asked for a day; decide after it.")
    names = (command.entity, command.shipment_id, label.label_id)
    if not command.bought:
        return _refused(commands.RefuseLabel(*names, "not-bought", command.at), state)
    told = commands.RecordLabel(
        *names, label.provider_shipment, command.tracking_code, "", label.account, state.service,
        command.cost, state.currency, command.at,
    )  # fmt: skip
    return _bought(told, state)


def _void_decided(command: commands.DecideVoid, state: Shipment) -> Events:
    """Take a person's word for whether a label was given back, where nobody knows for a day.

    Refused("shipment-not-found" | "label-not-in-doubt" | "carrier-still-asked").
    """
    if not state.status:
        raise Refused("shipment-not-found", "There is no such shipment.")
    label = state.voiding()
    if label is None:
        raise Refused("label-not-in-doubt", "Its label is not being given back.")
    if command.at < label.doubted + PATIENCE:
        raise Refused("carrier-still-asked", "The carrier is asked for a day; decide after it.")
    names = (command.entity, command.shipment_id, label.label_id)
    return _voided(commands.RecordVoid(*names, command.accepted, command.at), state)


def _refused(command: commands.RefuseLabel, state: Shipment) -> Events:
    if _mine(state, command.label_id, "requested", "quoted", "doubt") is None:
        return []
    return [
        events.LabelRefused(
            entity=command.entity, occurred_at=command.at, shipment_id=command.shipment_id,
            label_id=command.label_id, code=command.code, deadline=command.at + PATIENCE,
        )
    ]  # fmt: skip


def _doubted(command: commands.DoubtLabel, state: Shipment) -> Events:
    if _mine(state, command.label_id, "requested", "quoted") is None:
        return []
    return [
        events.LabelInDoubt(
            entity=command.entity, occurred_at=command.at, shipment_id=command.shipment_id,
            label_id=command.label_id, since=command.at, deadline=command.at + PATIENCE,
        )
    ]  # fmt: skip


def _voided(command: commands.RecordVoid, state: Shipment) -> Events:
    label = state.earlier.get(command.label_id, state.label)
    if label is None or (label.label_id, label.state) != (command.label_id, "voiding"):
        return []
    return [
        events.LabelVoided(
            entity=command.entity, occurred_at=command.at, shipment_id=command.shipment_id,
            label_id=command.label_id, cost=label.cost, currency=label.currency,
            accepted=command.accepted,
        )
    ]  # fmt: skip


def _again(command: commands.RetryLabel, state: Shipment) -> Events:
    """Ask again where nothing was bought: what may have been bought is never asked for twice.

    A carrier that is away need not be waited for: what it creates late binds nobody.
    Refused("shipment-not-found" | "not-packed" | "label-not-refused" | "carrier-still-asked").
    """
    if not state.status:
        raise Refused("shipment-not-found", "There is no such shipment.")
    if state.status not in {"packed", "ready"}:
        raise Refused("not-packed", "Only a packed shipment that is still here needs a label.")
    label = state.label
    if label is None or not (label.state == "refused" or _uncreated(label)):
        raise Refused("label-not-refused", "Its label was not refused, or may have been bought.")
    if label.state == "requested" and command.at < label.doubted + HOUR:
        raise Refused(
            "carrier-still-asked", "The carrier is asked for an hour; ask again after it."
        )
    return [
        request(command, state, command.carrier or state.carrier, command.service or state.service)
    ]


def _uncreated(label: Label) -> bool:
    return label.state in {"requested", "doubt"} and not label.provider_shipment
