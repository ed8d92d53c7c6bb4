"""What a WooCommerce shop took for an order and gave back of it. Pure.

WooCommerce keeps refunds as objects of their own and leaves the order's total as it is; of a total
that was edited down after the payment it says nothing. Its Stripe plugin notes fee and net of what
is left of the charge in the metadata, less with each refund (`_stripe_fee`, `_stripe_net`).
"""

from collections.abc import Mapping
from typing import Any

from services.channels.adapters import amounts
from services.channels.adapters import parsing as read
from services.channels.adapters.neutral import Taken
from services.channels.adapters.parsing import ChannelDataError

Json = Mapping[str, Any]
_NOTES = ("_stripe_charge_captured", "_stripe_currency", "_stripe_net", "_stripe_fee")


def paid_for(data: Json) -> bool:
    """Say whether the order was paid at some time."""
    return bool(data.get("date_paid_gmt") or data.get("date_paid"))


def given_back(data: Json, currency: str) -> int:
    """Return the sum of the order's refunds, minor units."""
    return sum(abs(read.amount(one, "total", currency)) for one in read.records(data, "refunds"))


def taken(data: Json, currency: str, total: int) -> Taken:
    """Return what was taken in all and what went back; nothing where the order does not say."""
    back = given_back(data, currency)
    kept = _charged(data, currency)
    if kept is not None:
        return kept + back, back
    # An order with refunds cannot be edited: its total is what was taken.
    return (max(total, back), back) if back and paid_for(data) else (None, None)


def _charged(data: Json, currency: str) -> int | None:
    """Return what is left of the charge by the Stripe plugin's notes: its net and its fee.

    A plugin's note that cannot be read says nothing, and keeps no order back; it may be a sum of
    floats, so the two are added first and rounded once.
    """
    notes = {key: one for one in read.records(data, "meta_data") if (key := _key(one)) in _NOTES}
    if len(notes) < len(_NOTES):
        return None
    try:
        captured, money = (read.text(notes[name], "value") for name in _NOTES[:2])
        net, fee = (read.decimal(notes[name].get("value"), name) for name in _NOTES[2:])
        kept = amounts.product(net + fee, 1, currency)
    except ChannelDataError:
        return None
    return kept if captured == "yes" and money.upper() == currency and kept >= 0 else None


def _key(note: Json) -> str:
    key = note.get("key")
    return key if isinstance(key, str) else ""
