"""The HTTP edge: what the warehouse sends, sees and is refused; deliveries at the door."""

import json
import random
from collections.abc import Sequence
from typing import Any

import pytest
import pytest_asyncio
from fastapi import FastAPI

from libs.eventsourcing.decider import Refused
from libs.replay.memory import MemoryRows
from libs.runtime.ports import InboxRow, Ports
from libs.runtime.settings import Carrier, Settings
from libs.security.secrets import Secret
from libs.security.signing import sign_easypost
from libs.telemetry.metrics import DELIVERIES
from libs.telemetry.tracing import trace_id
from libs.web.pages import cursor_of
from libs.web.problems import Problem, answer_problem
from services.fulfilment import api, process
from services.fulfilment import shipment_commands as commands
from services.fulfilment.intake import CarrierIntake
from tests.property.fulfilment.world import World
from tests.unit.fulfilment.samples import (
    BY_HAND,
    CARRIED,
    DAY,
    MUGS,
    NOW,
    SHIPMENT,
    cleared,
    label_of,
    line,
    quoted,
    share,
)
from tests.unit.memory import AsgiClient, Keyed, Response, deliveries, folded

SECRET = "sécret"
NEWS = {
    "id": "evt_1", "description": "tracker.updated",
    "result": {
        "id": "trk_1", "object": "Tracker", "tracking_code": "TRACK1", "status": "delivered",
        "status_detail": "arrived_at_destination", "carrier": "RoyalMail",
        "signed_by": "SECRET PERSON", "updated_at": "2026-06-02T10:00:00Z",
        "tracking_details": [{"datetime": "2026-06-01T10:00:00Z"}, {"datetime": "2026-06-02T09:00:00Z"}],
    },
}  # fmt: skip


class Warehouse:
    """Fulfilment in memory behind its routes."""

    def __init__(self) -> None:
        self.world = World(random.Random(1), process.Places({"main": BY_HAND}, {}))
        self.inbox: list[dict[str, Any]] = []
        self.keys = 0
        settings = Settings(carriers={"post": Carrier(webhook_secrets=(SECRET,))})
        none: Any = None
        self.now = NOW
        self.ports = Ports(settings, lambda: self.now, none, Keyed(self.tell), self, self.rows)
        app = FastAPI()
        app.include_router(api.routes(self.ports))
        for kind in (Problem, Refused):
            app.add_exception_handler(kind, answer_problem)
        self.client = AsgiClient(app)

    def rows(self, projection: Any) -> MemoryRows[Any]:
        return MemoryRows(lambda: folded(projection, self.world.log))

    def tell(self, stream: str, command: Any) -> Sequence[Any]:
        decided: Sequence[Any] = self.world.tell(stream, command)
        self.world.settle()
        return decided

    async def accept(self, **delivery: Any) -> int | None:
        known = any(one["key"] == delivery["key"] for one in self.inbox)
        self.inbox.append(delivery)
        return NOW if known else None

    async def post(self, path: str, body: dict[str, Any], key: str | None = "") -> Response:
        self.keys += 1
        key = f"key-{self.keys}" if key == "" else key
        return await self.client.post(f"/fulfilment/{path}", body, key)

    async def get(self, path: str) -> Any:
        return (await self.client.get(f"/fulfilment/{path}")).json()

    async def deliver(
        self, raw: bytes, headers: dict[str, str], place: str = "easypost/post"
    ) -> Response:
        given = tuple((name.lower().encode(), text.encode()) for name, text in headers.items())
        return await self.client._call("POST", f"/fulfilment/webhooks/{place}", raw, given)

    def order(self, name: str, *, units: int = 2) -> str:
        """An order whose units are there; the id of its parcel."""
        self.world.request(name, (line("l1", units, ("MUG", 1)),))
        self.world.reserve(name, "MUG", "main", units)
        self.world.settle()
        return commands.shipment_name(name, "main", 1)


@pytest_asyncio.fixture
async def warehouse() -> Warehouse:
    return Warehouse()


