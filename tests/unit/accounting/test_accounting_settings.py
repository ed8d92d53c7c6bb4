"""What is configured of companies enters with the commands; commands survive being set aside."""

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from msgspec.structs import replace

from libs.contracts import inventory
from libs.eventsourcing.states import pack, unpack
from libs.replay.memory import MemoryRows
from libs.runtime.errors import ConfigurationError
from libs.runtime.ports import Ports
from libs.runtime.settings import Settings, load
from services.accounting import commands
from services.accounting.company import Company, business_date, converted
from services.accounting.process import cost_stream
from services.accounting.service import SERVICE, companies_of, configured, routes
from services.inventory.commands import ShipUnits
from tests.unit.accounting.samples import (
    NOW,
    REACTIONS,
    Ledger,
    Story,
    captured,
    dispatched,
    line,
    order,
    placed,
    shipping,
    tax,
    told,
)
from tests.unit.inventory.memory import Inventory
from tests.unit.memory import AsgiClient, folded

CONFIG = """
[companies.iberia]
currency = "EUR"
time_zone = "Europe/Madrid"
country = "ES"
[rates]
"GBP/EUR" = "1.17"
[channels.shop]
provider = "shopify"
entity = "{entity}"
"""
RECEIVED = inventory.StockReceived(
    entity="iberia", occurred_at=NOW + 600_000_000, sku="MUG", location="main", reservable=True,
    quantity=10, unit_cost="2.00", currency="GBP", document="d", by="", lot=None, serial=None,
    expiry=None,
)  # fmt: skip


def settings(folder: Path, text: str) -> Any:
    (folder / "lonja.toml").write_text(text)
    return load(folder / "lonja.toml", {})


def test_a_companys_currency_days_and_rates_are_in_its_commands(tmp_path: Path) -> None:
    found = settings(tmp_path, CONFIG.format(entity="iberia"))
    assert companies_of(found).of("iberia") == Company("EUR", "Europe/Madrid", "ES")
    reactions = configured(found).reacts
    assert reactions.keys() == SERVICE.reacts.keys()
    envelope = told(RECEIVED, 1, "inventory", "stock-MUG")
    [(stream, command)] = reactions["inventory"](envelope)
    assert stream == cost_stream("iberia", "MUG")
    assert command.cost == commands.Cost(2000, "GBP", 2340, "1.17", "configured GBP/EUR")
    assert (command.currency, command.business_date) == ("EUR", "2023-11-14")


def test_a_channel_of_a_company_that_is_not_configured_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no company is called galia"):
        settings(tmp_path, CONFIG.format(entity="galia"))


async def test_the_only_company_owns_the_stock_whatever_it_is_called(tmp_path: Path) -> None:
    found = settings(tmp_path, CONFIG.format(entity="iberia"))
    stock, ledger = Inventory(found), Ledger(companies_of(found))
    receipt = {"quantity": 10, "unit_cost": "2.00", "currency": "EUR"}
    await stock.post("/inventory/stock/MUG/receipts", receipt, key="r1")
    stock.commands.tell("stock-MUG", ShipUnits("iberia", "MUG", "main", "ord_1", "s1", 10, NOW + 1))
    for one in stock.commands.log:
        ledger.hear(told(one.event, one.version, "inventory", "stock-MUG"))
    assert ledger.short() == {"2500": -2000, "5000": 2000}
    [state] = ledger.states.values()
    assert (state.units, state.value, dict(state.held)) == (0, 0, {})


@pytest.mark.parametrize("name", ["main", "iberia"])
async def test_a_company_is_asked_for_its_stock_at_cost_without_being_named(name: str) -> None:
    found = Settings.model_validate({"companies": {name: {}}})
    ledger = Ledger(companies_of(found))
    ledger.hear(told(replace(RECEIVED, entity=name), 1, "inventory", "stock-MUG"))
    none: Any = None
    rows: Any = lambda p: MemoryRows(lambda: folded(p, ledger.log))  # noqa: E731
    app = FastAPI()
    app.include_router(routes(Ports(found, lambda: NOW, none, none, none, rows)))
    shown = (await AsgiClient(app).get("/accounting/stock-values")).json()["stock_values"]
    assert [(one["entity"], one["units"]) for one in shown] == [(name, 10)]


