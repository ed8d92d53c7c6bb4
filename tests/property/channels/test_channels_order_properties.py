"""Deliveries of an order in any order and number: in the end the newest version stands."""

from functools import reduce
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.contracts import channels, common
from services.channels import commands
from services.channels.adapters import shopify
from services.channels.decider import CHANNEL_ORDER
from services.channels.listing_decider import LISTING
from tests.examples import examples
from tests.unit.channels import payloads

BASE = payloads.order_of(shopify, "orders/create", payloads.shopify())


def version(number: Any, quantity: Any, funds: Any, cancelled: Any) -> Any:
    lines = tuple(replace(line, quantity=quantity) for line in BASE.lines)
    at = common.Version(updated_at=1_000_000 * number, counter=0)
    order = replace(BASE, lines=lines, funds=funds, cancelled=cancelled, version=at)
    return commands.RecordOrder(order, "buyer", "customer", "customer")


CONTENTS = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.sampled_from(["pending", "paid"]),
        st.sampled_from([False] * 4 + [True]),
    ),
    min_size=1,
    max_size=6,
)


@st.composite
def deliveries(draw: Any) -> Any:
    versions = [version(i, *content) for i, content in enumerate(draw(CONTENTS), 1)]
    copies = draw(st.lists(st.sampled_from(versions), max_size=8))
    return versions, draw(st.permutations(versions + copies))


def run(said: Any) -> Any:
    """Fold the deliveries; return all events and what orders knows at the end."""
    events: list[Any] = []
    state = CHANNEL_ORDER.initial
    for command in said:
        new = CHANNEL_ORDER.decide(command, state)
        assert not CHANNEL_ORDER.decide(command, reduce(CHANNEL_ORDER.evolve, new, state))
        state = reduce(CHANNEL_ORDER.evolve, new, state)
        events += new
    return events


def view(events: Any) -> Any:
    """What a reader of the events knows: quantity, funds, cancelled, version."""
    quantity, funds, cancelled, at = 0, "none", False, -1
    for event in events:
        match event:
            case (
                channels.ChannelOrderReceived(order=order)
                | channels.ChannelOrderChanged(order=order)
            ):
                quantity, funds, cancelled = order.lines[0].quantity, order.funds, order.cancelled
                moved = order.version.updated_at
            case channels.ChannelOrderFundsChanged():
                funds, moved = event.funds, event.version.updated_at
            case channels.ChannelOrderCancelled():
                cancelled, moved = True, event.version.updated_at
            case _:
                moved = event.version.updated_at
        assert moved >= at
        at = moved
    return quantity, funds, cancelled, at


@settings(max_examples=examples(300), deadline=None)
@given(deliveries())
def test_the_newest_version_stands_whatever_the_order_of_deliveries(case: Any) -> None:
    versions, said = case
    newest = versions[-1].order
    quantity, funds, cancelled, at = view(run(said))
    assert (funds, cancelled, at) == (newest.funds, newest.cancelled, newest.version.updated_at)
    if not cancelled:
        assert quantity == newest.lines[0].quantity


@settings(max_examples=examples(200), deadline=None)
@given(deliveries())
def test_an_order_is_received_once(case: Any) -> None:
    events = run(case[1])
    assert sum(isinstance(event, channels.ChannelOrderReceived) for event in events) == 1
    assert isinstance(events[0], channels.ChannelOrderReceived)


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.sampled_from(["told", "told-cancelled", "deleted", "restored"]), max_size=8))
def test_a_deletion_stands_until_the_shop_restores_the_order(said: Any) -> None:
    deleted = cancelled = False
    what = [version(1, 2, "paid", False)]
    for number, word in enumerate(said, 2):
        if word == "deleted":
            deleted = True
            what.append(commands.RecordDeletion("main", BASE.account, BASE.external_id, 1))
        else:
            deleted, cancelled = deleted and word != "restored", word == "told-cancelled"
            order = version(number, 2, "paid", cancelled)
            what.append(replace(order, restored=word == "restored"))
    assert view(run(what))[2] == (deleted or cancelled)


def listing_commands() -> Any:
    component = (common.Component(sku="TEE", units=1),)
    names: dict[str, Any] = {"entity": "main", "account": "shop", "listing_id": "1", "at": 1}
    needs = st.builds(
        lambda n: commands.NeedListing(
            **names, channel_sku="tee", title="T", external_id="o", line_id=f"ln_{n}"
        ),
        st.integers(0, 4),
    )
    links = st.builds(
        lambda sku, units, by: commands.LinkListing(
            **names,
            channel_sku="tee",
            sku=sku,
            units_per_listing=units,
            components=component,
            by=by,
        ),
        st.sampled_from(["TEE", "MUG"]),
        st.integers(1, 2),
        st.sampled_from(["operator", commands.EQUAL_SKU]),
    )
    unlink = st.just(commands.UnlinkListing(**names, by="operator"))
    return st.lists(needs | links | unlink, max_size=20)


@settings(max_examples=examples(200), deadline=None)
@given(listing_commands())
def test_no_line_waits_for_a_listing_that_is_linked_and_repeats_are_silent(said: Any) -> None:
    state = LISTING.initial
    for command in said:
        state = reduce(LISTING.evolve, LISTING.decide(command, state), state)
        assert not (state.sku and state.waiting)
        assert not LISTING.decide(command, state) or (
            isinstance(command, commands.NeedListing) and state.blocked
        )