async def test_a_parcel_is_packed_cleared_and_handed_over_by_hand(warehouse: Warehouse) -> None:
    name = warehouse.order("ord_1")
    shown = await warehouse.get(f"shipments/{name}")
    assert (shown["state"], shown["orders"]) == ("planned", {"ord_1": {"l1": 2}})
    assert (shown["waiting"]["reason"], shown["waiting"]["owner"]) == ("not-packed", "warehouse")
    packed = await warehouse.post(f"shipments/{name}/pack", {"weight_grams": 700})
    assert packed.json()["events"] == ["ShipmentPacked"]
    early = await warehouse.post(f"shipments/{name}/hand-over", {})
    assert (early.status_code, early.json()["code"]) == (409, "capture-not-confirmed")
    warehouse.world.clear(name, "ord_1")
    warehouse.world.settle()
    assert (await warehouse.get(f"shipments/{name}"))["waiting"]["reason"] == "hand-over"
    sent = await warehouse.post(f"shipments/{name}/hand-over", {"by": "Bay 4"})
    assert sent.json()["events"] == ["ShipmentDispatched"]
    assert (await warehouse.get(f"shipments/{name}"))["waiting"] is None
    assert (await warehouse.get("queues"))["entries"] == []


async def test_two_orders_of_a_buyer_go_in_one_parcel(warehouse: Warehouse) -> None:
    first, second = warehouse.order("ord_1"), warehouse.order("ord_2", units=1)
    unsaid = await warehouse.post("shipments", {"shipments": [first, second]})
    assert unsaid.status_code == 422
    both = {"shipments": [first, second], "same_address": True}
    joined = await warehouse.post("shipments", both, "together")
    assert (joined.status_code, [one["id"] for one in joined.json()]) == (201, ["ord_2"])
    shown = await warehouse.get(f"shipments/{first}")
    assert shown["orders"] == {"ord_1": {"l1": 2}, "ord_2": {"l1": 1}}
    assert (await warehouse.get(f"shipments/{second}"))["state"] == "cancelled"
    of_two = (await warehouse.get("shipments?order_id=ord_2"))["shipments"]
    assert {one["shipment_id"] for one in of_two} == {first, second}
    handover = await warehouse.get("handovers/ord_2")
    assert (handover["parcels"], handover["left"]) == ({first: {"l1": 1}}, 0)
    await warehouse.post(f"shipments/{first}/pack", {})
    again = await warehouse.post("shipments", both, "together")
    assert (again.status_code, again.json()) == (201, joined.json())
    other = await warehouse.post("shipments", both | {"by": "eve"}, "together")
    assert (other.status_code, other.json()["code"]) == (409, "idempotency-key-reused")
    third = warehouse.order("ord_3")
    late = await warehouse.post("shipments", {"shipments": [first, third], "same_address": True})
    assert late.json()["code"] == "not-open"
    alone = await warehouse.post("shipments", {"shipments": [third, third], "same_address": True})
    assert (alone.status_code, alone.json()["code"]) == (422, "invalid-request")


async def test_a_stop_is_answered_by_the_warehouse(warehouse: Warehouse) -> None:
    name = warehouse.order("ord_1")
    await warehouse.post(f"shipments/{name}/pack", {})
    warehouse.world.request("ord_1", ())
    warehouse.world.settle()
    (entry,) = (await warehouse.get("queues?reason=stop-requested"))["entries"]
    assert (entry["id"], entry["waiting"]["deadline"]) == (name, NOW + 24 * 3_600_000_000)
    answer = await warehouse.post(f"shipments/{name}/stop", {"stopped": True})
    assert answer.json()["events"] == ["DispatchStopped", "ShipmentCancelled"]


async def test_units_without_a_place_are_in_the_queue_with_their_value(
    warehouse: Warehouse,
) -> None:
    warehouse.world.request("ord_9", (MUGS,))
    warehouse.world.settle()
    (entry,) = (await warehouse.get("queues"))["entries"]
    waiting = entry["waiting"]
    assert (entry["kind"], entry["id"]) == ("handover", "ord_9")
    assert (waiting["reason"], waiting["value_at_risk_minor"]) == ("allocation", 1000)


