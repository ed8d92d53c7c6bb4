"""What is configured of companies enters with the commands; commands survive being set aside."""

from pathlib import Path
from typing import Any

import pytest

from libs.contracts import inventory
from libs.eventsourcing.states import pack, unpack
from libs.runtime.errors import ConfigurationError
from libs.runtime.settings import load
from services.accounting import commands
from services.accounting.company import Company, business_date, converted
from services.accounting.process import cost_stream
from services.accounting.service import SERVICE, companies_of, configured
from tests.unit.accounting.samples import (
    NOW,
    REACTIONS,
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

CONFIG = """
[companies.main]
currency = "GBP"
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


@pytest.mark.parametrize(
    "wrong",
    [
        '[companies.main]\ntime_zone = "Europe/Lunnon"',
        '[companies.main]\ntime_zone = "Europe"',
        '[companies.main]\ntime_zone = "../etc/passwd"',
        '[companies.main]\ncurrency = "pounds"',
        '[rates]\n"EUR/GBP" = "0,86"',
        '[rates]\n"EURGBP" = "0.86"',
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
