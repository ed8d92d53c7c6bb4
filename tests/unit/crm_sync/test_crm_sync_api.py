"""The HTTP edge: finding, joining, parting, the story, opening and erasing, on memory."""

import json
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from libs.contracts import common, orders, payments
from libs.runtime.settings import Server
from libs.security.vault.sealing import Shredded, seal
from libs.web.app import build_app
from services.crm_sync.api import routes
from services.crm_sync.commands import (
    MergeByHand,
    Named,
    customer_id,
    evidence_stream,
    hand_index,
)
from services.crm_sync.erasing import years_after
from tests.unit.channels.memory import call
from tests.unit.crm_sync.world import NOW, World, placed, proof, sealed

MAIL = "Ann@Example.invalid"
HOUR = 3_600_000_000


async def nothing() -> None:
    """Gauges are brought up to date by services that run."""


class Desk:
    """An operator in front of a world."""

    def __init__(self) -> None:
        self.world = World()
        self.subjects = {n: self.world.vault.subject("shop", n) for n in ("ann", "bob", "cyd")}
        self.index = self.world.vault.blind_index("email", MAIL) or ""
        self.app: Any = build_app(
            Server(), [routes(self.world.ports)], CollectorRegistry(), nothing, dict
        )
        self.keys = 0

    def id(self, name: str) -> str:
        return customer_id(self.subjects[name])

    async def sealed(self, name: str, clearance: common.Clearance) -> common.Sealed:
        one = (self.subjects[name], clearance)
        key = (await self.world.vault.keys_for([one]))[one]
        return seal(key, clearance, json.dumps({"name": name}).encode(), b"twelve bytes")

    async def buys(self, name: str, *evidence: common.Evidence, number: str, at: int = NOW) -> None:
        self.world.fact(
            placed(
                self.subjects[name], *evidence, number=number, at=at,
                contact=await self.sealed(name, "contact"),
                statutory=await self.sealed(name, "statutory"),
            )
        )  # fmt: skip
        self.world.settle()

    async def get(self, path: str) -> tuple[int, Any]:
        found: tuple[int, Any] = await call(self.app, "GET", f"/customers{path}", b"", {})
        return found

    async def post(self, path: str, body: Any, key: str | None = None) -> tuple[int, Any]:
        self.keys += 1
        headers = {
            "Content-Type": "application/json", "Idempotency-Key": key or f"key-{self.keys}",
        }  # fmt: skip
        found: tuple[int, Any] = await call(
            self.app, "POST", f"/customers{path}", json.dumps(body).encode(), headers
        )
        self.world.settle()
        return found


@pytest.fixture
async def desk() -> Desk:
    """Ann and Bob share a verified e-mail; Cyd shares Ann's phone."""
    desk = Desk()
    mail, phone = proof("email", desk.index), proof("phone", "bi_phone", "weak")
    await desk.buys("ann", mail, phone, number="1")
    await desk.buys("bob", mail, number="2", at=NOW + HOUR)
    await desk.buys("cyd", phone, number="3")
    return desk


async def test_any_id_of_a_person_shows_the_same_person(desk: Desk) -> None:
    status, ann = await desk.get(f"/{desk.id('ann')}")
    assert status == 200
    assert ann["customer_id"] == min(desk.id("ann"), desk.id("bob"))
    assert {m["subject"] for m in ann["members"]} == {desk.subjects["ann"], desk.subjects["bob"]}
    assert ann["links"] == [
        {"index": desk.index, "kind": "email", "by": "evidence",
         "members": sorted([desk.id("ann"), desk.id("bob")])}
    ]  # fmt: skip
    assert (ann["orders"], ann["last_order_at"], ann["total_minor"]) == (
        2,
        NOW + HOUR,
        {"GBP": 200},
    )
    assert [(s["customer_id"], s["kind"]) for s in ann["suggestions"]] == [
        (desk.id("cyd"), "phone")
    ]
    assert await desk.get(f"/{desk.id('bob')}") == (200, ann)
    assert (await desk.get("/cus_" + "0" * 20))[1]["code"] == "customer-not-found"


