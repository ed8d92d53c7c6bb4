"""Who takes the money of the own store's orders."""

from collections import Counter

from services.sandbox.retail import paying, rows
from services.sandbox.retail.plan import digest, plan_run
from services.sandbox.shops import standard

CHANNEL = plan_run(rows.read(), 7)
US = plan_run(rows.read(), 7, store_paid_by="us")


def test_the_channel_takes_it_unless_told_otherwise() -> None:
    assert digest(CHANNEL) == digest(plan_run(rows.read(), 7, store_paid_by="channel"))
    assert all(one.means is None for one in CHANNEL.contents)
    assert digest(CHANNEL) != digest(US)


def test_the_stores_orders_come_unpaid_with_a_means_of_payment() -> None:
    mine = [one.state for one in US.happenings if one.state.content.account.name == "store-uk"]
    assert mine
    for state in mine:
        order = standard.order(state)
        assert (order["funds"], state.paid) == ("none", False)
        assert order["status"] in {"open", "cancelled"}
        if state.content.total:
            (tender,) = order["tenders"]
            assert tender["reference"].startswith("pm_card_")
            assert tender["kind"] == "card"


def test_the_other_shops_and_all_sums_stay_as_they_are() -> None:
    assert US.input == CHANNEL.input
    assert [one.total for one in US.contents] == [one.total for one in CHANNEL.contents]
    assert US.opening == CHANNEL.opening
    others = [
        [one for one in plan.happenings if one.state.content.account.name != "store-uk"]
        for plan in (US, CHANNEL)
    ]
    assert others[0] == others[1]


def test_most_cards_are_good_and_a_few_are_not() -> None:
    found = Counter(paying.means(str(number), 3) for number in range(5000))
    assert found["pm_card_visa"] > 4500
    assert set(found) == {
        "pm_card_visa", "pm_card_chargeDeclined", "pm_card_chargeDeclinedInsufficientFunds",
        "pm_card_authenticationRequired",
    }  # fmt: skip
    assert paying.means("536365", 3) == paying.means("536365", 3)
