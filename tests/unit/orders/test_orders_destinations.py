"""A new address for what can be stopped no more: a queue, until a person or the parcel's end."""

from typing import Any

import pytest
from msgspec.structs import replace

from libs.contracts import common, fulfilment, orders
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.testing import given
from libs.values.places import mark
from services.orders import commands
from services.orders.decider import ORDER
from services.orders.process import react_to_fulfilment
from tests.unit.orders.samples import ID, NOW, answer, captured, line, order, parcel, told
from tests.unit.orders.test_orders_confirming import MUG, names, only

ACCEPT = commands.DecideConcern("accept", None, "seller", NOW)


def at(
    street: str, version: int = 1, *lines: common.OrderLine, place: str = ""
) -> commands.RecordVersion:
    """Return a version of the order whose buyer is there; what is sealed may hold a phone, too."""
    sealed = common.Sealed(
        subject="subject-1", clearance="contact", key_id="k", nonce=b"n", ciphertext=street.encode()
    )
    version_of_it = order(*(lines or (MUG,)), version=version)
    customer = replace(version_of_it.customer, contact=sealed, place=place)
    return commands.RecordVersion(
        replace(version_of_it, customer=customer), occurred_at=NOW, at=NOW
    )


PLANNED = parcel("planned", ("a", 2), destination=mark(at("mill").order.customer))
SENT = (
    at("mill"), answer("MUG", 2), captured(200), PLANNED, parcel("dispatched", ("a", 2), seen=2)
)  # fmt: skip


def concerns(*steps: Any) -> set[str]:
    return set(given(ORDER).when(*steps).state.concerns)


def test_a_buyer_who_moves_when_the_parcel_has_left_is_a_persons_matter() -> None:
    moved = given(ORDER).when(*SENT, at("quay", 2))
    assert names(moved.events) == ["OrderAmended", "OrderWaits"]
    waits = only(moved.events, orders.OrderWaits)
    assert (waits.reason, waits.value_minor) == ("address-too-late", 200)


def test_a_person_lets_it_go_on_once_for_each_address() -> None:
    steps = (*SENT, at("quay", 2), ACCEPT)
    accepted = given(ORDER).when(*steps)
    assert names(accepted.events) == ["OrderDecisionTaken", "OrderWaitOver"]
    decided = only(accepted.events, orders.OrderDecisionTaken)
    assert (decided.reason, [(n.line_id, n.quantity) for n in decided.lines]) == (
        "address-too-late", [("a", 2)],
    )  # fmt: skip
    given(ORDER).when(*steps, ACCEPT).then()
    assert concerns(*steps, at("quay", 3, line("a", 2, ("MUG", 1), title="A mug"))) == set()
    assert concerns(*steps, at("hill", 3)) == {"address-too-late"}


@pytest.mark.parametrize(
    "over", [at("mill", 3), parcel("delivered", ("a", 2), seen=3)], ids=["back", "arrived"]
)
def test_it_is_over_when_the_buyer_is_back_or_the_parcel_has_arrived(over: Any) -> None:
    outcome = given(ORDER).when(*SENT, at("quay", 2), over)
    assert "OrderWaitOver" in names(outcome.events)
    assert not outcome.state.concerns


def test_a_buyer_who_is_only_called_elsewhere_is_where_the_parcel_goes() -> None:
    here = at("mill", place="mill")
    planned = parcel("planned", ("a", 2), destination=mark(here.order.customer))
    sent = (here, *SENT[1:3], planned, SENT[4])
    assert concerns(*sent, at("mill, called elsewhere", 2, place="mill")) == set()
    assert concerns(*sent, at("quay", 2, place="quay")) == {"address-too-late"}
    twice = (*sent, at("quay", 2, place="quay"), ACCEPT)
    assert concerns(*twice, at("quay, called elsewhere", 3, place="quay")) == set()


def test_a_parcel_that_left_before_places_were_told_is_known_by_its_contact() -> None:
    assert concerns(*SENT, at("mill", 2, place="mill")) == set()
    assert concerns(*SENT, at("quay", 2, place="quay")) == {"address-too-late"}


def test_who_moves_after_it_has_arrived_concerns_nobody() -> None:
    assert concerns(*SENT, parcel("delivered", ("a", 2), seen=3), at("quay", 2)) == set()


@pytest.mark.parametrize("reason", ["address-changed", "not-wanted"])
@pytest.mark.parametrize("known", [1, 3, 4])
def test_what_left_for_the_old_address_is_known_whenever_orders_hears_of_it(
    known: int, reason: str
) -> None:
    facts: list[Any] = [
        PLANNED, parcel("dispatched", ("a", 2), seen=2),
        parcel("packed", ("a", 2), seen=3, fact="StopTooLate", reason=reason),
    ]  # fmt: skip
    facts.insert(known - 1, at("quay", 2))
    steps = (*SENT[:3], *facts)
    assert concerns(*steps) == {"address-too-late"}
    assert concerns(*steps, ACCEPT) == set()


def test_a_parcel_that_cannot_be_stopped_is_told_before_it_leaves() -> None:
    too_late = parcel("packed", ("a", 2), seen=2, fact="StopTooLate", reason="address-changed")
    steps = (*SENT[:4], at("quay", 2))
    assert concerns(*steps) == set()
    assert concerns(*steps, too_late) == {"address-too-late"}


def test_a_person_who_kept_the_label_for_the_old_address_is_not_asked_again() -> None:
    kept = parcel("packed", ("a", 2), seen=2, fact="ShipmentAddressKept")
    away = parcel("dispatched", ("a", 2), seen=3)
    steps = (*SENT[:4], at("quay", 2), kept)
    assert concerns(*steps, away) == set()
    given(ORDER).when(*steps, replace(kept, version=3)).then()
    assert concerns(*steps, away, at("hill", 3)) == {"address-too-late"}


def test_what_nobody_carries_goes_nowhere() -> None:
    card = line("a", 2, ("MUG", 1), requires_shipping=False)
    start = (at("mill", 1, card), *SENT[1:])
    assert concerns(*start, at("quay", 2, card)) == set()


def test_an_order_without_an_address_has_none_to_compare() -> None:
    assert concerns(told(MUG), *SENT[1:], told(MUG, version=2)) == set()


def test_a_parcel_is_known_by_the_address_that_it_was_planned_for() -> None:
    rows = tuple(common.ShipmentRow(order_id=o, line_id="a", quantity=1) for o in (ID, "ord_2"))
    planned = fulfilment.ShipmentPlanned(
        entity="main", occurred_at=NOW, shipment_id="s1", location="main", rows=rows, units=(),
        requires_shipping=True, carrier="post", service="", customer=at("mill").order.customer,
        declared_value=1, currency="GBP", packing="by-hand", account="shop", statement=1,
        hand_over="by-hand", silent_days=3, assume_days=2,
    )  # fmt: skip
    asked = react_to_fulfilment(Envelope(planned, "", "e1", "s", 1, NOW, "fulfilment", 0, 1, ""))
    assert {command.destination for _, command in asked} == {mark(at("mill").order.customer)}
