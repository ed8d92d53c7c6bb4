"""A new address for what can be stopped no more: a queue, until a person or the parcel's end."""

from typing import Any

import pytest
from msgspec.structs import replace

from libs.contracts import common, orders
from libs.eventsourcing.testing import given
from services.orders import commands
from services.orders.decider import ORDER
from tests.unit.orders.samples import NOW, answer, captured, line, order, parcel, told
from tests.unit.orders.test_orders_confirming import MUG, names, only

ACCEPT = commands.DecideConcern("accept", None, "seller", NOW)


def at(street: str, version: int = 1, *lines: common.OrderLine) -> commands.RecordVersion:
    """Return a version of the order whose buyer is there."""
    sealed = common.Sealed(
        subject="subject-1", clearance="contact", key_id="k", nonce=b"n", ciphertext=street.encode()
    )
    version_of_it = order(*(lines or (MUG,)), version=version)
    customer = replace(version_of_it.customer, contact=sealed)
    return commands.RecordVersion(
        replace(version_of_it, customer=customer), occurred_at=NOW, at=NOW
    )


SENT = (
    at("mill"), answer("MUG", 2), captured(200), parcel("planned", ("a", 2)),
    parcel("dispatched", ("a", 2), seen=2),
)  # fmt: skip
TOO_LATE = parcel("packed", ("a", 2), seen=3, fact="StopTooLate", reason="address-changed")


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


def test_who_moves_after_it_has_arrived_concerns_nobody() -> None:
    assert concerns(*SENT, parcel("delivered", ("a", 2), seen=3), at("quay", 2)) == set()


@pytest.mark.parametrize("left_first", [True, False])
def test_an_address_that_fulfilment_heard_too_late_is_a_persons_matter(*, left_first: bool) -> None:
    """Orders stated the new address before it knew that the parcel had left."""
    begun, away = SENT[:4], parcel("dispatched", ("a", 2), seen=2 if left_first else 4)
    facts = (away, TOO_LATE) if left_first else (TOO_LATE, away)
    assert concerns(*begun, at("quay", 2), *facts) == {"address-too-late"}
    assert concerns(*begun, at("quay", 2), *facts, ACCEPT) == set()
    assert concerns(*begun, at("quay", 2), *facts, ACCEPT, replace(TOO_LATE, version=9)) == set()


def test_what_nobody_carries_goes_nowhere() -> None:
    card = line("a", 2, ("MUG", 1), requires_shipping=False)
    start = (at("mill", 1, card), *SENT[1:])
    assert concerns(*start, at("quay", 2, card)) == set()


def test_an_order_without_an_address_has_none_to_compare() -> None:
    assert concerns(told(MUG), *SENT[1:], told(MUG, version=2)) == set()
