"""The EasyPost-shaped carrier: quotes, labels bought once, refunds, scans, without HTTP."""

import hashlib
import hmac
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.sandbox.books import Books
from services.sandbox.carrier import journey, reports, signing
from services.sandbox.carrier.addresses import Refused
from services.sandbox.carrier.config import Fates, Settings
from services.sandbox.carrier.provider import Provider
from services.sandbox.clock import Clock

Json = dict[str, Any]
HOME = {"name": "Ada", "street1": "1 Mill Street", "city": "Testford", "zip": "ZZ1 1ZZ",
        "country": "GB"}  # fmt: skip
DAY = 86_400


class Bench:
    """A carrier whose wall clock a test turns, with books that it can open again."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder, self.at = folder, 1_800_000_000.0
        given: Json = {"api_key": "EZ", "webhook_secret": "sécret"} | settings
        self.settings = Settings(**given)
        self.open()

    def open(self) -> None:
        self.books = Books(self.folder)
        self.provider = Provider(self.settings, self.books, Clock(wall=lambda: self.at))
        self.provider.start()

    def quoted(self, reference: str = "s1", **to: Any) -> Json:
        shipment = {"reference": reference, "to_address": HOME | to, "from_address": HOME}
        return self.provider.create({"shipment": shipment | {"parcel": {"weight": 20.0}}})

    def bought(self, reference: str = "s1") -> Json:
        shipment = self.quoted(reference)
        return self.provider.buy(shipment["id"], {"rate": {"id": shipment["rates"][0]["id"]}})

    def events(self) -> list[Json]:
        return self.provider.fall_due()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., Bench]:
    return lambda **settings: Bench(tmp_path, **settings)


def refused(act: Callable[[], Any]) -> tuple[int, str]:
    with pytest.raises(Refused) as found:
        act()
    return found.value.status, found.value.body["error"]["code"]


def test_a_shipment_has_rates_and_nothing_is_paid(bench: Bench) -> None:
    shipment = bench.quoted()
    assert [one["service"] for one in shipment["rates"]] == ["Tracked24", "Tracked48"]
    assert all(one["shipment_id"] == shipment["id"] for one in shipment["rates"])
    assert (shipment["postage_label"], shipment["tracking_code"]) == (None, None)
    assert reports.books(bench.provider)["bought_minor"] == 0


def test_a_label_is_bought_once_and_then_never_again(bench: Bench) -> None:
    shipment = bench.bought()
    assert shipment["postage_label"]["label_url"].startswith("https://")
    assert (shipment["status"], shipment["tracker"]["status"]) == ("pre_transit", "pre_transit")
    rate = {"rate": {"id": shipment["selected_rate"]["id"]}}
    again = refused(lambda: bench.provider.buy(shipment["id"], rate))
    assert again == (422, "SHIPMENT.POSTAGE.EXISTS")
    found = reports.books(bench.provider)
    assert (found["bought"], found["bought_minor"], found["bought_twice"]) == (1, 445, [])


def test_a_rate_of_another_shipment_buys_nothing(bench: Bench) -> None:
    one, other = bench.quoted("a"), bench.quoted("b")
    rate = {"rate": {"id": other["rates"][0]["id"]}}
    found = refused(lambda: bench.provider.buy(one["id"], rate))
    assert found == (422, "SHIPMENT.POSTAGE.RATE_INVALID")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"street1": ""}, "street1"), ({"zip": None}, "zip"), ({"country": "Atlantis"}, "country"),
        ({"name": ""}, "name"), ({"city": "x" * 121}, "city"),
    ],
)  # fmt: skip
def test_a_faulty_address_is_refused_by_field(bench: Bench, change: Json, field: str) -> None:
    with pytest.raises(Refused) as found:
        bench.quoted(**change)
    error = found.value.body["error"]
    assert (found.value.status, error["code"]) == (422, "ADDRESS.VERIFY.FAILURE")
    assert field in {one["field"] for one in error["errors"]}
    assert reports.books(bench.provider)["quoted"] == 0


def test_a_country_that_is_not_served_gets_no_rate(bench: Bench) -> None:
    shipment = bench.quoted(country="KP")
    assert (shipment["rates"], shipment["messages"][0]["type"]) == ([], "rate_error")


def test_no_address_stands_in_the_books(bench: Bench) -> None:
    bench.bought()
    written = (bench.folder / "books.jsonl").read_text()
    assert "Ada" not in written
    assert "Mill Street" not in written


def test_a_parcel_is_scanned_on_its_way_and_delivered(bench: Bench) -> None:
    shipment = bench.bought()
    assert [one["description"] for one in bench.events()] == ["tracker.created"]
    bench.at += 5 * DAY
    events = bench.events()
    assert [one["result"]["status"] for one in events] == [
        "in_transit", "in_transit", "out_for_delivery", "delivered",
    ]  # fmt: skip
    assert events[0]["previous_attributes"] == {"status": "pre_transit"}
    assert len(events[-1]["result"]["tracking_details"]) == 5
    tracker = bench.provider.parcels.by_tracker[shipment["tracker"]["id"]]
    assert tracker == shipment["id"]
    assert bench.events() == []


@pytest.mark.parametrize(
    ("fate", "last"),
    [("lost", "in_transit"), ("failed", "failure"), ("returned", "return_to_sender"),
     ("retried", "delivered"), ("late", "delivered")],
)  # fmt: skip
def test_a_parcels_fate_is_the_seeds(opened: Callable[..., Bench], fate: str, last: str) -> None:
    bench = opened(fates=Fates(**{fate: 1.0}))
    bench.bought()
    bench.at += 30 * DAY
    assert bench.events()[-1]["result"]["status"] == last
    assert journey.fate(bench.settings, "s1") == fate


def test_a_label_is_given_back_before_the_first_scan_only(bench: Bench) -> None:
    one, other = bench.bought("a"), bench.bought("b")
    assert bench.provider.give_back(one["id"])["refund_status"] == "submitted"
    bench.at += 5 * DAY
    late = refused(lambda: bench.provider.give_back(other["id"]))
    assert late == (422, "SHIPMENT.REFUND.UNAVAILABLE")
    assert refused(lambda: bench.provider.give_back(one["id"]))[0] == 422
    shown = bench.provider.parcels.shown(bench.provider.parcels.by_id[one["id"]], bench.at)
    assert (shown["refund_status"], shown["status"]) == ("refunded", "pre_transit")
    assert {event["result"]["shipment_id"] for event in bench.events()[2:]} == {other["id"]}
    found = reports.books(bench.provider)
    assert (found["bought"], found["given_back"], found["given_back_minor"]) == (2, 1, 445)


def test_two_labels_of_one_reference_stand_out_unless_one_was_given_back(bench: Bench) -> None:
    one, other = bench.bought(), bench.bought()
    (twice,) = reports.books(bench.provider)["bought_twice"]
    assert twice == {"reference": "s1", "shipments": [one["id"], other["id"]]}
    bench.provider.give_back(one["id"])
    assert reports.books(bench.provider)["bought_twice"] == []


def test_a_parcel_waits_for_its_hand_over_where_that_is_told(opened: Callable[..., Bench]) -> None:
    bench = opened(pickup="on_handover")
    shipment = bench.bought()
    bench.at += 30 * DAY
    assert [one["result"]["status"] for one in bench.events()] == ["pre_transit"]
    assert bench.provider.parcels.under_way() == 0
    assert bench.provider.hand_over([shipment["tracking_code"], "nonsense"]) == 1
    assert bench.provider.parcels.under_way() == 1
    assert bench.provider.hand_over([shipment["tracking_code"]]) == 0
    bench.at += 30 * DAY
    assert bench.events()[-1]["result"]["status"] == "delivered"
    assert bench.provider.parcels.under_way() == 0


def test_the_same_books_give_the_same_parcels(bench: Bench) -> None:
    bench.bought()
    bench.at += 2 * DAY
    told = bench.events()
    before = reports.books(bench.provider)
    bench.books.close()
    bench.open()
    assert reports.books(bench.provider) == before
    assert [hook.id for hook, _ in bench.provider.untold()] == [one["id"] for one in told]
    bench.at += 5 * DAY
    assert not {one["id"] for one in bench.events()} & {one["id"] for one in told}


def test_a_webhook_is_signed_over_its_raw_body_and_over_its_path() -> None:
    body = b'{"id":"evt_1"}'
    headers = signing.headers("sécret", "/hook", body, 1_800_000_000)
    key = "se\u0301cret".encode()
    want = hmac.new(key, body, hashlib.sha256).hexdigest()
    assert headers["X-Hmac-Signature"] == f"hmac-sha256-hex={want}"
    signed = f"{headers['X-Timestamp']}POST/hook".encode() + body
    want = hmac.new(key, signed, hashlib.sha256).hexdigest()
    assert headers["X-Hmac-Signature-V2"] == f"hmac-sha256-hex={want}"


FIXTURES = os.environ.get("LONJA_FIXTURES")


@pytest.mark.skipif(not FIXTURES, reason="LONJA_FIXTURES is not set")
def test_an_event_has_the_names_and_kinds_of_the_providers_example(bench: Bench) -> None:
    assert FIXTURES
    text = (Path(FIXTURES) / "easypost/event-body.json").read_bytes()
    theirs = json.loads(text)
    bench.bought()
    bench.at += 5 * DAY
    ours = bench.events()[-1]
    assert ours.keys() == theirs.keys()
    assert theirs["result"].keys() <= ours["result"].keys()
    detail = ours["result"]["tracking_details"][-1]
    assert detail.keys() == theirs["result"]["tracking_details"][-1].keys()
    want = "hmac-sha256-hex=38f3f53c103713df81616a0a186d77141957323ec21d5fe9363db93840f527db"
    signed = signing.headers("sécret", "/", text.rstrip(b"\n"), 0)
    assert signed["X-Hmac-Signature"] == want
