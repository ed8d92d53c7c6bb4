"""When money is asked to be set aside, and what becomes of it. Pure."""

from libs.contracts import payments
from services.payments.commands import BUYER_WITHIN, PERSON_WITHIN, intent_id
from services.payments.state import Intent, PaymentState
from services.payments.story import Story
from services.payments.sums import lack, minimum, set_aside

_ONCE_SET_ASIDE = frozenset({"authorised", "closed", "voiding", "voided", "expired"})


def authorise(story: Story) -> None:
    """Ask for what is due and neither set aside nor captured; never while that is in doubt."""
    state = story.state
    wanted = lack(state) - set_aside(state)
    if state.custody != "us" or state.later or state.halted or wanted <= 0:
        return
    first = not any(one.status in _ONCE_SET_ASIDE for one in state.intents.values())
    present = first or state.unused  # the buyer has just given what is to be charged
    name = intent_id(state.order_id, len(state.intents) + 1)
    if not state.holder:
        decline(story, name, wanted, "payments-account-missing", final=False)
    elif state.method is None:
        _buyer(story, "no-payment-method")
    elif wanted < minimum(state.currency):
        decline(story, name, wanted, "below-provider-minimum", final=True)
    elif not present and not state.mandate:
        _buyer(story, "no-mandate")
    else:
        story.tell(
            payments.PaymentAuthorisationRequested(
                **story.names(), intent_id=name, holder=state.holder, amount=wanted,
                currency=state.currency, attempt=len(state.intents) + 1,
                reason=_reason(state, first=first), method=state.method, off_session=not present,
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
    *, mandate: bool, since: int | None = None,
) -> None:  # fmt: skip
    """Tell that money is set aside, and when it must be decided what becomes of it.

    `since` is when it was set aside, by the provider's clock (microseconds), where that is told.
    """
    state = story.state
    known = state.intents.get(name)
    end = capture_before
    if end is None and known is not None:
        end = _by_rule(known, since)
    story.tell(
        payments.PaymentAuthorised(
            **story.names(), intent_id=name, provider_intent=provider_intent,
            holder=known.holder if known else state.holder, amount=amount,
            currency=state.currency, capture_before=capture_before, single_capture=True,
            mandate=mandate, decide_by=_decide_by(story, end),
        )
    )  # fmt: skip


def detailed(story: Story, name: str, capture_before: int | None, *, mandate: bool) -> None:
    """Tell the end of an authorisation, or the buyer's mandate, where it is heard of only now."""
    known = story.state.intents[name]
    end = capture_before if known.capture_before is None else known.capture_before
    mandate = mandate or known.mandate
    if known.status == "authorised" and (end, mandate) != (known.capture_before, known.mandate):
        told = end != known.capture_before
        decide_by = _decide_by(story, end) if told else known.decide_by
        _detail(story, name, end, decide_by, mandate=mandate)


def undated(story: Story) -> None:
    """Tell when it is decided on an authorisation of which no end was ever told, nor assumed."""
    for name, one in sorted(story.state.intents.items()):
        if one.status == "authorised" and one.decide_by is None and one.lasts:
            decide_by = _decide_by(story, _by_rule(one, None))
            _detail(story, name, one.capture_before, decide_by, mandate=one.mandate)


def _detail(
    story: Story, name: str, capture_before: int | None, decide_by: int | None, *, mandate: bool
) -> None:
    story.tell(
        payments.AuthorisationDetailed(
            **story.names(), intent_id=name, capture_before=capture_before, mandate=mandate,
            decide_by=decide_by,
        )
    )  # fmt: skip


def _by_rule(intent: Intent, since: int | None) -> int:
    """Return when an authorisation ends of which the provider does not say it.

    Where nobody tells when it was set aside, that was when it was asked for, at the earliest.
    """
    return (intent.asked_at if since is None else since) + intent.lasts


def _decide_by(story: Story, end: int | None) -> int | None:
    """Return when it is decided what becomes of an authorisation that ends then."""
    if end is None:
        return None
    # One that lasts no longer than the margin is not decided on before it could be used.
    half = (story.at + end) // 2
    return max(end - story.state.margin, half, story.at)
