"""When money is asked to be set aside, and what becomes of it. Pure."""

from libs.contracts import payments
from services.payments.commands import BUYER_WITHIN, PERSON_WITHIN, intent_id
from services.payments.state import PaymentState, lack, minimum, set_aside
from services.payments.story import Story

_ONCE_SET_ASIDE = frozenset({"authorised", "closed", "voiding", "voided", "expired"})


def authorise(story: Story) -> None:
    """Ask for what is due and neither set aside nor captured; never while that is in doubt."""
    state = story.state
    wanted = lack(state) - set_aside(state)
    if state.custody != "us" or state.later or state.halted or wanted <= 0:
        return
    first = not any(one.status in _ONCE_SET_ASIDE for one in state.intents.values())
    name = intent_id(state.order_id, len(state.intents) + 1)
    if not state.holder:
        decline(story, name, wanted, "payments-account-missing", final=False)
    elif state.method is None:
        _buyer(story, "no-payment-method")
    elif wanted < minimum(state.currency):
        decline(story, name, wanted, "below-provider-minimum", final=True)
    elif not first and not state.mandate:
        _buyer(story, "no-mandate")
    else:
        story.tell(
            payments.PaymentAuthorisationRequested(
                **story.names(), intent_id=name, holder=state.holder, amount=wanted,
                currency=state.currency, attempt=len(state.intents) + 1,
                reason=_reason(state, first=first), method=state.method, off_session=not first,
                keep_method=state.second_parcel == "capture_then_reauthorise",
            )
        )  # fmt: skip


def _reason(state: PaymentState, *, first: bool) -> str:
    if first:
        return "first"
    still = any(one.status == "authorised" for one in state.intents.values())
    return "amount-raised" if still else "reauthorise"


def _buyer(story: Story, reason: str) -> None:
    story.tell(
        payments.PaymentActionRequired(
            **story.names(), intent_id="", provider_intent="", reason=reason,
            deadline=story.at + BUYER_WITHIN,
        )
    )  # fmt: skip


def decline(
    story: Story, name: str, amount: int, code: str, *, final: bool, provider_code: str = ""
) -> None:
    """Tell that nothing was set aside; it waits for the buyer or a person."""
    state = story.state
    story.tell(
        payments.PaymentDeclined(
            **story.names(), intent_id=name, holder=state.holder, amount=amount,
            currency=state.currency, code=code, provider_code=provider_code, final=final,
            deadline=story.at + PERSON_WITHIN,
        )
    )  # fmt: skip


def authorised(
    story: Story, name: str, provider_intent: str, amount: int, capture_before: int | None,
    *, mandate: bool,
) -> None:  # fmt: skip
    """Tell that money is set aside, and when it must be decided what becomes of it."""
    state = story.state
    known = state.intents.get(name)
    story.tell(
        payments.PaymentAuthorised(
            **story.names(), intent_id=name, provider_intent=provider_intent,
            holder=known.holder if known else state.holder, amount=amount,
            currency=state.currency, capture_before=capture_before, single_capture=True,
            mandate=mandate, decide_by=_decide_by(story, capture_before),
        )
    )  # fmt: skip


def detailed(story: Story, name: str, capture_before: int | None, *, mandate: bool) -> None:
    """Tell the end of an authorisation, or the buyer's mandate, where it is heard of only now."""
    known = story.state.intents[name]
    end = capture_before if known.capture_before is None else known.capture_before
    mandate = mandate or known.mandate
    if known.status == "authorised" and (end, mandate) != (known.capture_before, known.mandate):
        story.tell(
            payments.AuthorisationDetailed(
                **story.names(), intent_id=name, capture_before=end, mandate=mandate,
                decide_by=_decide_by(story, end),
            )
        )  # fmt: skip


def _decide_by(story: Story, capture_before: int | None) -> int | None:
    """Return when it is decided what becomes of an authorisation that ends then."""
    if capture_before is None:
        return None
    # One that lasts no longer than the margin is not decided on before it could be used.
    half = (story.at + capture_before) // 2
    return max(capture_before - story.state.margin, half, story.at)
