"""Payment intents: created, confirmed, captured once, cancelled, expired. Works on a `Turn` only.

Source: docs.stripe.com/api/payment_intents and /payments/place-a-hold-on-a-payment-method: a
capture is final and releases the rest, an authorisation that is not captured by `capture_before`
is cancelled by Stripe.
"""

from typing import Any

from services.sandbox.chance import identifier, share
from services.sandbox.stripe import cards, objects, refusals
from services.sandbox.stripe.account import Turn
from services.sandbox.stripe.cards import Verdict
from services.sandbox.stripe.refusals import Refused

Json = dict[str, Any]
_CONFIRMABLE = {"requires_payment_method", "requires_confirmation", "requires_action"}


class Declined(Exception):  # noqa: N818 - the trade's word
    """A card error: what was put stays, the answer is 402 with this body."""

    def __init__(self, error: Json) -> None:
        super().__init__(error["code"])
        self.body: Json = {"error": error}


def fee(amount: int) -> int:
    """Stripe's fee on a British card: 1.5 % and 20 minor units, half up."""
    return (amount * 15 + 500) // 1000 + 20


def create(turn: Turn, given: Json, method: str | None) -> Json:
    """A new intent; `given` is checked already. Confirm it apart."""
    intent = objects.intent(turn.id("payment_intent"), at=turn.at, **given)
    if method is not None:
        intent |= {"payment_method": _method_id(turn, method), "status": "requires_confirmation"}
    turn.put(intent)
    turn.tell("payment_intent.created", intent)
    return intent


def _method_id(turn: Turn, method: str) -> str:
    # A test method is copied into the account: its name stays readable in the id.
    if not method.startswith("pm_card_"):
        return method
    number = len(turn.account.objects["payment_intent"]) + 1
    return f"{method}_{identifier(turn.settings.seed, '', number, 8)}"


def test_method(method: str) -> str:
    """The test payment method that an id was made from."""
    return method.rsplit("_", 1)[0] if len(method.rsplit("_", 1)[-1]) == 8 else method


def confirm(turn: Turn, intent: Json, method: str | None, *, off_session: bool) -> Json:
    """Ask the issuer. Raises Refused, or Declined after putting the failed charge."""
    if intent["status"] not in _CONFIRMABLE:
        raise refusals.unexpected_state(intent, "confirmed")
    chosen = _method_id(turn, method) if method else intent["payment_method"]
    if chosen is None:
        text = "You cannot confirm this PaymentIntent because it's missing a payment method."
        code = "payment_intent_unexpected_state"
        raise Refused(400, "invalid_request_error", code, text, payment_intent=intent)
    verdict = cards.verdict(test_method(chosen))
    if verdict is None:
        raise refusals.no_such("PaymentMethod", chosen, "payment_method")
    intent = turn.put(intent | {"payment_method": chosen})
    match verdict.kind:
        case "approved":
            return authorise(turn, intent, verdict)
        case "action" if not off_session:
            turn.later(turn.at + turn.settings.action_seconds, "act", intent["id"])
            intent = turn.put(
                intent | {"status": "requires_action", "next_action": _action(intent)}
            )
            turn.tell("payment_intent.requires_action", intent)
            return intent
        case "action":
            raise decline(turn, intent, cards.AUTHENTICATION)
        case _:
            raise decline(turn, intent, verdict)


def _action(intent: Json) -> Json:
    url = f"https://hooks.example.invalid/authenticate/{intent['id']}"
    return {"redirect_to_url": {"return_url": None, "url": url}, "type": "redirect_to_url"}


def decline(turn: Turn, intent: Json, verdict: Verdict) -> Declined:
    """Put the failed charge and the intent that needs another method; gives the card error."""
    details = objects.card(verdict.brand, verdict.last4, None, intent["amount"])
    failed: Json = {"failure_code": verdict.code, "failure_message": verdict.message}
    failed |= {"paid": False, "status": "failed"}
    charge = turn.put(objects.charge(turn.id("charge"), intent, turn.at, details, **failed))
    error = refusals.card_error(verdict, intent, charge["id"])
    changed: Json = {
        "status": "requires_payment_method",
        "payment_method": None,
        "next_action": None,
    }
    changed |= {"latest_charge": charge["id"], "last_payment_error": error}
    intent = turn.put(intent | changed)
    turn.tell("charge.failed", charge)
    turn.tell("payment_intent.payment_failed", intent)
    return Declined(error | {"payment_intent": intent})