async def test_a_customer_is_found_by_e_mail_and_no_address_stands_in_a_url(desk: Desk) -> None:
    status, found = await desk.post("/lookup", {"email": " ann@example.INVALID "})
    assert (status, [one["customer_id"] for one in found]) == (
        200, [min(desk.id("ann"), desk.id("bob"))]
    )  # fmt: skip
    assert await desk.post("/lookup", {"email": "nobody@example.invalid"}) == (200, [])
    for wrong in ({}, {"email": "ab"}, {"email": "canary@x", "phone": "12"}):
        status, told = await desk.post("/lookup", wrong)
        assert (status, told["code"]) == (422, "invalid-request")
        assert "canary" not in json.dumps(told)


async def test_a_relays_address_is_found_in_its_own_account(desk: Desk) -> None:
    relay = desk.world.vault.blind_index("email", "x@marketplace.amazon.de") or ""
    await desk.buys("cyd", proof("email", relay, relay=True), number="4")
    _, found = await desk.post("/lookup", {"email": "x@marketplace.amazon.de"})
    assert [one["customer_id"] for one in found] == [desk.id("cyd")]


async def test_a_merge_by_hand_is_undone_and_the_evidence_does_not_redo_it(desk: Desk) -> None:
    merge = {"other_id": desk.id("cyd"), "by": "eve"}
    status, told = await desk.post(f"/{desk.id('ann')}/merges", merge, "m1")
    assert (status, told["events"][-1]) == (201, "CustomersMerged")
    assert await desk.post(f"/{desk.id('ann')}/merges", merge, "m1") == (201, told)
    _, person = await desk.get(f"/{desk.id('cyd')}")
    assert (len(person["members"]), person["suggestions"]) == (3, [])
    for name in ("cyd", "bob"):
        parted = {"merged_id": desk.id(name)}
        assert (await desk.post(f"/{desk.id('ann')}/unmerges", parted))[0] == 201
        assert len((await desk.get(f"/{desk.id(name)}"))[1]["members"]) == 1
    await desk.buys("bob", proof("email", desk.index), number="5")
    assert len((await desk.get(f"/{desk.id('bob')}"))[1]["members"]) == 1
    _, told = await desk.post(f"/{desk.id('ann')}/unmerges", {"merged_id": desk.id("bob")})
    assert told["code"] == "not-merged"


async def test_a_wrong_merge_is_refused(desk: Desk) -> None:
    ann = desk.id("ann")
    assert (await desk.post(f"/{ann}/merges", {"other_id": ann}))[1]["code"] == "merge-with-itself"
    nobody = {"other_id": "cus_" + "0" * 20}
    assert (await desk.post(f"/{ann}/merges", nobody))[0] == 404
    headers = {"Content-Type": "application/json"}
    told = await call(desk.app, "POST", f"/customers/{ann}/merges", b"{}", headers)
    assert told[0] in {400, 422}


async def test_the_timeline_is_merged_over_orders_and_services_in_pages(desk: Desk) -> None:
    captured = payments.PaymentCaptured(
        entity="main", occurred_at=NOW + 2 * HOUR, order_id="ord_shop_2", intent_id="i",
        capture_id="cap_1", provider_reference="p", holder="shop", custody="us", tender="card",
        amount=100, currency="GBP", settlement_amount=None, settlement_currency=None,
        shipment_id=None, lines=(), charges_amount=0, final=True,
    )  # fmt: skip
    desk.world.fact(captured, "payments", "payment-ord_shop_2")
    path, facts = f"/{desk.id('ann')}/timeline?limit=1", list[Any]()
    cursor: Any = ""
    for _ in range(3):
        _, page = await desk.get(path + (f"&cursor={cursor}" if cursor else ""))
        facts += page["facts"]
        cursor = page["cursor"]
    assert cursor is None
    assert [(f["what"], f["order_ids"]) for f in facts] == [
        ("OrderPlaced", ["ord_shop_1"]), ("OrderPlaced", ["ord_shop_2"]),
        ("PaymentCaptured", ["ord_shop_2"]),
    ]  # fmt: skip
    assert (facts[2]["amount_minor"], facts[2]["reference"]) == (100, "cap_1")
    assert (await desk.get(path + "&cursor=x"))[1]["code"] == "invalid-request"


