"""What follows once something is known of a payment: asked, captured, cleared, given back. Pure.

Every decision ends here, so that any order of the same facts leads to the same end.
"""

from libs.contracts import common, payments
from services.payments.authorising import authorise, undated
from services.payments.capturing import clear
from services.payments.commands import capture_id
from services.payments.evolve import PaymentEvent
from services.payments.refunding import ask_less, due_again, give_back, refund
from services.payments.state import LATER, TAKEN, VOUCHERS, PaymentState
from services.payments.story import Story
from services.payments.sums import goal, held, lack, taken


def settle(story: Story) -> list[PaymentEvent]:
    """Tell all that follows; telling it again adds nothing."""
    told = -1
    while story.state.known and told < len(story.events):  # one step may open the way for another
        told = len(story.events)
        due_again(story)
        _vouchers(story)
        _channel(story)
        _not_required(story)
        undated(story)
        clear(story)
        authorise(story)
        give_back(story)
        refund(story)
    return story.events


def _vouchers(story: Story) -> None:
    """Record what gift cards and store credit carry: the channel has redeemed them already.

    What was redeemed is so once, also where it has gone back since and the order costs more again;
    also what no part of the order can cost any more, so that it is asked back.
    """
    if story.state.funds in {"voided", "expired", "refunded"}:
        return
    carried = {"gift_card": story.state.gift, "store_credit": story.state.credit}
    spare = sum(carried.values()) - story.state.total if story.state.custody == "us" else 0
    for holder, tender in VOUCHERS.items():
        state = story.state
        redeemed = sum(
            one.amount
            for one in state.captures.values()
            if one.holder == holder and one.status == "made"
        )
        more = min(carried[tender] - redeemed, lack(state) + max(spare, 0))
        if state.received is not None and state.custody != "us":
            more = min(more, state.received - taken(state))
        _record(story, more, holder, tender)


def _channel(story: Story) -> None:
    """Record what the channel has taken, or has set aside for a capture there."""
    state = story.state
    if state.custody in {"us", "unknown"}:
        return
    missing = lack(state)
    if state.received is not None:
        _record(story, state.received - taken(state), state.account, state.tender)
        ask_less(story)
    elif state.funds in TAKEN:
        _record(story, missing, state.account, state.tender)
    if state.funds == "authorised" and missing:
        aside = state.intents.get("channel")
        if aside is None or aside.amount != missing:
            story.tell(
                payments.PaymentAuthorised(
                    **story.names(), intent_id="channel", provider_intent="",
                    holder=state.account, amount=missing, currency=state.currency,
                    capture_before=None, single_capture=False, mandate=False, decide_by=None,
                )
            )  # fmt: skip


def _record(story: Story, amount: int, holder: str, tender: common.TenderKind) -> None:
    state = story.state
    if amount <= 0:
        return
    name = capture_id(state.order_id, len(state.captures) + 1)
    story.tell(
        payments.PaymentCaptured(
            **story.names(), intent_id="", capture_id=name, provider_reference="", holder=holder,
            custody=state.custody, tender=tender, amount=amount, currency=state.currency,
            settlement_amount=None, settlement_currency=None, shipment_id=None, lines=(),
            charges_amount=0, final=True,
        )
    )  # fmt: skip


def _not_required(story: Story) -> None:
    """Say that nothing has to be paid before dispatch, once for each statement."""
    state = story.state
    reason = _reason(state)
    if reason is None or state.not_required == state.revision:
        return
    story.tell(
        payments.PaymentNotRequired(
            **story.names(), revision=state.revision, reason=reason, amount=state.amount,
            currency=state.currency,
        )
    )  # fmt: skip


def _reason(state: PaymentState) -> common.NotRequiredReason | None:
    if state.amount == 0:
        return "zero_total"
    if state.funds in LATER:
        return "on_account" if state.funds == "on_account" else "on_delivery"
    made = [one for one in state.captures.values() if one.status == "made"]
    if made and all(one.holder in VOUCHERS for one in made) and held(state) >= goal(state):
        return "gift_card"
    return None
