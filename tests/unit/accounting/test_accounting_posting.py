"""Each row of the posting table, as the books show it after a fact."""

from libs.contracts import accounting, payments
from services.accounting import chart
from services.accounting.posting import CUSTOMER, ROWS
from services.accounting.readme import README, rendered
from tests.unit.accounting.samples import (
    Story,
    amended,
    cancelled,
    captured,
    charge,
    completed,
    dispatched,
    disputed,
    line,
    order,
    placed,
    refunded,
    returned,
    shipping,
    tax,
)

MUGS = line("mug", 3, 1000, tax(200))
TWO = order(MUGS, charges=(shipping(300, tax(60)),), rounding=1)  # costs 1561


def test_the_readme_shows_the_table_of_the_code() -> None:
    text = README.read_text()
    assert rendered(text) == text, "run python -m services.accounting.readme"
    assert all(f"| {row.when} | {row.quantity} |" in text for row in ROWS)


def test_every_row_names_accounts_of_the_chart() -> None:
    assert {a for row in ROWS for a in (row.debit, row.credit)} <= {*chart.BY_NUMBER, CUSTOMER}
    assert len(chart.BY_NUMBER) == len(chart.ACCOUNTS)
    assert len({row.quantity for row in ROWS}) == len(ROWS)


def test_a_payment_before_dispatch_is_a_deposit_with_its_holder() -> None:
    assert Story().tell(placed(TWO), captured(1561)).balances == {"1100 shop": 1561, "2100": -1561}


def test_a_dispatch_turns_the_deposit_into_revenue_shipping_and_tax() -> None:
    story = Story().tell(placed(TWO), captured(1561), dispatched(("mug", 3)))
    assert story.balances == {
        "1100 shop": 1561, "2200 0.2": -260, "4000": -1000, "4200": -300, "7000": -1,
    }  # fmt: skip


def test_parcels_share_a_line_to_the_cent_with_shipping_in_the_first() -> None:
    story = Story().tell(placed(TWO), dispatched(("mug", 1)))
    assert story.balances == {"1200": 760, "2200 0.2": -127, "4000": -333, "4200": -300}
    story.tell(dispatched(("mug", 1), shipment="shp2"))
    assert story.balances["4000"] == -667
    story.tell(dispatched(("mug", 1), shipment="shp3"))
    assert story.balances == {
        "1200": 1561, "2200 0.2": -260, "4000": -1000, "4200": -300, "7000": -1,
    }  # fmt: skip


def test_an_order_on_account_is_a_receivable_that_a_payment_settles() -> None:
    story = Story().tell(placed(TWO), dispatched(("mug", 3)))
    assert story.balances["1200"] == 1561
    story.tell(captured(2000))
    assert (story.balances.get("1200"), story.balances["2100"]) == (None, -439)


def test_a_discount_reduces_the_revenue_of_its_line() -> None:
    story = Story().tell(placed(order(line("mug", 1, 800, discount=200))), dispatched(("mug", 1)))
    assert story.balances == {"1200": 800, "4000": -800}


def test_an_included_tax_is_taken_out_of_the_net() -> None:
    sale = order(line("mug", 1, 1200, tax(200, included=True)))
    assert Story().tell(placed(sale), dispatched(("mug", 1))).balances == {
        "1200": 1200, "2200 0.2": -200, "4000": -1000,
    }  # fmt: skip


def test_a_tax_that_the_channel_collects_is_never_ours() -> None:
    sale = order(line("mug", 1, 1000, tax(80, "0.08", "channel")))
    story = Story().tell(placed(sale), captured(1080), dispatched(("mug", 1)))
    assert story.balances == {"1100 shop": 1080, "2210 shop": -80, "4000": -1000}


DUTIED = order(line("mug", 1, 1000, tax(200)), charges=(charge(150, tax(30), kind="duty"),))


def test_duties_are_held_for_customs_and_no_revenue() -> None:
    story = Story().tell(placed(DUTIED), captured(1380), dispatched(("mug", 1)))
    assert story.balances == {"1100 shop": 1380, "2200 0.2": -230, "2220": -150, "4000": -1000}


def test_duties_that_go_back_after_dispatch_are_owed_to_nobody() -> None:
    story = Story().tell(placed(DUTIED), captured(1380), dispatched(("mug", 1)))
    story.tell(refunded(180, charges=180))
    assert story.balances == {"1100 shop": 1200, "2200 0.2": -200, "4000": -1000}
    told = Story().tell(placed(DUTIED), captured(1380), dispatched(("mug", 1)))
    told.tell(amended(order(line("mug", 1, 1000, tax(200)))), refunded(180))
    assert told.balances == story.balances