async def test_contact_is_opened_until_it_is_erased_and_statutory_to_its_date(desk: Desk) -> None:
    ann = f"/{desk.id('ann')}"
    _, told = await desk.get(f"{ann}/contact")
    assert {one["fields"]["name"] for one in told["opened"]} == {"ann", "bob"}
    _, plan = await desk.get(f"{ann}/erasure")
    assert (plan["state"], len(plan["subjects"]), len(plan["keys"])) == ("planned", 2, 4)
    assert {row["read_model"]: row["rows"] for row in plan["read_models"]} == {
        "customer_contacts": 2, "customer_evidence": 3,
    }  # fmt: skip
    assert (await desk.post(f"{ann}/erasure", {"subjects": plan["subjects"][:1]}))[1][
        "code"
    ] == "plan-changed"
    status, told = await desk.post(f"{ann}/erasure", {"subjects": plan["subjects"]}, "once")
    assert (status, told["events"]) == (202, ["ErasureRequested"])
    assert (await desk.get(f"{ann}/erasure"))[1]["state"] == "requested"
    _, waiting = await desk.get("/erasures")
    assert {one["subject"] for one in waiting} == set(plan["subjects"])
    assert all(one["answer_by"] > one["requested_at"] for one in waiting)
    await desk.world.perform()
    again = await desk.post(f"{ann}/erasure", {"subjects": plan["subjects"]}, "once")
    assert again == (202, told)  # though the two are two customers by now
    assert await desk.get("/erasures") == (200, [])
    status, told = await desk.get(f"{ann}/contact")
    assert (status, told["code"]) == (410, "subject-erased")
    until = plan["keys"][-1]["until"]
    _, done = await desk.get(f"{ann}/erasure")
    assert (done["state"], done["keys"], done["retained_until"]) == ("completed", [], until)
    assert all(row["rows"] == 0 for row in done["read_models"])
    assert (await desk.get(f"/{desk.id('bob')}/erasure"))[1]["requested_at"] == NOW
    assert await desk.post("/lookup", {"email": MAIL}) == (200, [])
    assert (await desk.get(f"{ann}/statutory"))[0] == 200
    assert await desk.world.vault.destroy_retained(until - 1) == 0
    assert (await desk.get(f"{ann}/statutory"))[0] == 200
    assert await desk.world.vault.destroy_retained(until) == 2  # Ann's and Bob's
    assert (await desk.get(f"{ann}/statutory"))[0] == 410


async def test_an_erased_buyer_who_orders_again_is_kept_for_the_law_from_then_on(
    desk: Desk,
) -> None:
    cyd, subject = f"/{desk.id('cyd')}", desk.subjects["cyd"]
    await desk.post(f"{cyd}/erasure", {"subjects": [subject]})
    await desk.world.perform()
    first = (await desk.get(f"{cyd}/erasure"))[1]["retained_until"]
    law = sealed(subject, "Cyd", "statutory")
    later = placed(
        subject, proof("email", desk.index), number="9", at=NOW + 24 * HOUR, statutory=law
    )
    desk.world.fact(later)
    desk.world.settle()
    await desk.world.perform()
    _, done = await desk.get(f"{cyd}/erasure")
    assert (done["state"], done["retained_until"]) == ("completed", first + 24 * HOUR)
    assert await desk.world.vault.destroy_retained(first + 23 * HOUR) == 0
    assert await desk.world.vault.destroy_retained(first + 24 * HOUR) == 1


async def test_what_is_first_told_after_an_erasure_is_under_no_key_or_one_that_ends(
    desk: Desk,
) -> None:
    """The order came without an address, as a pending one does; its buyer is forgotten meanwhile."""
    dan, vault = desk.world.vault.subject("shop", "dan"), desk.world.vault
    desk.world.fact(placed(dan, number="7"))
    desk.world.settle()
    await desk.post(f"/{customer_id(dan)}/erasure", {"subjects": [dan]})
    await desk.world.perform()
    with pytest.raises(Shredded):
        await vault.keys_for([(dan, "contact")])
    desk.world.fact(placed(dan, number="8", at=NOW + HOUR))
    desk.world.settle()
    await desk.world.perform()
    keys = await vault.keys_for([(dan, "statutory")])
    law = seal(keys[dan, "statutory"], "statutory", b"{}", bytes(12))
    told = placed(dan, number="8", at=NOW + HOUR, statutory=law)
    desk.world.fact(
        orders.OrderAmended(
            entity="main", occurred_at=NOW + HOUR, order_id=told.order_id, revision=2,
            order=told.order, differences=(), cause="channel",
        )
    )  # fmt: skip
    desk.world.settle()
    await desk.world.perform()
    assert await vault.destroy_retained(years_after(NOW + HOUR, 10)) == 1