OTHERS = "[companies.acme]\n[companies.shopco]\n"
MAIN = "[companies.main]\n[companies.shopco]\n"
SHOP = '[channels.b]\nprovider = "shopify"\n'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (OTHERS, "companies: .* none is called main"),
        ("[companies]\n", "companies: .* none is called main"),
        (MAIN + SHOP + 'entity = "shopco"', r"channels\.b\.entity: the stock is of main"),
        ("[companies.acme]\n" + SHOP, r"channels\.b\.entity: no company is called main"),
    ],
)
def test_companies_whose_stock_could_not_be_booked_stop_the_start(
    tmp_path: Path, text: str, why: str
) -> None:
    with pytest.raises(ConfigurationError, match=why):
        settings(tmp_path, text)


def test_of_several_companies_main_owns_the_stock_and_sells(tmp_path: Path) -> None:
    assert settings(tmp_path, MAIN + SHOP + 'entity = "main"').stock_company == "main"


@pytest.mark.parametrize(
    "wrong",
    [
        '[companies.main]\ntime_zone = "Europe/Lunnon"',
        '[companies.main]\ntime_zone = "Europe"',
        '[companies.main]\ntime_zone = "../etc/passwd"',
        '[companies.main]\ncurrency = "pounds"',
        '[rates]\n"EUR/GBP" = "0,86"',
        '[rates]\n"EURGBP" = "0.86"',
        '[rates]\n"EUR/GBP" = "0.00"',
    ],
)
def test_what_cannot_be_a_company_or_a_rate_is_named(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=r"lonja\.toml"):
        settings(tmp_path, wrong)


def test_a_business_day_is_that_of_the_companys_zone() -> None:
    midnight = 1_700_000_000_000_000 - 1_700_000_000_000_000 % 86_400_000_000
    assert business_date(midnight - 1, Company()) == "2023-11-13"
    assert business_date(midnight - 1, Company(time_zone="Europe/Madrid")) == "2023-11-14"
    summer = 1_690_000_000_000_000 - 1_690_000_000_000_000 % 86_400_000_000
    assert business_date(summer - 1, Company()) == "2023-07-22"


def test_conversion_knows_minor_units_and_signs() -> None:
    assert converted(1000, "0.0053", "JPY", "GBP") == 530
    assert converted(-1000, "0.0053", "JPY", "GBP") == -530
    assert converted(155, "0.1", "EUR", "GBP") == -converted(-155, "0.1", "EUR", "GBP") == 16


def test_every_command_can_be_set_aside_and_read_again() -> None:
    story = Story()
    given = order(line("mug", 3, 1000, tax(200)), charges=(shipping(300),))
    envelopes = [
        story.envelope(one) for one in (placed(given), captured(1), dispatched(("mug", 1)))
    ]
    sales = [command for e in envelopes for _, command in REACTIONS[e.service](e)]
    sales.append(commands.SettlePosting("o", "c", "e", "v", "b", "d", NOW))
    costs = [
        commands.SettleCost("main", "MUG", "e", "1.00", "GBP", "2023-11-14", "ann", NOW),
        commands.MoveValue(
            "main", "MUG", "goods_received", 1, commands.Cost(1, "GBP", 1, "1", "own-currency"), "",
            "GBP", "d", None, "e", "StockReceived", 1, NOW, "2023-11-14", NOW,
        ),
    ]  # fmt: skip
    assert [unpack(commands.SaleCommand, pack(one)) for one in sales] == sales
    assert [unpack(commands.CostCommand, pack(one)) for one in costs] == costs
