"""What a parcel's row says that it waits for, as its history goes on."""

from typing import Any

from msgspec.structs import replace

from libs.eventsourcing.testing import given
from services.fulfilment import shipment_commands as commands
from services.fulfilment.decider import SHIPMENT as PARCEL
from services.fulfilment.read_model import SHIPMENTS
from services.fulfilment.standing import ShipmentRow
from tests.unit.fulfilment.samples import (
    CARRIED,
    DAY,
    NOW,
    ORDER,
    SHIPMENT,
    bought,
    cleared,
    label_of,
    quoted,
    seen,
    share,
)
from tests.unit.memory import envelope, folded

LABELLED = (share(policy=CARRIED), quoted(), bought())
MOVED = (*LABELLED, share(2, mugs=0, reason="address-changed"))


def row(*steps: Any) -> ShipmentRow:
    """Return the row behind all that was decided on these commands."""
    history = [
        event for n in range(len(steps)) for event in given(PARCEL).when(*steps[: n + 1]).events
    ]
    log = [
        replace(envelope(event, n, at=NOW), stream=f"shipment-{SHIPMENT}")
        for n, event in enumerate(history, 1)
    ]
    found: ShipmentRow
    [found] = folded(SHIPMENTS, log).values()
    return found


def test_a_new_address_after_the_label_is_a_queue_with_a_decision() -> None:
    waits = row(*MOVED)
    assert (waits.reason, waits.owner) == ("address-changed-after-label", "operations")
    assert (waits.deadline, waits.value) == (NOW + DAY, 1000)
    assert "new-label" in waits.next_action
    kept = row(*MOVED, commands.DecideAddress("main", SHIPMENT, False, "w", NOW))
    assert kept.reason == "clearance"
    assert (kept.stops, kept.stop_reasons) == ({}, {})
    again = row(*MOVED, commands.DecideAddress("main", SHIPMENT, True, "w", NOW))
    assert (again.state, again.reason) == ("cancelled", "label-void")
    assert (again.owner, again.deadline) == ("operations", NOW + DAY)
    assert "not-given-back" in again.next_action
    said = commands.DecideVoid("main", SHIPMENT, False, "w", NOW + DAY)
    ended = row(*MOVED, commands.DecideAddress("main", SHIPMENT, True, "w", NOW), said)
    assert (ended.label, ended.waiting) == ("void-refused", False)


def test_a_parcel_that_came_back_waits_until_its_order_has_decided() -> None:
    sent = (*LABELLED, cleared(), seen("return_to_sender", NOW + 1))
    waits = row(*sent)
    assert (waits.reason, waits.owner) == ("returned-to-sender", "operations")
    settled = commands.SettleOrder("main", SHIPMENT, ORDER, "reship", "seller", NOW)
    assert (row(*sent, settled).waiting, row(*sent, settled).decision) == (False, "reship")
    arrived = row(*sent, settled, seen("delivered", NOW + 2))
    assert (arrived.state, arrived.decision) == ("delivered", "")


def test_a_lost_parcel_that_is_heard_of_again_and_lost_again_was_decided_on_once() -> None:
    lost = commands.AskTracking("main", SHIPMENT, 1, NOW + 11 * DAY)
    heard = seen("in_transit", NOW + 12 * DAY)
    settled = commands.SettleOrder("main", SHIPMENT, ORDER, "reship", "seller", NOW + 12 * DAY)
    again = commands.AskTracking("main", SHIPMENT, 2, NOW + 30 * DAY)
    for steps in ((lost, settled, heard, again), (lost, heard, settled, again)):
        found = row(*LABELLED, cleared(), *steps)
        assert (found.state, found.waiting, found.decision) == ("lost", False, "reship")


def test_a_label_that_is_waited_for_says_what_a_person_may_do() -> None:
    asked, quote = (
        row(share(policy=CARRIED), cleared()),
        row(share(policy=CARRIED), cleared(), quoted()),
    )
    assert (asked.reason, asked.next_action) == (
        "label", "the carrier is asked for a label; ask another after an hour, if it is away",
    )  # fmt: skip
    assert (quote.reason, quote.next_action) == (
        "label", "the carrier is asked for a day; then decide: bought or not-bought",
    )  # fmt: skip


def test_a_label_in_doubt_is_a_queue_with_a_decision() -> None:
    doubt = commands.DoubtLabel("main", SHIPMENT, label_of(), NOW)
    waits = row(share(policy=CARRIED), quoted(), doubt)
    assert (waits.reason, waits.owner, waits.deadline) == (
        "label-in-doubt", "operations", NOW + DAY,
    )  # fmt: skip
    said = commands.DecideLabel("main", SHIPMENT, False, "", 0, "w", NOW + DAY)
    refused = row(share(policy=CARRIED), quoted(), doubt, said)
    assert refused.reason == "label-refused:not-bought"
    retry = commands.RetryLabel("main", SHIPMENT, None, None, "w", NOW + DAY)
    strayed = row(share(policy=CARRIED), quoted(), doubt, said, retry, bought())
    assert (strayed.label, strayed.label_id) == ("requested", label_of(2))


def test_a_label_too_many_waits_behind_what_its_parcel_waits_for() -> None:
    doubt = commands.DoubtLabel("main", SHIPMENT, label_of(), NOW)
    said = commands.DecideLabel("main", SHIPMENT, False, "", 0, "w", NOW + DAY)
    retry = commands.RetryLabel("main", SHIPMENT, None, None, "w", NOW + DAY)
    strayed = (share(policy=CARRIED), quoted(), doubt, said, retry, bought())
    assert row(*strayed).reason == "clearance"
    sent = (*strayed, quoted(2), bought(2), cleared())
    waits = row(*sent)
    assert (waits.state, waits.reason, waits.owner) == ("dispatched", "label-void", "operations")
    assert (waits.deadline, waits.label) == (NOW + DAY, "bought")
    assert waits.next_action.startswith(label_of())
    voided = commands.RecordVoid("main", SHIPMENT, label_of(), True, NOW)
    ended = row(*sent, voided)
    assert (ended.waiting, ended.label, ended.strays) == (False, "bought", {})