async def test_lists_are_read_in_pages(warehouse: Warehouse) -> None:
    names = {warehouse.order(f"ord_{n}") for n in range(3)}
    for path, field, key in (
        ("shipments?", "shipments", "shipment_id"),
        ("queues?", "entries", "id"),
    ):
        seen, cursor = set[str](), ""
        for _ in range(4):
            page = await warehouse.get(f"{path}limit=1{cursor}")
            seen |= {one[key] for one in page[field]}
            if page["cursor"] is None:
                break
            cursor = f"&cursor={page['cursor']}"
        assert seen == names


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("shipments/shp_no/pack", {}, "shipment-not-found"),
        ("shipments/shp_no/hand-over", {}, "shipment-not-found"),
        ("shipments/shp_no/decisions", {"decision": "refund"}, "decide-at-the-order"),
        ("shipments/shp_no/decisions", {"decision": "delivered"}, "nothing-to-decide"),
        ("shipments/shp_no/decisions", {"decision": "keep"}, "shipment-not-found"),
        ("shipments/shp_no/decisions", {"decision": "bought"}, "tracking-code-missing"),
        ("shipments/shp_no/decisions", {"decision": "not-bought"}, "shipment-not-found"),
        ("shipments/shp_no/decisions", {"decision": "given-back"}, "shipment-not-found"),
        ("shipments/shp_no/label", {"carrier": "nobody"}, "carrier-unknown"),
        ("shipments", {"shipments": ["a", "b"], "same_address": True}, "shipment-not-found"),
    ],
)
async def test_what_is_not_there_has_a_code(
    warehouse: Warehouse, path: str, body: dict[str, Any], code: str
) -> None:
    assert (await warehouse.post(path, body)).json()["code"] == code
    missing = await warehouse.post(path, body, None)
    assert missing.json()["code"] == "idempotency-key-missing"


@pytest.mark.parametrize(
    "behind",
    [("shipment",), ("nothing",), ("nothing", "x"), ("tracking", "post"), ("tracking", 1, 2)],
)
async def test_a_cursor_that_no_page_said_is_refused(
    warehouse: Warehouse, behind: tuple[str | int, ...]
) -> None:
    told = await warehouse.get(f"queues?cursor={cursor_of(*behind)}")
    assert told["code"] == "invalid-request"


async def test_reads_of_nothing_have_codes(warehouse: Warehouse) -> None:
    assert (await warehouse.get("shipments/shp_no"))["code"] == "shipment-not-found"
    assert (await warehouse.get("handovers/ord_no"))["code"] == "handover-not-found"
    assert (await warehouse.get("shipments?state=gone"))["code"] == "invalid-request"


async def test_deliveries_are_taken_by_signature_and_known_by_their_event(
    warehouse: Warehouse,
) -> None:
    raw = json.dumps(NEWS).encode()
    good = sign_easypost(Secret(SECRET), raw)
    assert (await warehouse.deliver(raw, good)).json() == {"status": "accepted"}
    assert (await warehouse.deliver(raw, good)).json() == {"status": "known"}
    assert (warehouse.inbox[0]["key"], warehouse.inbox[0]["account"]) == ("evt_1", "post")
    for headers, body, place in (
        (good, raw + b" ", "easypost/post"), ({}, raw, "easypost/post"),
        (good, raw, "easypost/other"), (good, raw, "dhl/post"),
        ({"X-Hmac-Signature": "hmac-sha256-hex=" + "é" * 64}, raw, "easypost/post"),
    ):  # fmt: skip
        refused = await warehouse.deliver(body, headers, place)
        assert (refused.status_code, refused.json()["code"]) == (401, "bad-signature")
    for body in (b"[1]", b"{", b"\xff", b"[" * 5000):
        nonsense = await warehouse.deliver(body, sign_easypost(Secret(SECRET), body))
        assert nonsense.json()["code"] == "malformed-json"
    large = b"x" * (4 * 1024 * 1024 + 1)
    assert (await warehouse.deliver(large, {})).json()["code"] == "body-too-large"


async def test_a_carriers_event_that_comes_again_after_two_days_is_a_replay(
    warehouse: Warehouse,
) -> None:
    raw = json.dumps(NEWS).encode()
    await warehouse.deliver(raw, sign_easypost(Secret(SECRET), raw))
    for hours, status, told in ((25, 200, "known"), (49, 400, "replayed")):
        warehouse.now = NOW + hours * 3600 * 10**6
        again = await warehouse.deliver(raw, sign_easypost(Secret(SECRET), raw))
        answer = again.json()
        assert (again.status_code, answer.get("code", answer["status"])) == (status, told)


async def test_deliveries_are_counted_by_their_answer(warehouse: Warehouse) -> None:
    DELIVERIES.clear()
    raw = json.dumps(NEWS).encode()
    for place in ("easypost/post", "easypost/post", "easypost/other"):
        await warehouse.deliver(raw, sign_easypost(Secret(SECRET), raw), place)
    assert deliveries() == {
        ("fulfilment", "post", "accepted"): 1, ("fulfilment", "post", "known"): 1,
        ("fulfilment", "unknown", "bad-signature"): 1,
    }  # fmt: skip