def test_a_gift_card_sold_is_a_liability_and_no_revenue() -> None:
    sale = order(line("card", 1, 5000, kind="gift_card"))
    story = Story().tell(placed(sale), captured(5000), completed(("card", 1)))
    assert story.balances == {"1100 shop": 5000, "2300 gift_card": -5000}
    assert {entry.kind for entry in story.ledger.entries} == {"payment", "gift_card_sold"}


def test_a_gift_card_redeemed_is_a_deposit_and_goes_back_where_the_order_ends() -> None:
    sale = order(line("mug", 1, 1000), gift_card=400)
    story = Story().tell(placed(sale), captured(600))
    assert story.balances == {"1100 shop": 600, "2100": -1000, "2300 gift_card": 400}
    story.tell(cancelled(("mug", 1), whole=True), refunded(600))
    assert story.balances == {}


def test_a_gift_card_that_payments_tells_too_counts_once() -> None:
    sale = order(line("mug", 1, 1000), gift_card=400)
    story = Story().tell(placed(sale), captured(400, "g", tender="gift_card"), captured(600))
    assert story.balances == {"1100 shop": 600, "2100": -1000, "2300 gift_card": 400}


def test_a_refund_to_a_gift_card_restores_it_and_nobody_owes_us_anything() -> None:
    sale = order(line("mug", 1, 1000), gift_card=300)
    story = Story().tell(placed(sale), captured(300, "g", holder="gift-card", tender="gift_card"))
    story.tell(captured(700), refunded(700))
    assert story.balances == {"2100": -300, "2300 gift_card": 300}
    story.tell(refunded(300, refund="ref2", holder="gift-card", tender="gift_card"))
    assert story.balances == {}
    assert story.tell(cancelled(("mug", 1), whole=True)).balances == {}


def test_a_refund_to_store_credit_after_dispatch_reverses_revenue() -> None:
    sale = order(line("mug", 1, 1000, tax(200)), store_credit=1200)
    paid = captured(1200, holder="store-credit", tender="store_credit")
    story = Story().tell(placed(sale), paid, dispatched(("mug", 1)))
    assert story.balances == {"2200 0.2": -200, "2300 store_credit": 1200, "4000": -1000}
    story.tell(refunded(1200, holder="store-credit", tender="store_credit"))
    assert story.balances == {"4000": -1000, "4900": 1000}


def test_a_cancellation_before_dispatch_takes_the_deposit_back_and_no_revenue() -> None:
    story = Story().tell(placed(TWO), captured(1561), cancelled(("mug", 3), whole=True))
    assert story.balances == {"1100 shop": 1561, "2100": -1561}
    assert story.tell(refunded(1561)).balances == {}


def test_a_refund_after_dispatch_reverses_revenue_and_tax_of_its_line() -> None:
    sale = order(line("mug", 1, 1000, tax(200)), line("book", 1, 500, tax(0, "0")))
    story = Story().tell(placed(sale), captured(1700), dispatched(("mug", 1), ("book", 1)))
    story.tell(refunded(1200, ("mug", 1200)))
    assert story.balances == {"1100 shop": 500, "4000": -1500, "4900": 1000}
    story.tell(refunded(500, refund="ref2"))
    assert story.balances == {"4000": -1500, "4900": 1500}


def test_a_refund_that_comes_back_is_taken_back_and_may_be_made_again() -> None:
    sale = order(line("mug", 1, 1000, tax(200)))
    story = Story().tell(placed(sale), captured(1200), dispatched(("mug", 1)))
    before = story.balances
    after = story.tell(refunded(1200)).balances
    assert story.tell(returned(1200)).balances == before
    assert story.tell(refunded(1200)).balances == after


def test_a_refund_that_was_paid_back_another_way_left_from_the_bank() -> None:
    sale = order(line("mug", 1, 1000, tax(200)))
    story = Story().tell(placed(sale), captured(1200), cancelled(("mug", 1), whole=True))
    story.tell(refunded(1200, holder="by hand"))
    assert story.balances == {"1000": -1200, "1100 shop": 1200}
    story.tell(refunded(500, refund="ref2"))  # and at the provider, too
    assert story.balances == {"1000": -1200, "1100 shop": 700, "4900": 500}
    sent = Story().tell(placed(sale), captured(1200), dispatched(("mug", 1)))
    before = sent.tell(refunded(1200)).balances
    again = Story().tell(placed(sale), captured(1200), dispatched(("mug", 1)))
    after = again.tell(refunded(1200, holder="by hand")).balances
    assert after == before | {"1000": -1200, "1100 shop": 1200}


def test_what_was_owed_and_taken_by_a_lost_dispute_is_no_loss() -> None:
    story = Story().tell(placed(order(line("mug", 1, 1000, tax(200)))), captured(1200))
    story.tell(cancelled(("mug", 1), whole=True))
    story.tell(disputed(payments.DisputeOpened, 1200), disputed(payments.DisputeLost, 1200))
    assert story.balances == {"2100": -1200, "6100": 1200}
    story.tell(refunded(1200, holder="by dispute"))
    assert story.balances == {}


