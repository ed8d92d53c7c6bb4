"""What a shop has taken and still has, by its own rules, over the whole of a planned run."""

from msgspec.structs import replace

from services.sandbox.retail.content import State
from services.sandbox.retail.plan import plan_run
from services.sandbox.retail.rows import EXTRACT, read
from services.sandbox.shops.takings import taken

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


def test_a_paid_order_is_in_the_shops_hands_and_an_unpaid_one_is_not() -> None:
    for provider, content in SHOPS.items():
        assert taken(placed(provider), ()) == content.total
        assert taken(placed(provider, paid=False), ()) == 0
    ours = placed("standard")
    ours = replace(ours, content=replace(ours.content, means="pm_card_visa"))
    assert taken(ours, ()) == 0


def test_only_shopify_gives_back_what_is_cancelled_by_itself() -> None:
    for provider, content in SHOPS.items():
        line = content.lines[0]
        less = replace(placed(provider), cancelled={line.id: line.quantity})
        back = 0 if provider == "woocommerce" else line.net + line.tax
        assert taken(less, ()) == content.total - back
        every = {one.id: one.quantity for one in content.lines}
        none = replace(placed(provider), cancelled=every, status="cancelled")
        assert taken(none, ()) == (content.total if provider == "woocommerce" else 0)


def test_what_an_edit_makes_cheaper_stays_with_the_shop() -> None:
    before = placed("shopify")
    cheaper = replace(before.content, lines=before.content.lines[1:])
    after = replace(before, content=cheaper, version=2)
    assert taken(after, (before, after)) == before.content.total > cheaper.total
