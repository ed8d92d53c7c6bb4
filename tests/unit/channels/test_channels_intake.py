"""From a batch of deliveries to commands: links, keys, and nothing personal anywhere."""

import json
from typing import Any

import pytest

from libs.codec.framing import EventCodec
from libs.contracts import channels
from libs.eventsourcing.states import pack, unpack
from libs.values.ids import category
from services.channels import commands
from services.channels.adapters.parsing import ChannelDataError
from tests.unit.channels import payloads
from tests.unit.channels.memory import DECIDERS, NOW, Shop, app_of, call

TOPICS = {"shop": "orders/create", "woo": "order.created", "store": ""}
PAYLOADS: dict[str, Any] = {
    "shop": payloads.shopify, "woo": payloads.woocommerce, "store": payloads.standard
}  # fmt: skip


def canaries_in(data: bytes | str) -> list[str]:
    text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    return [canary for canary in payloads.CANARIES if canary in text]


@pytest.mark.parametrize("account", TOPICS)
async def test_no_canary_reaches_an_event_or_a_command(account: str) -> None:
    shop = Shop()
    told = await shop.deliver(account, TOPICS[account], PAYLOADS[account]())
    codec = EventCodec(channels.CONTRACTS)
    assert shop.events
    for event in shop.events:
        assert canaries_in(codec.encode(event)[2]) == []
        assert canaries_in(repr(event)) == []
    for command, packed in shop.commands:
        kinds = commands.ChannelOrderCommand | commands.ListingCommand
        assert unpack(kinds, packed) == command
        assert canaries_in(packed) == canaries_in(repr(command)) == []
    assert canaries_in(repr(told)) == []
    for stream, state in shop.states.items():
        assert unpack(DECIDERS[category(stream)].state, pack(state)) == state
    customer = shop.events[0].order.customer
    for field, sealed in (("contact", customer.contact), ("statutory", customer.statutory)):
        opened = json.loads(await shop.vault.open(sealed, field))
        assert "Canaryfirst" in opened["name"]


async def test_a_retry_seals_alike_and_is_recognised() -> None:
    shop = Shop()
    await shop.deliver("shop", "orders/create", payloads.shopify())
    await shop.deliver("shop", "orders/updated", payloads.shopify(), payloads.shopify())
    assert shop.types().count("ChannelOrderReceived") == 1
    assert not [
        name for name in shop.types() if name in {"ChannelOrderChanged", "ChannelOrderTouched"}
    ]


async def test_a_new_address_is_told_as_a_change() -> None:
    shop = Shop()
    await shop.deliver("shop", "orders/create", payloads.shopify())
    moved = payloads.shopify(updated_at="2024-03-02T10:00:00Z", phone="+442079460000")
    await shop.deliver("shop", "orders/updated", moved)
    assert "ChannelOrderChanged" in shop.types()


async def test_another_phone_or_mail_of_a_buyer_is_no_other_place() -> None:
    shop = Shop()
    reached = {"phone": "+442079460000", "email": "other@example.invalid"}
    address = payloads.shopify()["shipping_address"]
    told = [
        payloads.shopify(),
        payloads.shopify(updated_at="2024-03-02T10:00:00Z", **reached),
        payloads.shopify(updated_at="2024-03-03T10:00:00Z",
                         shipping_address=address | {"address1": "Canary Street 2"}),
        payloads.shopify(updated_at="2024-03-04T10:00:00Z",
                         shipping_address=address | {"name": "Canaryfirst Other"}),
        payloads.shopify(id=1002),
    ]  # fmt: skip
    for one in told:
        await shop.deliver("shop", "orders/updated", one)
    kinds = channels.ChannelOrderReceived | channels.ChannelOrderChanged
    first, called, moved, named, another = (
        e.order.customer for e in shop.events if isinstance(e, kinds)
    )
    assert first.place == called.place == another.place != ""
    assert len({first.place, moved.place, named.place}) == 3
    assert first.contact != called.contact


async def test_equal_skus_link_by_rule_once_and_others_wait() -> None:
    shop = Shop()
    shop.stock("MUG")
    first, second = payloads.shopify(), payloads.shopify(id=1002)
    await shop.deliver("shop", "orders/create", first, second)
    order = shop.events[0].order
    assert [(line.sku, len(line.components)) for line in order.lines] == [(None, 0), ("MUG", 1)]
    assert shop.types().count("ListingLinked") == 1
    assert shop.types().count("ListingNeeded") == 2
    assert [c.by for c, _ in shop.commands if isinstance(c, commands.LinkListing)] == [
        "rule:equal-sku"
    ]


async def test_a_blocked_listing_waits_though_its_sku_is_known() -> None:
    shop = Shop()
    shop.stock("MUG", "TEE")
    unlink = commands.UnlinkListing(
        entity="main", account="shop", listing_id="502", by="operator", at=NOW
    )
    shop.decide("listing-shop:502", unlink)
    await shop.deliver("shop", "orders/create", payloads.shopify())
    (order,) = [e.order for e in shop.events if isinstance(e, channels.ChannelOrderReceived)]
    assert [line.sku for line in order.lines] == ["TEE", None]


