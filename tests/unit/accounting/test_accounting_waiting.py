"""What cannot be posted waits whole, is shown, and is posted when what it waits for is known."""

import pytest

from libs.contracts import accounting
from libs.eventsourcing.decider import Refused
from services.accounting import commands
from services.accounting.company import Companies, Company
from services.accounting.process import sale_stream
from services.accounting.read_model import QUEUES
from tests.unit.accounting.samples import (
    NOW,
    ORDER,
    Ledger,
    Story,
    amended,
    captured,
    dispatched,
    line,
    order,
    placed,
    tax,
)
from tests.unit.memory import folded

MUG = line("mug", 1, 1000, tax(200))
NOWHERE = order(MUG, country="")


def waiting(story: Story) -> dict[str, int]:
    rows = folded(QUEUES, story.ledger.log).values()
    return {row.code: row.amount for row in rows}


def settle(story: Story, code: str, value: str, source: str = "") -> None:
    command = commands.SettlePosting(ORDER, code, source, value, "ann", "2023-11-14", NOW)
    story.ledger.tell(sale_stream(ORDER), command)
    with pytest.raises(Refused, match="waits"):
        story.ledger.tell(sale_stream(ORDER), command)


def test_an_unknown_country_holds_the_delivery_whole_and_lets_the_payment_through() -> None:
    story = Story().tell(placed(NOWHERE), captured(1200), dispatched(("mug", 1)))
    assert story.balances == {"1100 shop": 1200, "2100": -1200}
    assert waiting(story) == {"tax-country-unknown": 1200}
    story.tell(amended(order(MUG, country="IE")))
    assert story.balances == {"1100 shop": 1200, "2200 0.2": -200, "4000": -1000}
    assert waiting(story) == {}


def test_a_person_says_the_country() -> None:
    story = Story().tell(placed(NOWHERE), captured(1200), dispatched(("mug", 1)))
    settle(story, "tax-country-unknown", "IE")
    assert story.balances == {"1100 shop": 1200, "2200 0.2": -200, "4000": -1000}
    assert waiting(story) == {}
    story.tell(amended(NOWHERE))
    assert waiting(story) == {}


def test_a_value_that_is_none_is_refused() -> None:
    story = Story().tell(placed(NOWHERE), dispatched(("mug", 1)))
    command = commands.SettlePosting(ORDER, "tax-country-unknown", "", "Eire", "ann", "", NOW)
    with pytest.raises(Refused) as no:
        story.ledger.tell(sale_stream(ORDER), command)
    assert no.value.code == "value-not-possible"
    story = Story().tell(placed(order(MUG, currency="SEK")))
    for rate in ("0", "0.000", "00"):
        command = commands.SettlePosting(ORDER, "currency-unknown", "", rate, "ann", "", NOW)
        with pytest.raises(Refused) as no:
            story.ledger.tell(sale_stream(ORDER), command)
        assert no.value.code == "value-not-possible"


def test_a_currency_without_a_rate_waits_whole_until_a_person_says_it() -> None:
    story = Story().tell(placed(order(MUG, currency="USD")), captured(1200, currency="USD"))
    assert story.balances == {}
    assert waiting(story) == {"currency-unknown": 1200}
    settle(story, "currency-unknown", "0.8")
    assert story.balances == {"1100 shop": 1200, "2100": -1200}
    assert story.ledger.balances(own=True) == {
        ("USD", "1100", "shop"): 960, ("USD", "2100", ""): -960,
    }  # fmt: skip
    assert story.ledger.entries[0].rate_source == "by ann"


def test_money_in_another_currency_than_the_order_is_left_out_by_a_person() -> None:
    story = Story().tell(placed(order(MUG)), captured(1200, currency="EUR"))
    assert (story.balances, waiting(story)) == ({}, {"currency-differs": 1200})
    held = next(e.event for e in story.ledger.log if isinstance(e.event, accounting.PostingHeld))
    settle(story, "currency-differs", "", held.source_event)
    assert (story.balances, waiting(story)) == ({}, {})


def test_each_payment_in_another_currency_waits_alone() -> None:
    story = Story().tell(placed(order(MUG)), captured(700, currency="EUR"))
    story.tell(captured(500, "cap2", currency="EUR"))
    amounts = [row.amount for row in folded(QUEUES, story.ledger.log).values()]
    assert sorted(amounts) == [500, 700]


def test_facts_before_their_order_wait_on_for_a_person_where_they_must() -> None:
    story = Story().tell(dispatched(("mug", 1)), captured(9, currency="EUR"), placed(NOWHERE))
    assert (story.balances, waiting(story)) == (
        {}, {"tax-country-unknown": 1200, "currency-differs": 9},
    )  # fmt: skip


def test_a_country_once_known_stays_known() -> None:
    story = Story().tell(placed(order(MUG)), amended(NOWHERE), dispatched(("mug", 1)))
    assert (story.balances["4000"], waiting(story)) == (-1000, {})


def test_a_fact_of_an_order_that_nobody_knows_is_shown_until_the_order_comes() -> None:
    story = Story().tell(captured(1200))
    assert waiting(story) == {"order-unknown": 1200}
    assert waiting(story.tell(placed(order(MUG)))) == {}


def test_a_company_that_is_not_configured_is_named() -> None:
    story = Story(Ledger(Companies({"other": Company()}, {})))
    with pytest.raises(Refused) as no:
        story.tell(placed(order(MUG)))
    assert no.value.code == "company-unknown"
