"""What is sent back by hand counts once: it is kept neither too much nor too little, or named."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.payments import commands
from services.payments.commands import Terms
from services.payments.standing import waits
from services.payments.sums import goal, held
from tests.examples import examples
from tests.unit.payments.samples import NOW, Payment, line, packed, required

LINES = ("a", "b", "c")
statement = st.tuples(st.just("state"), st.tuples(*(st.sampled_from([0, 300, 500]) for _ in LINES)))
parcel = st.tuples(st.just("pack"), st.sampled_from(LINES))
by_hand = st.tuples(st.just("by-hand"), st.integers(0, 2), st.sampled_from([100, 300, 1000]))
refusing = st.tuples(st.just("refusing"), st.booleans())
retry = st.tuples(st.just("retry"))
pay_back = st.tuples(st.just("pay-back"))
stories = st.lists(st.one_of(statement, parcel, by_hand, refusing, retry, pay_back), max_size=15)


class Shop:
    """An order whose buyer keeps a means of payment, and a dashboard that sends money back.

    `waived` is what went back by hand and was not owed, less what the order cost less since.
    `paid` is what a person paid back another way, as the provider refused it.
    """

    def __init__(self) -> None:
        self.payment = Payment(Terms("card", "capture_then_reauthorise"))
        self.payment.provider.mandate = True
        self.revision, self.waived, self.paid = 0, 0, 0
        self.state((500, 500, 0))

    def state(self, costs: tuple[int, ...]) -> None:
        self.revision += 1
        lines = [line(name, 1, cost) for name, cost in zip(LINES, costs, strict=True)]
        before = goal(self.payment.state)
        self.payment.fact(required(*lines, revision=self.revision))
        self.waived = max(self.waived - max(before - sum(costs), 0), 0)

    def owed_back(self) -> int:
        return sum(one.amount for one in self.payment.state.refunds.values()
                   if one.status == "failed")  # fmt: skip

    def by_hand(self, n: int, wanted: int) -> None:
        """Send back as much as is left of a charge; Stripe tells of it, more than once."""
        provider = self.payment.provider
        name = f"pi_{n}"
        left = provider.intents.get(name, {}).get("received", 0) - provider.refunded_of(name)
        if left <= 0:
            return
        amount = min(wanted, left)
        refused = {
            key: one for key, one in self.payment.state.refunds.items() if one.status == "failed"
        }
        mine = self.payment.state.captures
        owed = sum(
            one.amount for one in refused.values()
            if self.payment.state.intents[mine[one.capture_id].intent_id].provider_intent == name
        )  # fmt: skip
        provider.by_hand(name, amount)
        self.waived += max(amount - owed, 0)
        seen = commands.RecordRefundSeen("main", self.payment.state.order_id, "card", name, "ch",
                                         provider.refunded_of(name), "GBP", NOW, NOW)  # fmt: skip
        for _ in range(2):
            self.payment.tell(seen)

    def pay_back(self) -> None:
        """Pay one refused refund by a transfer."""
        refused = [(key, one.amount) for key, one in sorted(self.payment.state.refunds.items())
                   if one.status == "failed"]  # fmt: skip
        for name, amount in refused[:1]:
            self.paid += amount
            self.payment.tell(
                commands.Decide("paid-back", "anna", "r", NOW, reference="T1", refund_id=name)
            )

    def step(self, step: Any) -> None:
        match step:
            case ("state", costs):
                self.state(costs)
            case ("pack", name):
                self.payment.fact(packed(f"s-{name}", (name, 1)))
            case ("by-hand", n, amount):
                self.by_hand(n, amount)
            case ("refusing", refuses):
                self.payment.provider.refuses_refunds = refuses
            case ("pay-back",):
                self.pay_back()
            case ("retry",) if self.owed_back():
                self.payment.tell(commands.Decide("retry", "anna", "r", NOW))


@settings(max_examples=examples(300), deadline=None)
@given(stories)
def test_what_is_sent_back_by_hand_counts_once(story: list[Any]) -> None:
    shop = Shop()
    for step in story:
        shop.step(step)
        state, provider = shop.payment.state, shop.payment.provider
        made = [one.amount for one in state.refunds.values() if one.status == "made"]
        assert sum(made) == provider.refunded, "the books differ from the provider's"
        kept = provider.captured - provider.refunded - shop.paid
        assert kept == held(state) + shop.owed_back()
        assert state.waived == shop.waived
        assert kept - shop.owed_back() <= goal(state)
        refused = [one for one in waits(state, (), NOW) if one.reason == "refund-failed"]
        assert sum(one.at_risk_minor for one in refused) == shop.owed_back()
    shop.payment.provider.refuses_refunds = False
    shop.step(("retry",))
    shop.state((0, 0, 0))
    shop.state((0, 0, 500))
    for name in LINES:
        shop.payment.fact(packed(f"s-{name}", (name, 1)))
    provider = shop.payment.provider
    rows = sum(one.at_risk_minor for one in waits(shop.payment.state, (), NOW)
               if one.what == "authorisation")  # fmt: skip
    assert provider.captured - provider.refunded - shop.paid + shop.waived + rows == 500
