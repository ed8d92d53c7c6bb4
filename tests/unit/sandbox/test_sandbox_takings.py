"""What a shop has taken, given back and owes, by its own rules."""

from random import Random

from msgspec.structs import replace

from services.sandbox.retail import edits
from services.sandbox.retail.content import Cut, State
from services.sandbox.retail.plan import plan_run
from services.sandbox.retail.rows import EXTRACT, read
from services.sandbox.shops.takings import owed, received, returned, taken

CONTENTS = plan_run(read(EXTRACT), 1, 60).contents
SHOPS = {
    name: next(
        one for one in CONTENTS
        if one.account.provider == name and one.case is None and len(one.lines) > 1 and one.total
    )
    for name in ("shopify", "woocommerce", "standard")
}  # fmt: skip


def placed(provider: str, *, paid: bool = True) -> State:
    return State(SHOPS[provider], 1, 0, "open", paid=paid)


def cheaper(state: State, back_at: int | None = None) -> State:
    """The state after an edit that took units out."""
    units = edits.fewer(state.content, Random(1))
    left = edits.without(state.content, units)
    less = state.content.total - left.total if state.paid else 0
    return replace(state, content=left, version=2, cut=Cut(1, units, less, back_at))


def test_a_paid_order_is_in_the_shops_hands_and_an_unpaid_one_is_not() -> None:
    for provider, content in SHOPS.items():
        assert taken(placed(provider)) == received(placed(provider)) == content.total
        assert taken(placed(provider, paid=False)) == 0
    ours = placed("standard")
    ours = replace(ours, content=replace(ours.content, means="pm_card_visa"))
    assert (taken(ours), owed(ours)) == (0, 0)


def test_woocommerce_alone_keeps_what_is_cancelled_and_owes_it() -> None:
    for provider, content in SHOPS.items():
        line = content.lines[0]
        less = replace(placed(provider), cancelled={line.id: line.quantity})
        part = line.net + line.tax
        keeps = provider == "woocommerce"
        assert taken(less) == content.total - (0 if keeps else part)
        assert owed(less) == (part if keeps else 0)
        every = {one.id: one.quantity for one in content.lines}
        none = replace(placed(provider), cancelled=every, status="cancelled")
        assert taken(none) == owed(none) == (content.total if keeps else 0)


def test_what_an_edit_made_cheaper_is_owed_until_it_is_given_back() -> None:
    before = placed("shopify")
    after, back = cheaper(before), cheaper(before, 2)
    less = before.content.total - after.content.total
    assert less > 0
    assert (received(after), returned(after), owed(after)) == (before.content.total, 0, less)
    assert (received(back), returned(back), owed(back)) == (before.content.total, less, 0)
    assert taken(back) == back.content.total
    every = {one.id: one.quantity for one in after.content.lines}
    gone = replace(after, cancelled=every, status="cancelled")
    assert (taken(gone), owed(gone)) == (0, 0)


def test_what_an_edit_made_cheaper_before_the_payment_was_never_taken() -> None:
    paid = replace(cheaper(placed("woocommerce", paid=False)), paid=True)
    assert (received(paid), owed(paid)) == (paid.content.total, 0)
    assert paid.content.total < SHOPS["woocommerce"].total
