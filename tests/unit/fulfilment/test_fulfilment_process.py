"""The configuration inside commands, and the timers and effects that facts set."""

from typing import Any

from msgspec.structs import replace

from libs.contracts import orders
from libs.contracts.common import Customer
from libs.eventsourcing.process import Effect, Timer
from libs.eventsourcing.testing import given
from libs.runtime.settings import Carrier, Location, Settings
from services.fulfilment import handover_commands, process, shipment_commands
from services.fulfilment.decider import HANDOVER
from services.fulfilment.decider import SHIPMENT as PARCEL
from services.fulfilment.terms import places_of
from tests.unit.fulfilment.samples import (
    CARRIED,
    DAY,
    MUGS,
    NOW,
    ORDER,
    bought,
    cleared,
    customer,
    kept,
    quoted,
    share,
    taken,
)
from tests.unit.memory import envelope

SETTINGS = Settings(
    locations={
        "main": Location(carrier="post", service="First", hand_over="by-hand"),
        "shop": Location(packing="by-hand"),
    },
    carriers={"post": Carrier(countries=("GB", "IE"), silent_days=4)},
)
PLACES = places_of(SETTINGS)


def requested(buyer: Customer) -> handover_commands.TakeFulfilment:
    event = orders.FulfilmentRequested(
        entity="main", occurred_at=NOW, order_id=ORDER, revision=1, account="shop", lines=(MUGS,),
        one_parcel=False, customer=buyer, declared_value=1000, currency="GBP",
    )  # fmt: skip
    ((stream, command),) = process.reactions(PLACES)["orders"](envelope(event))
    assert stream == "handover-ord_1"
    assert isinstance(command, handover_commands.TakeFulfilment)
    return command


def test_places_say_how_parcels_leave_them() -> None:
    assert PLACES.policy("main") == shipment_commands.Policy(
        "post", "First", "automatic", "by-hand", 4, 5
    )
    assert PLACES.policy("shop") == shipment_commands.Policy(packing="by-hand")
    assert PLACES.policy("elsewhere").carrier == shipment_commands.SELF


def test_an_address_is_refused_by_places_with_a_carrier_only() -> None:
    def codes(buyer: Customer) -> list[tuple[str, str]]:
        return [(one.location, one.code) for one in requested(buyer).refused_locations]

    assert codes(customer()) == []
    assert codes(customer(None)) == [("main", "address-missing")]
    assert codes(replace(customer(), ship_to_country="")) == [("main", "address-incomplete")]
    assert codes(replace(customer(), ship_to_country="FR")) == [("main", "country-not-served")]


def test_a_plan_takes_the_policy_of_its_place_to_the_parcel() -> None:
    plan = given(HANDOVER).when(taken(MUGS), kept("MUG", 1, ("main", 2))).events[-1]
    told = process.reactions(PLACES)["fulfilment"](envelope(plan, service="fulfilment"))
    ((stream, command),) = told
    assert stream == f"shipment-{plan.shipment_id}"
    assert command.policy == PLACES.policy("main")


def planned(*given_commands: Any) -> list[Timer | Effect]:
    events = given(PARCEL).when(*given_commands).events
    return [
        item for e in events for item in process.plan(envelope(e, at=NOW, service="fulfilment"))
    ]


def test_each_step_of_a_label_is_one_effect_with_a_name_of_its_own() -> None:
    begun = share(policy=CARRIED)
    names = [
        item.kind
        for told in ((begun,), (begun, quoted()), (begun, quoted(), bought(), share(2, mugs=0)))
        for item in planned(*told)
        if isinstance(item, Effect)
    ]
    assert names == [process.CREATE, process.BUY, process.VOID]


def test_a_tracked_parcel_is_asked_for_daily_and_an_untracked_one_assumed_to_arrive() -> None:
    (ask,) = planned(share(policy=CARRIED), quoted(), bought(), cleared())
    assert isinstance(ask, Timer)
    assert (ask.due, type(ask.command)) == (NOW + DAY, shipment_commands.AskTracking)
    begun = (share(policy=CARRIED), quoted(), bought(), cleared(), ask.command)
    again, poll = planned(*begun)
    assert isinstance(again, Timer)
    assert (again.due, isinstance(poll, Effect)) == (NOW + 2 * DAY, True)
    (assume,) = planned(share(policy=shipment_commands.Policy(assume_days=3)), cleared())
    assert isinstance(assume, Timer)
    assert (assume.due, type(assume.command)) == (NOW + 3 * DAY, shipment_commands.AssumeDelivered)
