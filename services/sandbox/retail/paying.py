"""Who takes the money of the own store's orders: with a means of payment, it is us. Synthetic."""

from collections.abc import Iterable

from msgspec.structs import replace

from services.sandbox.chance import share
from services.sandbox.retail.content import Content

_GOOD = "pm_card_visa"
# Of a hundred buyers about four are declined and two must confirm with their bank.
_OTHERS = (
    (0.02, "pm_card_chargeDeclined"),
    (0.02, "pm_card_chargeDeclinedInsufficientFunds"),
    (0.02, "pm_card_authenticationRequired"),
)


def means(number: str, seed: int) -> str:
    """A Stripe test payment method for an order, by the seed."""
    left = share(seed, "means", number)
    for part, name in _OTHERS:
        if left < part:
            return name
        left -= part
    return _GOOD


def through_us(contents: Iterable[Content], seed: int) -> tuple[Content, ...]:
    """The orders, those of the own store unpaid and with a means of payment."""
    return tuple(
        replace(one, means=means(one.number, seed)) if one.account.provider == "standard" else one
        for one in contents
    )
