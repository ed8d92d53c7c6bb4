"""Rows of channels' read models are the same for every interleaving that keeps streams in order."""

from functools import reduce
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.contracts import common, inventory
from libs.eventsourcing.envelope import Envelope
from services.channels import commands
from services.channels.adapters import shopify
from services.channels.decider import CHANNEL_ORDER
from services.channels.listing_decider import LISTING
from services.channels.read_model import CHANNEL_ORDERS, ITEMS, LISTINGS
from tests.examples import examples
from tests.unit.channels import payloads

BASE = payloads.order_of(shopify, "orders/create", payloads.shopify())


def order_events(number: Any) -> Any:
    later = replace(BASE, version=common.Version(updated_at=BASE.version.updated_at + 1, counter=0))
    said = [
        BASE,
        replace(later, funds="refunded"),
        replace(later, funds="refunded", cancelled=True),
    ]
    ours = [commands.RecordOrder(replace(order, external_id=str(number))) for order in said]
    return decided(CHANNEL_ORDER, ours)


def listing_events(number: Any) -> Any:
    names: dict[str, Any] = {
        "entity": "main",
        "account": "shop",
        "listing_id": str(number),
        "at": 1,
    }
    need = commands.NeedListing(
        **names, channel_sku="tee", title="T", external_id="o", line_id="ln_1"
    )
    part = (common.Component(sku="TEE", units=1),)
    link = commands.LinkListing(
        **names, channel_sku="tee", sku="TEE", units_per_listing=2, components=part, by="operator"
    )
    return decided(LISTING, [need, link, commands.UnlinkListing(**names, by="operator")])


def item_events(number: Any) -> Any:
    names: dict[str, Any] = {
        "entity": "main",
        "occurred_at": 1,
        "sku": f"SKU{number}",
        "by": "operator",
    }
    received = inventory.StockReceived(**names, location="main", quantity=1, document="d")
    defined = inventory.ItemDefined(**names, description="Tee", barcode="501", components=())
    return [received, defined, received]


def decided(decider: Any, said: Any) -> Any:
    events: list[Any] = []
    state = decider.initial
    for command in said:
        new = decider.decide(command, state)
        state = reduce(decider.evolve, new, state)
        events += new
    return events


STREAMS = [make(n) for make in (order_events, listing_events, item_events) for n in range(2)]


def rows(events: Any) -> Any:
    found: dict[Any, Any] = {}
    for event in events:
        projections: tuple[Any, ...] = (LISTINGS, ITEMS, CHANNEL_ORDERS)
        for projection in projections:
            envelope = Envelope(event, "", "", "", 1, 0, "channels", 0, 1, "")
            for key in projection.keys(envelope):
                row = projection.evolve(found.get((projection.name, key)), key, envelope)
                found[projection.name, key] = row
                assert tuple(getattr(row, name) for name in projection.key) == key
    return found


@settings(max_examples=examples(100), deadline=None)
@given(st.permutations([i for i, events in enumerate(STREAMS) for _ in events]))
def test_rows_are_the_same_for_every_interleaving_of_streams(order: Any) -> None:
    waiting = [list(events) for events in STREAMS]
    mixed = [waiting[i].pop(0) for i in order]
    assert rows(mixed) == rows([event for events in STREAMS for event in events])


def test_rows_say_what_happened() -> None:
    found = rows([event for events in STREAMS for event in events])
    order = found["channel_orders", ("shop", "0")]
    assert (order.funds, order.cancelled, order.versions) == ("refunded", True, 1)
    listing = found["listings", ("shop", "1")]
    assert (listing.linked, listing.blocked, listing.waiting) == (False, True, {})
    assert found["items", ("SKU1",)].barcode == "501"