def authorise(turn: Turn, intent: Json, verdict: Verdict) -> Json:
    """The issuer holds the money; an automatic intent is captured at once."""
    manual = intent["capture_method"] == "manual"
    before = turn.at + _window(turn, intent) if manual else None
    details = objects.card(verdict.brand, verdict.last4, before, intent["amount"])
    charge = turn.put(objects.charge(turn.id("charge"), intent, turn.at, details))
    turn.tell("charge.succeeded", charge)
    changed = {"latest_charge": charge["id"], "last_payment_error": None, "next_action": None}
    if before is None:
        return _captured(turn, intent | changed, charge, intent["amount"])
    turn.later(before, "expire", intent["id"])
    changed |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
    intent = turn.put(intent | changed)
    turn.tell("payment_intent.amount_capturable_updated", intent)
    return intent


def _window(turn: Turn, intent: Json) -> int:
    subject = intent["metadata"].get(turn.settings.order_key) or intent["id"]
    short = share(turn.settings.seed, "short", subject) < turn.settings.short_share
    return turn.settings.short_seconds if short else turn.settings.authorisation_seconds


def capture(turn: Turn, intent: Json, amount: int | None) -> Json:
    """Take `amount` (None: all); what is left is released. Raises Refused."""
    if intent["status"] != "requires_capture":
        raise refusals.unexpected_state(intent, "captured")
    wanted = intent["amount_capturable"] if amount is None else amount
    if wanted > intent["amount_capturable"]:
        text = (
            f"The amount you requested to capture ({wanted}) is greater than the amount you can "
            f"capture ({intent['amount_capturable']}) for this PaymentIntent."
        )
        param = {"param": "amount_to_capture"}
        raise Refused(400, "invalid_request_error", "amount_too_large", text, **param)
    charge = turn.get("charge", intent["latest_charge"])
    assert charge is not None
    return _captured(turn, intent, charge, wanted)


def _captured(turn: Turn, intent: Json, charge: Json, amount: int) -> Json:
    number = turn.id("balance_transaction")
    cost = fee(amount)
    turn.put(objects.transaction(number, "charge", charge, amount, cost, turn.at))
    # What a single capture leaves is given back: Stripe counts it into `amount_refunded`.
    money = {"amount_captured": amount, "amount_refunded": charge["amount"] - amount}
    charge = turn.put(charge | money | {"captured": True, "balance_transaction": number})
    done = {"status": "succeeded", "amount_capturable": 0, "amount_received": amount}
    intent = turn.put(intent | done)
    turn.tell("charge.captured", charge)
    turn.tell("payment_intent.succeeded", intent)
    return intent


def cancel(turn: Turn, intent: Json, reason: str | None) -> Json:
    """Give the hold back. Raises Refused."""
    if intent["status"] in {"succeeded", "canceled"}:
        raise refusals.unexpected_state(intent, "canceled")
    if intent["status"] == "requires_capture":
        _release(turn, intent, "charge.refunded")
    return _cancelled(turn, intent, reason)


def _release(turn: Turn, intent: Json, event: str) -> None:
    charge = turn.get("charge", intent["latest_charge"])
    assert charge is not None
    released = {"amount_refunded": charge["amount"], "refunded": True}
    turn.tell(event, turn.put(charge | released))


def _cancelled(turn: Turn, intent: Json, reason: str | None) -> Json:
    changed = {"status": "canceled", "amount_capturable": 0, "next_action": None}
    changed |= {"canceled_at": turn.at, "cancellation_reason": reason}
    intent = turn.put(intent | changed)
    turn.tell("payment_intent.canceled", intent)
    return intent


def fall_due(turn: Turn, what: str, number: str) -> None:
    """What time does to an intent: an authorisation ends, a buyer acts or fails to."""
    intent = turn.get("payment_intent", number)
    assert intent is not None
    if what == "expire" and intent["status"] == "requires_capture":
        _release(turn, intent, "charge.expired")
        _cancelled(turn, intent, "automatic")
    if what == "act" and intent["status"] == "requires_action":
        subject = intent["metadata"].get(turn.settings.order_key) or number
        if share(turn.settings.seed, "acts", subject) < turn.settings.action_succeeds:
            authorise(turn, intent, Verdict("approved", last4="3184"))
        else:
            decline(turn, intent, FAILED_ACTION)


FAILED_ACTION = Verdict(
    "declined",
    "payment_intent_authentication_failure",
    "authentication_not_handled",
    "The provided PaymentMethod has failed authentication.",
    last4="3184",
)
