"""Refunds of captured charges, also in part, never above what was captured. Works on a `Turn`.

Source: docs.stripe.com/refunds ("Failed refunds") and docs.stripe.com/error-codes.
"""

from typing import Any

from services.sandbox.stripe import objects
from services.sandbox.stripe.account import Turn
from services.sandbox.stripe.refusals import Refused

Json = dict[str, Any]


def create(turn: Turn, charge: Json, amount: int | None, given: Json) -> Json:
    """Give back `amount` (None: the rest). Raises Refused."""
    left = charge["amount"] - charge["amount_refunded"]
    if charge["disputed"]:
        text = f"Charge {charge['id']} has been charged back."
        raise Refused(400, "invalid_request_error", "charge_disputed", text)
    if not charge["captured"]:
        text = f"Charge {charge['id']} has not been captured; cancel its PaymentIntent instead."
        raise Refused(400, "invalid_request_error", "charge_not_refundable", text)
    if left == 0:
        text = f"Charge {charge['id']} has already been refunded."
        raise Refused(400, "invalid_request_error", "charge_already_refunded", text)
    wanted = left if amount is None else amount
    if wanted > left:
        text = f"Refund amount ({wanted}) is greater than unrefunded amount on charge ({left})"
        raise Refused(400, "invalid_request_error", "", text, param="amount")
    refund = objects.refund(turn.id("refund"), charge, wanted, turn.at, **given)
    number = turn.id("balance_transaction")
    turn.put(objects.transaction(number, "refund", refund, -wanted, 0, turn.at))
    refund = turn.put(refund | {"balance_transaction": number})
    refunded = charge["amount_refunded"] + wanted
    changed = {"amount_refunded": refunded, "refunded": refunded == charge["amount"]}
    turn.tell("charge.refunded", turn.put(charge | changed))
    turn.tell("refund.created", refund)
    return refund


def fail(turn: Turn, refund: Json, reason: str) -> Json:
    """The buyer's bank sends a refund back: the money is the account's again."""
    charge = turn.get("charge", refund["charge"])
    assert charge is not None
    left = charge["amount_refunded"] - refund["amount"]
    turn.put(charge | {"amount_refunded": left, "refunded": False})
    refund = turn.put(refund | {"status": "failed", "failure_reason": reason})
    turn.tell("refund.updated", refund)
    turn.tell("refund.failed", refund)
    return refund