async def test_nobody_is_joined_to_an_erased_customer(desk: Desk) -> None:
    cyd = f"/{desk.id('cyd')}"
    await desk.post(f"{cyd}/erasure", {"subjects": [desk.subjects["cyd"]]})
    await desk.world.perform()
    status, told = await desk.post(f"{cyd}/merges", {"other_id": desk.id("ann")})
    assert (status, told["code"]) == (410, "subject-erased")
    assert (await desk.get(f"/{desk.id('ann')}"))[1]["suggestions"] == []


async def test_an_erasure_undoes_what_was_joined_by_hand(desk: Desk) -> None:
    ann = f"/{desk.id('ann')}"
    await desk.post(f"{ann}/merges", {"other_id": desk.id("cyd"), "by": "evidence"})
    _, plan = await desk.get(f"{ann}/erasure")
    assert len(plan["subjects"]) == 3
    await desk.post(f"{ann}/erasure", {"subjects": plan["subjects"]})
    _, waiting = await desk.get(f"{ann}/erasure")
    assert (waiting["state"], waiting["subjects"]) == ("requested", plan["subjects"])
    await desk.world.perform()
    for name in ("ann", "bob", "cyd"):
        _, one = await desk.get(f"/{desk.id(name)}")
        assert (len(one["members"]), one["links"], one["orders"]) == (1, [], 1)
        _, done = await desk.get(f"/{desk.id(name)}/erasure")
        assert (done["state"], [row["rows"] for row in done["read_models"]]) == (
            "completed",
            [0, 0],
        )


async def test_nobody_is_joined_to_who_is_to_be_forgotten(desk: Desk) -> None:
    ann, bob, cyd = (desk.id(name) for name in ("ann", "bob", "cyd"))
    _, plan = await desk.get(f"/{ann}/erasure")
    await desk.post(f"/{ann}/erasure", {"subjects": plan["subjects"]})
    for one, other in ((ann, cyd), (cyd, ann), (cyd, bob)):
        status, told = await desk.post(f"/{one}/merges", {"other_id": other})
        assert (status, told["code"]) == (409, "erasure-requested")
    assert len((await desk.get(f"/{cyd}"))[1]["members"]) == 1


async def test_a_merge_that_crosses_with_an_erasure_joins_nobody(desk: Desk) -> None:
    """The wish to be forgotten was not to be seen yet when the merge was accepted."""
    ann, cyd = (Named(desk.id(name), desk.subjects[name], "shop") for name in ("ann", "cyd"))
    index = hand_index(ann.customer_id, cyd.customer_id, "late")
    merge = MergeByHand("main", index, ann, cyd, "eve", NOW)
    _, plan = await desk.get(f"/{ann.customer_id}/erasure")
    await desk.post(f"/{ann.customer_id}/erasure", {"subjects": plan["subjects"]})
    desk.world.tell(evidence_stream(index), merge)
    for state in ("requested", "completed"):
        _, one = await desk.get(f"/{cyd.customer_id}")
        assert ([m["subject"] for m in one["members"]], one["orders"]) == ([cyd.subject], 1)
        assert index not in {suggested["index"] for suggested in one["suggestions"]}
        _, told = await desk.get(f"/{ann.customer_id}/erasure")
        assert told["state"] == state
        assert cyd.subject not in {key["subject"] for key in told["keys"]}
        await desk.world.perform()
    assert (await desk.get(f"/{cyd.customer_id}/contact"))[0] == 200


async def test_only_operators_read_what_is_personal(desk: Desk) -> None:
    server = Server(tokens={"r": "reader", "o": "operator"})
    app: Any = build_app(server, [routes(desk.world.ports)], CollectorRegistry(), nothing, dict)
    path = f"/customers/{desk.id('ann')}"
    for token, what, status in (
        ("r", "", 200), ("r", "/contact", 403), ("r", "/statutory", 403), ("o", "/contact", 200),
    ):  # fmt: skip
        told = await call(app, "GET", path + what, b"", {"Authorization": f"Bearer {token}"})
        assert told[0] == status, (token, what)