def test_part_cancelled_and_refunded_leaves_no_balance_with_the_customer() -> None:
    story = Story().tell(placed(TWO), captured(1561), dispatched(("mug", 1)))
    story.tell(cancelled(("mug", 2)), refunded(800, ("mug", 800)))
    assert story.balances == {
        "1100 shop": 761, "2200 0.2": -127, "4000": -333, "4200": -300, "7000": -1,
    }  # fmt: skip


def test_rounding_waits_for_the_last_unit_where_a_version_takes_cancelled_ones_out() -> None:
    two = order(line("mug", 2, 667), rounding=1)
    story = Story().tell(placed(TWO), cancelled(("mug", 1)), amended(two))
    assert "7000" not in story.tell(dispatched(("mug", 1))).balances
    assert story.tell(dispatched(("mug", 1), shipment="shp2")).balances["7000"] == -1


def test_an_order_that_changes_after_it_left_corrects_its_revenue() -> None:
    story = Story().tell(placed(TWO), captured(1561), dispatched(("mug", 3)))
    less = order(line("mug", 3, 900, tax(180)), charges=(shipping(300, tax(60)),), rounding=1)
    story.tell(amended(less))
    assert (story.balances["4000"], story.balances["2200 0.2"]) == (-900, -240)
    assert story.balances["2100"] == -120
    assert story.ledger.entries[-1].source_type == "OrderAmended"


def test_a_dispute_leaves_clearing_and_comes_back_or_is_lost() -> None:
    story = Story().tell(placed(TWO), captured(1561), disputed(payments.DisputeOpened, 1561))
    assert story.balances == {"1300 shop": 1561, "2100": -1561}
    story.tell(disputed(payments.DisputeWon, 1561))
    assert story.balances == {"1100 shop": 1561, "2100": -1561}
    story.tell(disputed(payments.DisputeOpened, 1561, "d2"))
    story.tell(disputed(payments.DisputeLost, 1561, "d2"))
    assert story.balances == {"2100": -1561, "6100": 1561}


def test_a_refund_that_came_back_gives_back_no_tax_of_its_lines() -> None:
    """A mug is taxed, a book is not: the mug's refund failed, the book's was made."""
    both = order(line("mug", 1, 1000, tax(200)), line("book", 1, 1000))
    story = Story().tell(placed(both), captured(2200), dispatched(("mug", 1), ("book", 1)))
    story.tell(refunded(1200, ("mug", 1200)), returned(1200))
    story.tell(refunded(1000, ("book", 1000), refund="ref2"))
    assert story.balances["2200 0.2"] == -200
    assert story.balances["4900"] == 1000


def test_a_refund_that_is_made_again_counts_once_for_its_lines() -> None:
    both = order(line("mug", 1, 1000, tax(200)), line("book", 1, 1000))
    story = Story().tell(placed(both), captured(2200), dispatched(("mug", 1), ("book", 1)))
    story.tell(refunded(600, ("mug", 600)), returned(600), refunded(600, ("mug", 600)))
    story.tell(refunded(600, refund="ref2"), refunded(600, ("book", 600), refund="ref3"))
    story.tell(returned(600, "ref2"))
    assert story.balances["2200 0.2"] == -100
    assert story.balances["4900"] == 1100


def test_facts_before_their_order_wait_and_keep_their_source_and_day() -> None:
    story = Story().tell(captured(1561), dispatched(("mug", 3)))
    assert story.balances == {}
    story.tell(placed(TWO))
    assert story.balances["4000"] == -1000
    assert [entry.source_type for entry in story.ledger.entries] == [
        "PaymentCaptured", "ShipmentDispatched", "ShipmentDispatched",
    ]  # fmt: skip
    assert "1200" not in {one.account for entry in story.ledger.entries for one in entry.lines}


def test_a_test_order_posts_nothing() -> None:
    assert Story().tell(placed(order(MUGS, test=True))).ledger.log == []


def test_a_fact_that_says_nothing_new_makes_no_event() -> None:
    story = Story().tell(placed(TWO), captured(1561), dispatched(("mug", 3)))
    before = len(story.ledger.log)
    assert len(story.tell(completed(("mug", 3))).ledger.log) == before
    assert before == 4  # the sale, the payment, the revenue, the rounding


def test_the_tax_point_is_the_dispatch_in_the_companys_zone() -> None:
    story = Story().tell(placed(TWO), captured(1561), dispatched(("mug", 3)))
    assert {(e.kind, e.tax_point) for e in story.ledger.entries} == {
        ("payment", None), ("dispatch_revenue", "2023-11-14"), ("rounding", None),
    }  # fmt: skip
    assert all(isinstance(e, accounting.EntryPosted) and e.entry_id for e in story.ledger.entries)
