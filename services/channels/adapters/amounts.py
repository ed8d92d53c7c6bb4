"""What lines and charges cost, in minor units: discounts and taxes shared out, totals kept.

`net` is gross less discount, with included taxes still inside; nothing a channel totals is
recomputed, the difference is `rounding`.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from libs.contracts import common
from libs.values.money import exponent, round_half_up, split
from services.channels.adapters.parsing import ChannelDataError


def product(price: Decimal, quantity: int, currency: str) -> int:
    """Return price times quantity in minor units, rounded once."""
    found = round_half_up((price * quantity).scaleb(exponent(currency)))
    if abs(found) > 10**15:
        raise ChannelDataError("malformed-amount", "price")
    return found


def amounts(
    gross: int, discounts: Sequence[common.Discount], taxes: Iterable[common.TaxLine]
) -> common.Amounts:
    """Return what a line or charge costs."""
    discount = sum(one.amount for one in discounts)
    return common.Amounts(gross=gross, discount=discount, net=gross - discount, taxes=tuple(taxes))


def part(whole: int, left: int, of: int) -> int:
    """Return the share of `left` units out of `of`, by largest remainder."""
    return whole if left == of else split(whole, [left, of - left])[0]


def cost(found: common.Amounts) -> int:
    """Return what the buyer pays for it: net and the taxes on top."""
    return found.net + sum(tax.amount for tax in found.taxes if not tax.included)


def tax_of(found: common.Amounts) -> int:
    """Return its taxes, included or not."""
    return sum(tax.amount for tax in found.taxes)


def shared_discounts(
    whole: int, weights: Sequence[int], code: str | None
) -> list[tuple[common.Discount, ...]]:
    """Share a discount that the channel did not allocate, by largest remainder."""
    return [
        (common.Discount(code=code, amount=share, allocated_by="policy"),) if share else ()
        for share in split(whole, weights)
    ]


def shared_taxes(
    taxes: Sequence[common.TaxLine], weights: Sequence[int]
) -> list[tuple[common.TaxLine, ...]]:
    """Share taxes that the channel told for the whole order only, by largest remainder."""
    shares: list[list[common.TaxLine]] = [[] for _ in weights]
    for tax in taxes:
        for place, amount in zip(shares, split(tax.amount, weights), strict=True):
            if amount:
                place.append(
                    common.TaxLine(
                        jurisdiction=tax.jurisdiction, rate=tax.rate, amount=amount,
                        included=tax.included, collected_by=tax.collected_by,
                    )
                )  # fmt: skip
    return [tuple(place) for place in shares]


def totals(
    parts: Sequence[common.Amounts], *, net: int, discount: int, charges: int, tax: int, total: int
) -> common.Totals:
    """Return the channel's totals and what they differ by from the parts (lines and charges)."""
    rounding = total - sum(cost(one) for one in parts)
    return common.Totals(
        net=net, discount=discount, charges=charges, tax=tax, total=total, rounding=rounding
    )
