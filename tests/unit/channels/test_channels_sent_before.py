"""An order that its shop had sent before we heard of it is not sent a second time.

A shop that has just been connected tells of old orders whenever one changes: its buyer moved, a
plugin noted something, money went back.
"""

from typing import Any

import pytest
from msgspec.structs import replace

from libs.contracts import channels
from services.channels import commands
from services.channels.adapters import shopify, standard, woocommerce
from services.channels.decider import CHANNEL_ORDER
from services.channels.process import Link, listings_of, order_work
from tests.unit.channels import payloads
from tests.unit.channels.payloads import TERMS

KNOWN = Link(sku="X", units_per_listing=1, base=(), components=())
LATER = "2024-04-01T10:00:00+00:00"


def told(adapter: Any, topic: str, payload: Any) -> commands.RecordOrder:
    found = adapter.understand(topic, payloads.parsed(payload), TERMS)
    work = order_work(found, dict.fromkeys(listings_of(found.order), KNOWN), 0)
    command = work[0][1]
    assert isinstance(command, commands.RecordOrder)
    return command


def handed_by(*said: commands.RecordOrder) -> list[str]:
    """Who hands each line over, by the last order that was told."""
    state, found = CHANNEL_ORDER.initial, list[Any]()
    for command in said:
        for event in CHANNEL_ORDER.decide(command, state):
            state = CHANNEL_ORDER.evolve(state, event)
            found.append(event)
    whole = channels.ChannelOrderReceived | channels.ChannelOrderChanged
    orders = [event.order for event in found if isinstance(event, whole)]
    return [line.fulfilled_by for line in orders[-1].lines]


def parcel(*lines: tuple[int, int], status: str = "success") -> dict[str, Any]:
    rows = [{"id": number, "quantity": units} for number, units in lines]
    return {"id": 7, "status": status, "line_items": rows}


def shop(*parcels: Any, **changes: Any) -> commands.RecordOrder:
    payload = payloads.shopify(fulfillments=list(parcels), **changes)
    return told(shopify, "orders/updated", payload)


def woo(status: str, **changes: Any) -> commands.RecordOrder:
    return told(woocommerce, "order.updated", payloads.woocommerce(status=status, **changes))


def store(**changes: Any) -> commands.RecordOrder:
    return told(standard, "", payloads.standard("order.updated", **changes))


def sent(*lines: tuple[str, int], **more: Any) -> dict[str, Any]:
    rows = [{"line_id": name, "quantity": units} for name, units in lines]
    return {"id": "ful_1", "lines": rows} | more


@pytest.mark.parametrize(
    ("first", "lines"),
    [
        (shop(), ["us", "us"]),
        (shop(parcel((1, 2), (2, 1))), ["channel", "channel"]),
        (shop(parcel((1, 1)), parcel((1, 1))), ["channel", "us"]),
        (shop(parcel((1, 1), (2, 1))), ["us", "channel"]),
        (shop(parcel((1, 2), (2, 1), status="cancelled")), ["us", "us"]),
        (woo("processing"), ["us", "us"]),
        (woo("completed"), ["channel", "channel"]),
        (woo("refunded"), ["channel", "channel"]),
        (store(), ["us", "us"]),
        (store(status="completed"), ["channel", "channel"]),
        (store(fulfilments=[sent(("line_1", 2))]), ["channel", "us"]),
        (store(fulfilments=[sent(("line_2", 1), resend_of="x"), sent(("line_1", 1))]),
         ["us", "us"]),
    ],
)  # fmt: skip
def test_what_the_shop_sent_before_we_heard_of_it_is_the_shops(first: Any, lines: Any) -> None:
    assert handed_by(first) == lines


def test_what_was_sent_in_part_and_came_back_was_sent() -> None:
    """Two T-shirts were sent, one came back: what is left was sent."""
    items = payloads.shopify()["line_items"]
    items[0] |= {"current_quantity": 1}
    back = {"refund_line_items": [{"line_item_id": 1, "quantity": 1, "restock_type": "return"}]}
    assert handed_by(shop(parcel((1, 2)), line_items=items, refunds=[back])) == ["channel", "us"]


@pytest.mark.parametrize(
    ("first", "later"),
    [
        (shop(), shop(parcel((1, 2), (2, 1)), updated_at=LATER, financial_status="refunded")),
        (woo("processing"), woo("completed", date_modified_gmt=LATER, total="34.01")),
    ],
)
def test_what_is_sent_later_is_what_we_told_the_shop(first: Any, later: Any) -> None:
    assert handed_by(first, replace(later, order=replace(later.order, display_number="2"))) == [
        "us", "us",
    ]  # fmt: skip


def test_what_was_the_shops_stays_the_shops_whatever_becomes_of_the_order() -> None:
    later = woo("processing", date_modified_gmt=LATER, total="34.01")
    assert handed_by(woo("completed"), later) == ["channel", "channel"]


def test_a_line_that_such_an_order_has_later_is_ours() -> None:
    items = payloads.woocommerce()["line_items"]
    first = woo("completed", line_items=items[:1])
    assert handed_by(first, woo("processing", date_modified_gmt=LATER)) == ["channel", "us"]


def test_cards_and_downloads_are_handed_over_as_ever() -> None:
    items = payloads.woocommerce()["line_items"]
    items[0] |= {"virtual": True}
    assert handed_by(woo("completed", line_items=items)) == ["us", "channel"]
