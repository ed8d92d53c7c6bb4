"""What tells who a buyer is: made where the plain text still is, opaque everywhere behind."""

from typing import Any

import pytest

from libs.contracts import channels
from libs.security.vault.memory import MemoryVault
from services.channels.adapters.neutral import Person
from services.channels.evidence import evidence_of, is_relay
from tests.unit.channels import payloads
from tests.unit.channels.memory import Shop
from tests.unit.channels.test_channels_intake import PAYLOADS, TOPICS, canaries_in

MAIL = "canary-mail@example.invalid"
VAULT = MemoryVault()


async def told(account: str, **changes: Any) -> dict[str, tuple[str, str, bool]]:
    """The evidence of one delivery by kind: index, strength, relay."""
    shop = Shop()
    await shop.deliver(account, TOPICS[account], PAYLOADS[account](**changes))
    (event,) = [e for e in shop.events if isinstance(e, channels.ChannelOrderReceived)]
    evidence = event.order.customer.evidence
    assert canaries_in(repr(evidence)) == []
    return {one.kind: (one.index, one.strength, one.relay) for one in evidence}


def shopper(**changes: Any) -> dict[str, Any]:
    return {"customer": payloads.shopify()["customer"] | changes}


def person(email: str = "", phone: str = "", name: str = "", *, verified: bool = False) -> Person:
    contact = {k: v for k, v in (("email", email), ("phone", phone), ("name", name)) if v}
    return Person(None, contact, {}, verified=verified)


def kinds(one: Person) -> list[tuple[str, str]]:
    return [(e.kind, e.strength) for e in evidence_of(VAULT, "sub_1", one)]


@pytest.mark.parametrize("account", TOPICS)
async def test_the_same_buyer_has_the_same_indexes_in_every_shop(account: str) -> None:
    found = await told(account)
    assert found["email"][0] == VAULT.blind_index("email", MAIL)
    assert found["phone"][0] == VAULT.blind_index("phone", "+4420794609canary")
    assert found["name"][0] == VAULT.blind_index("name", "canaryfirst  CANARYLAST")
    assert [found[kind][1] for kind in ("phone", "name")] == ["weak", "weak"]
    assert found["channel_customer"][1] == "strong"


async def test_an_e_mail_is_strong_only_where_the_channel_verified_it() -> None:
    assert (await told("shop"))["email"][1] == "weak"
    assert (await told("shop", **shopper(verified_email=True)))["email"][1] == "strong"
    assert (await told("shop", **shopper(verified_email="true")))["email"][1] == "weak"
    other = shopper(verified_email=True, email="another@example.invalid")
    assert (await told("shop", **other))["email"][1] == "weak"
    assert (await told("woo"))["email"][1] == "weak"  # whoever has an account types any address
    guest = await told("woo", customer_id=0)
    assert (guest["email"][1], "channel_customer" in guest) == ("weak", False)
    assert (await told("store"))["email"][1] == "weak"
    verified = payloads.standard()["data"]["customer"] | {"email_verified": True}
    assert (await told("store", customer=verified))["email"][1] == "strong"


@pytest.mark.parametrize(
    ("address", "relay"),
    [("x1@marketplace.amazon.co.uk", True), ("X1@Marketplace.Amazon.DE", True),
     ("a@members.ebay.com", True), ("b@privaterelay.appleid.com", True),
     ("c@sub.members.ebay.de.", True), ("c@mozmail.com", True),
     ("d@amazon.co.uk", False), ("e@ebay.com", False), ("f@icloud.com", False),
     ("g@notmozmail.com", False), ("mozmail.com@example.invalid", False), ("", False)],
)  # fmt: skip
def test_relay_domains_are_known(address: str, relay: bool) -> None:
    assert is_relay(address) is relay


def test_a_relay_is_strong_within_its_account_and_marked() -> None:
    (one,) = evidence_of(VAULT, "sub_1", person("x1@marketplace.amazon.co.uk"))
    assert (one.strength, one.relay) == ("strong", True)


def test_what_says_nothing_is_no_evidence() -> None:
    assert kinds(person()) == []
    assert kinds(person("not an address", "12345", "Ann")) == []
    assert kinds(person(" A@B.invalid ", "+44 20 7946 0000", "Ann Smith")) == [
        ("email", "weak"), ("phone", "weak"), ("name", "weak"),
    ]  # fmt: skip


async def test_an_erased_buyers_next_order_tells_nothing_about_them() -> None:
    shop = Shop()
    await shop.deliver("shop", "orders/create", payloads.shopify())
    await shop.vault.shred(shop.events[0].order.customer.subject, "contact")
    await shop.deliver("shop", "orders/create", payloads.shopify(id=1002))
    orders = [e.order for e in shop.events if isinstance(e, channels.ChannelOrderReceived)]
    assert (orders[1].customer.contact, orders[1].customer.evidence) == (None, ())
    assert orders[1].customer.statutory is not None
