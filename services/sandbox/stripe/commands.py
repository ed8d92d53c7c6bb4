"""Stripe's POST endpoints: from a path and parameters to a change and an answer. No I/O."""

import re
from collections.abc import Callable
from typing import Any

from services.sandbox.stripe import intents, params, queries, refunding, refusals
from services.sandbox.stripe.account import Turn
from services.sandbox.stripe.intents import Declined
from services.sandbox.stripe.refusals import Invalid, Refused, invalid, missing

Json = dict[str, Any]
_ACTION = re.compile(r"/v1/payment_intents/([\w]+)/(confirm|capture|cancel)")


def perform(turn: Turn, path: str, given: Json) -> tuple[int, Json]:
    """Status and body; the turn holds what changed. Raises Invalid: nothing began."""
    try:
        found = _route(path)(turn, given)
    except Declined as declined:
        return 402, declined.body
    except Invalid:
        raise
    except Refused as refused:
        turn.drop()
        return refused.status, refused.body
    return 200, queries.expanded(found, given, turn.get)


def subject(turn: Turn, path: str, given: Json) -> str | None:
    """Whose request it is, for the seeded faults: the action and the order; None: unknown."""
    action = _ACTION.fullmatch(path)
    number = action[1] if action else given.get("payment_intent")
    intent = turn.get("payment_intent", str(number)) if number else None
    metadata = intent["metadata"] if intent else given.get("metadata")
    order = metadata.get(turn.settings.order_key) if isinstance(metadata, dict) else None
    if order is None:
        return None
    return f"{action[2] if action else path.rsplit('/', 1)[-1]}:{order}"


def _route(path: str) -> Callable[[Turn, Json], Json]:
    if path == "/v1/payment_intents":
        return _create
    if path == "/v1/refunds":
        return _refund
    action = _ACTION.fullmatch(path)
    if action is None:
        text = f"Unrecognized request URL (POST: {path[:120]})."
        raise Invalid(404, "invalid_request_error", "", text)
    number = action[1]
    match action[2]:
        case "confirm":
            return lambda turn, given: _confirm(turn, _intent(turn, number), given)
        case "capture":
            return lambda turn, given: _capture(turn, _intent(turn, number), given)
        case _:
            return lambda turn, given: _cancel(turn, _intent(turn, number), given)


def _intent(turn: Turn, number: str) -> Json:
    found = turn.get("payment_intent", number)
    if found is None:
        raise refusals.no_such("payment_intent", number)
    return found


def _create(turn: Turn, given: Json) -> Json:
    fields = params.new_intent(given)
    confirmed, off = params.flag(given, "confirm"), params.off_session(given)
    method = params.text(given, "payment_method")
    if off and not confirmed:
        raise invalid("off_session", "off_session needs confirm=true.")
    intent = intents.create(turn, fields, method)
    if not confirmed:
        return intent
    return intents.confirm(turn, intent, None, off_session=off)


def _confirm(turn: Turn, intent: Json, given: Json) -> Json:
    params.only(given, params.CONFIRM)
    method, off = params.text(given, "payment_method"), params.off_session(given)
    return intents.confirm(turn, intent, method, off_session=off)


def _capture(turn: Turn, intent: Json, given: Json) -> Json:
    params.only(given, params.CAPTURE)
    wanted = params.amount(given, "amount_to_capture")
    if "final_capture" in given and not params.flag(given, "final_capture"):
        raise invalid("final_capture", "This account does not support multicapture.")
    changed = intents.capture(turn, intent, wanted)
    return turn.put(changed | {"metadata": changed["metadata"] | params.metadata(given)})


def _cancel(turn: Turn, intent: Json, given: Json) -> Json:
    params.only(given, params.CANCEL)
    reason = params.text(given, "cancellation_reason")
    if reason is not None and reason not in params.REASONS:
        raise invalid("cancellation_reason", f"Invalid cancellation_reason: {reason[:40]}")
    return intents.cancel(turn, intent, reason)


def _refund(turn: Turn, given: Json) -> Json:
    params.only(given, params.REFUND)
    wanted, reason = params.amount(given, "amount"), params.text(given, "reason")
    if reason is not None and reason not in params.REASONS:
        raise invalid("reason", f"Invalid reason: {reason[:40]}")
    fields = {"metadata": params.metadata(given), "reason": reason}
    number = params.text(given, "charge")
    if number is None:
        wanted_intent = params.text(given, "payment_intent")
        if wanted_intent is None:
            raise missing("payment_intent")
        intent = _intent(turn, wanted_intent)
        number = intent["latest_charge"]
        if intent["status"] != "succeeded" or number is None:
            text = (
                f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund."
            )
            raise Refused(400, "invalid_request_error", "payment_intent_unexpected_state", text)
    charge = turn.get("charge", number)
    if charge is None:
        raise refusals.no_such("charge", number, "charge")
    return refunding.create(turn, charge, wanted, fields)
