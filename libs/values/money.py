"""Money in integer minor units: one way to round, and splits that hand out the remainder."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

# ISO 4217: currencies whose minor unit is not 1/100.
_EXPONENTS = {
    "BHD": 3, "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "IQD": 3, "ISK": 0, "JOD": 3, "JPY": 0,
    "KMF": 0, "KRW": 0, "KWD": 3, "LYD": 3, "OMR": 3, "PYG": 0, "RWF": 0, "TND": 3, "UGX": 0,
    "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
}  # fmt: skip


class MoneyError(ValueError):
    """Raised where a text is not an amount of its currency."""


def exponent(currency: str) -> int:
    """Return the number of decimals of the currency's minor unit."""
    return _EXPONENTS.get(currency, 2)


def round_half_up(amount: Decimal) -> int:
    """Round to a whole number, halves away from zero: the one rounding of the whole suite."""
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def to_minor(text: str, currency: str) -> int:
    """Read a decimal text as minor units, half up beyond the currency's decimals.

    Raises MoneyError for anything that is not a finite number of a sensible size.
    """
    try:
        amount = Decimal(text)
    except (InvalidOperation, ValueError, TypeError) as error:
        raise MoneyError(f"not an amount: {text!r:.40}") from error
    if not amount.is_finite() or abs(amount.adjusted()) > 15:
        raise MoneyError(f"not an amount of a sensible size: {text!r:.40}")
    return round_half_up(amount.scaleb(exponent(currency)))


def to_text(minor: int, currency: str) -> str:
    """Write minor units as a decimal text: 1234 GBP is "12.34"."""
    digits = exponent(currency)
    return str(Decimal(minor).scaleb(-digits)) if digits else str(minor)


def split(total: int, weights: Sequence[int]) -> list[int]:
    """Share a total by weights with the largest-remainder method; the parts add up to the total.

    Equal remainders go to the earlier part. Weights that are all 0 count as equal.
    """
    if not weights:
        return []
    sign, amount = (-1, -total) if total < 0 else (1, total)
    whole = sum(weights)
    shares = (
        [amount * w // whole for w in weights] if whole else [amount // len(weights)] * len(weights)
    )
    remainders = [(amount * w) % whole if whole else 0 for w in weights]
    order = sorted(range(len(weights)), key=lambda i: (-remainders[i], i))
    for i in order[: amount - sum(shares)]:
        shares[i] += 1
    return [sign * s for s in shares]
