"""EasyPost's words: which rate is bought, what is kept of an answer, and what a refusal is called."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from libs.effects import policy
from libs.effects.kinds import Confirmed, NotYet, Rejected, Unknown
from libs.runtime.ports import Ports
from libs.runtime.settings import Address, Carrier, Settings
from libs.store.store import Call
from services.fulfilment import easypost, easypost_results, process
from services.fulfilment import easypost_words as words
from services.fulfilment import shipment_commands as commands
from services.fulfilment.decider import SHIPMENT as PARCEL
from services.fulfilment.shipment import Shipment
from tests.unit.fulfilment.samples import CARRIED, DAY, NOW, SHIPMENT, share
from tests.unit.memory import envelope


def rate(name: str, carrier: str, service: str, price: str, days: int | None) -> dict[str, Any]:
    return {
        "id": name, "carrier": carrier, "service": service, "rate": price, "currency": "GBP",
        "delivery_days": days,
    }  # fmt: skip


RATES = {
    "id": "shp_1",
    "rates": [
        rate("r1", "DHL", "Express", "11.20", 1), rate("r2", "RoyalMail", "First", "4.50", 2),
        rate("r3", "RoyalMail", "Second", "3.10", 5), rate("r4", "Hermes", "Any", "2.99", None),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "allowed", "days", "chosen"),
    [
        ("", (), None, "r4"),
        ("", (), 3, "r2"),
        ("", (), 1, "r1"),
        ("", (), 0, "r4"),  # nothing arrives in time: the cheapest is as good
        ("RoyalMail/First", (), None, "r2"),
        ("Express", (), None, "r1"),
        ("", ("RoyalMail/Second", "Express"), None, "r3"),
        ("Pigeon", (), None, None),
    ],
)
def test_the_wanted_service_is_bought_else_the_cheapest_in_time(
    wanted: str, allowed: tuple[str, ...], days: int | None, chosen: str | None
) -> None:
    by = None if days is None else NOW + days * DAY
    found = words.quote(RATES, wanted, allowed, by, NOW)
    assert (found and found.provider_rate) == chosen


def test_costs_are_minor_units_and_nonsense_is_refused() -> None:
    found = words.quote(RATES, "First", (), None, NOW)
    assert found is not None
    assert (found.cost, found.currency) == (450, "GBP")
    for bad in (rate("r", "X", "Y", "many", 1), {"id": "r"}):
        with pytest.raises(words.CarrierDataError):
            words.quote({"id": "shp_1", "rates": [bad]}, "", (), None, NOW)


def test_a_refusal_keeps_its_code_and_never_its_sentence() -> None:
    told = {"error": {"code": "ADDRESS.VERIFY.FAILURE", "message": "7 Hidden Lane is unknown"}}
    assert words.error_code(told) == "address-verify-failure"
    assert words.error_code({"error": "7 Hidden Lane"}) == "carrier-refused"


def test_what_is_given_back_is_submitted_refunded_or_refused() -> None:
    states = ["submitted", "refunded", "rejected", "not_applicable", None]
    assert [words.refund_of({"refund_status": one}) for one in states] == [
        True,
        True,
        False,
        False,
        None,
    ]


def test_a_scan_from_the_future_is_none_and_a_scanners_local_time_is_one() -> None:
    def at(*times: int) -> int:
        details = [{"datetime": datetime.fromtimestamp(t / 1e6, UTC).isoformat()} for t in times]
        told = {
            "id": "trk_1",
            "tracking_code": "T",
            "status": "failure",
            "updated_at": "2026-05-01",
        }
        return words.scan(told | {"tracking_details": details}, NOW).seen_at

    assert at(NOW - DAY, NOW + 300 * DAY) == NOW - DAY
    assert at(NOW - DAY, NOW + DAY // 2) == NOW + DAY // 2
    assert at(NOW + 300 * DAY) == words.instant("2026-05-01")
    assert at() == words.instant("2026-05-01")


def test_a_parcel_abroad_has_customs_data_and_one_at_home_has_none() -> None:
    event = PARCEL.decide(share(policy=CARRIED), Shipment())[-1]
    to = {"street1": "7 Hidden Lane", "country": "FR"}
    abroad = easypost.shipment_body(event, Carrier(), Address(country="GB"), to)  # type: ignore[arg-type]
    assert abroad["reference"] == SHIPMENT
    assert abroad["parcel"] == {"weight": 17.7}  # 500 g
    (item,) = abroad["customs_info"]["customs_items"]
    assert (item["value"], item["currency"], item["origin_country"]) == (10.0, "GBP", "GB")
    home = easypost.shipment_body(event, Carrier(), Address(country="FR"), to)  # type: ignore[arg-type]
    assert "customs_info" not in home


@pytest.mark.parametrize(
    ("minor", "currency", "told"),
    [(1999, "GBP", 19.99), (5000, "JPY", 5000.0), (12345, "KWD", 12.345)],
)
def test_customs_are_told_a_value_in_units_of_its_currency(
    minor: int, currency: str, told: float
) -> None:
    event = PARCEL.decide(share(policy=CARRIED), Shipment())[-1]
    event = replace(event, declared_value=minor, currency=currency)
    to = {"street1": "7 Hidden Lane", "country": "FR"}
    body = easypost.shipment_body(event, Carrier(), Address(country="GB"), to)  # type: ignore[arg-type]
    (item,) = body["customs_info"]["customs_items"]
    assert (item["value"], item["currency"]) == (told, currency)


def call() -> Call:
    event = PARCEL.decide(share(policy=CARRIED), Shipment())[-1]
    (effect,) = process.plan(envelope(event, service="fulfilment"))
    assert not hasattr(effect, "due")
    return Call(effect.id, "easypost.create", "shipment-x", effect.request, 1, 1, 0, NOW)


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (Confirmed(words.Quote("shp_1", "r", 450, "GBP")), commands.QuoteLabel),
        (Rejected("address-incomplete"), commands.RefuseLabel),
        (Unknown("timeout"), commands.DoubtLabel),
        (NotYet("throttled"), commands.DoubtLabel),
    ],
)
def test_each_result_of_creating_is_told_to_the_parcel(result: Any, told: type[Any]) -> None:
    assert isinstance(easypost_results.tell_created(call(), result, NOW), told)


@pytest.mark.parametrize("name", [process.CREATE, process.BUY, process.VOID])
def test_a_carrier_that_is_away_for_days_is_asked_on(name: str) -> None:
    none: Any = None
    ports = Ports(Settings(), lambda: NOW, none, none, none, none)
    (kind,) = (one for one in easypost.kinds(ports) if one.name == name)
    tries = (Call("e", name, "s", b"", n, n, 0, NOW) for n in range(1, kind.attempts + 1))
    assert sum(policy.wait(one) for one in tries) > 5 * DAY