async def test_a_carriers_trace_goes_on_and_what_is_no_trace_does_not_get_in(
    warehouse: Warehouse,
) -> None:
    trace, raw = "4bf92f3577b34da6a3ce929d0e0e4736", json.dumps(NEWS).encode()
    signed = sign_easypost(Secret(SECRET), raw)
    for header in (f"00-{trace}-00f067aa0ba902b7-01", "ada@example.com"):
        await warehouse.deliver(raw, signed | {"traceparent": header})
    assert trace_id(warehouse.inbox[0]["trace"]) == trace
    assert trace_id(warehouse.inbox[1]["trace"])


def row(body: Any, account: str = "post") -> InboxRow:
    return InboxRow(1, "easypost", account, "k", "", NOW + 7 * DAY, json.dumps(body).encode(), "")


async def test_only_words_on_trackers_mean_anything_and_nothing_personal_passes(
    warehouse: Warehouse,
) -> None:
    intake = CarrierIntake(warehouse.ports)
    rows: Sequence[InboxRow] = [
        row(NEWS), row({"id": "evt_2", "result": {"object": "Batch"}}), row(NEWS, "other"),
        row({"result": {"object": "Tracker", "id": "trk 1"}}),
        row({"result": {"object": "Tracker", "id": "trk_1", "tracking_code": "T"}}),
    ]  # fmt: skip
    heard, batch, other, bad, timeless = await intake.interpret(rows)
    assert not isinstance(heard, Exception)
    ((stream, command),) = heard.work
    assert stream == "tracker-post:trk_1"
    assert (command.status, command.seen_at) == ("delivered", 1_780_390_800_000_000)
    assert "SECRET" not in repr(command)
    assert [getattr(one, "ignored", None) for one in (batch, other)] == [
        "no-tracker",
        "account-unknown",
    ]
    assert [getattr(one, "code", None) for one in (bad, timeless)] == ["carrier-nonsense"] * 2


class Stranger:
    """A tracker of which the carrier tells, and nobody here knows."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse, self.intake = warehouse, CarrierIntake(warehouse.ports)

    async def told(self, status: str, day: int) -> None:
        details = [{"datetime": f"2026-06-0{day}T09:00:00Z"}]
        result = {**NEWS["result"], "status": status, "tracking_details": details}  # type: ignore[dict-item]
        [heard] = await self.intake.interpret([row(NEWS | {"result": result})])
        assert not isinstance(heard, Exception)
        for stream, command in heard.work:
            self.warehouse.tell(stream, command)

    async def queue(self) -> list[str]:
        found = (await self.warehouse.get("queues?reason=tracking-unmatched"))["entries"]
        return [one["waiting"]["next_action"] for one in found]

    async def decide(self, tracker: str = "trk_1", **body: str) -> Any:
        return (await self.warehouse.post(f"trackings/post/{tracker}/decisions", body)).json()


async def test_a_word_on_a_parcel_that_nobody_knows_is_nobodys_once_a_person_says_so(
    warehouse: Warehouse,
) -> None:
    stranger, name = Stranger(warehouse), warehouse.order("ord_1")
    await stranger.told("in_transit", 1)
    [action] = await stranger.queue()
    assert "TRACK1" in action
    for tracker, body, code in (
        ("trk_2", {"decision": "nobodys"}, "tracking-not-found"),
        ("trk_1", {"decision": "link"}, "shipment-not-found"),
        ("trk_1", {"decision": "link", "shipment_id": name}, "not-its-code"),
    ):
        assert (await stranger.decide(tracker, **body))["code"] == code
    done = await stranger.decide(decision="nobodys")
    assert (done["events"], await stranger.queue()) == (["TrackerLinked"], [])
    await stranger.told("delivered", 2)
    assert await stranger.queue() == []
    assert (await stranger.decide(decision="nobodys"))["code"] == "nothing-to-decide"


async def test_a_word_on_a_label_that_a_person_said_was_bought_is_linked_to_its_parcel(
    warehouse: Warehouse,
) -> None:
    said = commands.DecideLabel("main", SHIPMENT, True, "TRACK1", 450, "w", NOW + DAY)
    doubt = commands.DoubtLabel("main", SHIPMENT, label_of(), NOW)
    for one in (share(policy=CARRIED), quoted(), doubt, cleared(), said):
        warehouse.tell(f"shipment-{SHIPMENT}", one)
    stranger = Stranger(warehouse)
    await stranger.told("delivered", 2)
    done = await stranger.decide(decision="link", shipment_id=SHIPMENT)
    assert done["events"] == ["TrackerLinked", "TrackingMatched"]
    assert (await warehouse.get(f"shipments/{SHIPMENT}"))["state"] == "delivered"
    assert await stranger.queue() == []
