"""Amounts as Stripe writes them, to and from the minor units of ISO 4217. Pure.

Source: docs.stripe.com/currencies. "Zero-decimal currencies" has the ariary, of which ISO 4217 has
hundredths. "Special cases": the króna and the Ugandan shilling have none any more, and are still
written with two decimals that are 00 (the forint and the Taiwan dollar are special for payouts
only). "Three-decimal currencies": the last digit must be 0.
"""

from collections.abc import Mapping

TOO_FINE = "amount-too-fine"  # the code of an amount that Stripe cannot be asked for
# So many of Stripe's units are so many minor units, where they are not the same.
_UNITS: Mapping[str, tuple[int, int]] = {"ISK": (100, 1), "MGA": (1, 100), "UGX": (100, 1)}
_STEPS: Mapping[str, int] = {"BHD": 10, "JOD": 10, "KWD": 10, "MGA": 100, "OMR": 10, "TND": 10}
_SAME = (1, 1)


def step(currency: str) -> int:
    """Return the minor units of which Stripe takes multiples only."""
    return _STEPS.get(currency, 1)


def takes(minor: int, currency: str) -> bool:
    """Say whether Stripe can be asked for so many minor units."""
    return minor % step(currency) == 0


def to_stripe(minor: int, currency: str) -> int:
    """Return an amount that Stripe takes in its units."""
    theirs, ours = _UNITS.get(currency, _SAME)
    return minor * theirs // ours


def from_stripe(amount: int, currency: str) -> int:
    """Return Stripe's amount in minor units, less a fraction that the currency has no more."""
    theirs, ours = _UNITS.get(currency, _SAME)
    return amount * ours // theirs