async def test_one_broken_delivery_does_not_touch_the_others() -> None:
    shop = Shop()
    good, bad = payloads.shopify(), payloads.shopify(id=None)
    told = await shop.deliver("shop", "orders/create", good, bad, payloads.shopify(id=1003))
    assert isinstance(told[1], ChannelDataError)
    assert told[1].code == "missing-id"
    assert shop.types().count("ChannelOrderReceived") == 2


async def test_an_erased_buyers_order_is_still_an_order() -> None:
    shop = Shop()
    await shop.deliver("shop", "orders/create", payloads.shopify())
    subject = shop.events[0].order.customer.subject
    assert await shop.vault.shred(subject, "contact")
    other = payloads.shopify(id=1002, customer={"id": 78})
    await shop.deliver("shop", "orders/create", payloads.shopify(id=1001_2), other)
    orders = [e.order for e in shop.events if isinstance(e, channels.ChannelOrderReceived)]
    assert [order.customer.contact is None for order in orders] == [False, True, False]
    assert [order.customer.place == "" for order in orders] == [False, True, False]


async def test_a_guest_has_a_key_per_order_and_a_buyer_one_per_account() -> None:
    shop = Shop()
    guest = {"customer": None}
    buyers = [payloads.shopify(id=n) for n in (1, 2)]
    await shop.deliver(
        "shop", "orders/create", *buyers, *[payloads.shopify(id=n, **guest) for n in (3, 4)]
    )
    subjects = [
        e.order.customer.subject
        for e in shop.events
        if isinstance(e, channels.ChannelOrderReceived)
    ]
    assert subjects[0] == subjects[1]
    assert len(set(subjects)) == 3


async def test_a_tentative_order_gets_the_end_of_its_hold() -> None:
    shop = Shop()
    await shop.deliver("woo", "order.created", payloads.woocommerce(status="pending"))
    assert shop.events[0].order.expires_at == NOW + 60 * 60_000_000


CHECKOUT: dict[str, Any] = {
    "lines": [{"sku": "tee", "quantity": 2, "unit_price": "10.00", "tax": "4.00", "tax_rate": "0.2"}],
    "customer": {"email": "canary-mail@example.invalid", "name": "Canaryfirst Canarylast"},
    "shipping_address": {"line1": "Canary Street 1", "country": "GB"},
    "currency": "GBP", "total": "24.00",
}  # fmt: skip


async def checkout(shop: Shop, key: str = "k1", **changes: Any) -> Any:
    body = json.dumps(CHECKOUT | changes).encode()
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    path = "/channels/store/store/checkouts"
    return await call(app_of(shop), "POST", path, body, headers)


async def test_a_checkout_holds_its_units_as_a_tentative_order() -> None:
    shop = Shop()
    shop.stock("TEE")
    status, answer = await checkout(shop)
    assert status == 201
    assert await checkout(shop) == (201, answer)
    (event,) = shop.events
    assert (event.order.commitment, event.order.funds) == ("tentative", "none")
    assert event.order.expires_at == NOW + 60 * 60_000_000
    assert (event.order.lines[0].sku, event.order.totals.total) == ("TEE", 2400)
    assert canaries_in(repr(shop.commands) + repr(answer)) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [({}, "listing-not-linked"), ({"total": "99.00"}, "invalid-request"),
     ({"lines": []}, "invalid-request"), ({"lines": [{"quantity": 1, "unit_price": "1"}]}, "invalid-request")],
)  # fmt: skip
async def test_a_checkout_that_cannot_be_held_is_refused(changes: Any, code: str) -> None:
    shop = Shop()
    status, answer = await checkout(shop, **changes)
    assert (400 <= status < 500, answer["code"], shop.events) == (True, code, [])
    assert canaries_in(json.dumps(answer)) == []


async def test_people_link_listings_and_the_lines_that_wait_go_on() -> None:
    shop = Shop()
    shop.stock("SHIRT")
    await shop.deliver("shop", "orders/create", payloads.shopify())
    app = app_of(shop)
    status, page = await call(app, "GET", "/channels/listings?linked=false", b"", {})
    assert (status, [(row["listing_id"], row["waiting_lines"]) for row in page["items"]]) == (
        200, [("501", 1), ("502", 1)],
    )  # fmt: skip
    body = json.dumps({"sku": "shirt", "units_per_listing": 3}).encode()
    headers = {"Content-Type": "application/json", "Idempotency-Key": "l1"}
    path = "/channels/listings/shop/501"
    status, answer = await call(app, "POST", f"{path}/link", body, headers)
    assert (status, answer["events"]) == (200, ["ListingLinked", "ListingLineResolved"])
    assert shop.events[-1].components[0].units == 3
    status, found = await call(app, "GET", f"{path}/suggestions", b"", {})
    assert (status, found) == (200, [])
    status, answer = await call(app, "POST", f"{path}/unlink", b"", {"Idempotency-Key": "l2"})
    assert (status, answer["events"]) == (200, ["ListingUnlinked"])
    other = headers | {"Idempotency-Key": "l3"}
    status, problem = await call(app, "POST", f"{path}/link", b'{"sku":"x"}', other)
    assert (status, problem["code"]) == (404, "item-not-found")
    status, accounts = await call(app, "GET", "/channels/accounts", b"", {})
    assert [a["account"] for a in accounts] == ["shop", "store", "woo"]
    assert "secret" not in json.dumps(accounts)
