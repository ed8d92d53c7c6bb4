"""What a sale comes to, from all that is known of it: one amount per row of the posting table.

A pure function of sums and sets, so that facts may come in any order; an entry is the difference
between what a sale came to before a fact and after it.
"""

from collections.abc import Mapping

import msgspec

from libs.contracts import accounting, common
from libs.values.money import split

Quantities = dict[tuple[str, str], int]  # (quantity, dimension) -> minor units
Part = tuple[str, str, int]
VOUCHERS = ("gift_card", "store_credit")  # what the buyer holds with us: a liability
# They stand where a holder's name does, for what went back in another way: quantity it counts as.
ELSEWHERE = {"by hand": "repaid", "by dispute": "charged-back"}
NO_LINE = "?"  # stands where a line's name does, for what a refund gives back of none in particular
_BACK = {  # what is no income of ours goes back as what it was
    "tax": "returned-tax", "tax-held": "returned-tax-held", "charged-duty": "returned-duty",
    "sold-gift_card": "returned-gift_card", "sold-donation": "returned-donation",
}  # fmt: skip


class Facts(msgspec.Struct, frozen=True, array_like=True):
    """What happened to a sale so far, summed. `ended`: cancelled as a whole.

    `vouchers` and `restored` are what payments took of gift cards and credit, and gave back.
    `refunded` is by holder, and by each way of `ELSEWHERE`; `refunds` says of which lines each is.
    """

    captured: dict[str, int] = {}
    vouchers: dict[str, int] = {}
    refunded: dict[str, int] = {}
    refunds: dict[str, dict[str, int]] = {}
    shipped: dict[str, int] = {}
    completed: dict[str, int] = {}
    disputed: dict[str, int] = {}
    won: dict[str, int] = {}
    lost: dict[str, int] = {}
    cancelled: dict[str, int] = {}
    ended: bool = False
    restored: dict[str, int] = {}


class Group(msgspec.Struct, frozen=True):
    """What a line ("": the charges) has brought so far."""

    key: str
    parts: tuple[Part, ...]

    @property
    def weights(self) -> list[int]:
        """Return what can be given back of each part."""
        return [max(amount, 0) for _, _, amount in self.parts]


def measured(sale: accounting.SaleRecorded, facts: Facts) -> Quantities:
    """Return the sale's quantities; those that are 0 may be left out."""
    groups = billed(sale, facts)
    found: Quantities = {}
    for group in groups:
        _add(found, group.parts)
    whole = sum(found.values())
    redeemed = _redeemed(sale, facts, whole)
    paid = sum(facts.captured.values()) + sum(redeemed.values())
    back = sum(facts.refunded.values()) + sum(facts.restored.values())
    if back:
        excess = back - min(back, max(0, paid - whole))
        _add(found, _returned(groups, facts, excess))
    refunded = {n: amount for n, amount in facts.refunded.items() if n not in ELSEWHERE}
    for holder, name in ELSEWHERE.items():
        found[name, ""] = facts.refunded.get(holder, 0)
    for name, by in (
        ("redeemed", redeemed), ("captured", facts.captured), ("restored", facts.restored),
        ("refunded", refunded), ("disputed", facts.disputed), ("dispute-won", facts.won),
        ("dispute-lost", facts.lost),
    ):  # fmt: skip
        for dimension, amount in by.items():
            found[name, dimension] = amount
    return found


def _add(found: Quantities, parts: tuple[Part, ...] | list[Part]) -> None:
    for name, dimension, amount in parts:
        if amount:
            found[name, dimension] = found.get((name, dimension), 0) + amount


def delivered(facts: Facts) -> Mapping[str, int]:
    """Return the units of each line that have left us or were delivered without leaving."""
    if not facts.completed:
        return facts.shipped
    lines = facts.shipped.keys() | facts.completed.keys()
    return {n: max(facts.shipped.get(n, 0), facts.completed.get(n, 0)) for n in lines}


def billed(sale: accounting.SaleRecorded, facts: Facts) -> list[Group]:
    """Return what was delivered, the charges with its first units, rounding with its last.

    A line's amounts are shared out by the units that have left in all, with the largest
    remainder, so that all its parcels together bring exactly the line's amounts.
    """
    gone = delivered(facts)
    if not any(gone.values()):
        return []
    groups = [
        Group(line.line_id, _parts(sale, f"sold-{line.kind}", line, units, line.quantity))
        for line in sale.lines
        if (units := gone.get(line.line_id, 0))
    ]
    charges = [
        part
        for charge in sale.charges
        for part in _parts(sale, f"charged-{charge.kind}", charge, 1, 1)
    ]
    if charges:
        groups.append(Group("", tuple(charges)))
    if sale.rounding and all(
        line.quantity <= gone.get(line.line_id, 0) + facts.cancelled.get(line.line_id, 0)
        for line in sale.lines
    ):
        groups.append(Group("rounding", (("rounding", "", sale.rounding),)))
    return groups


def _parts(
    sale: accounting.SaleRecorded, name: str, one: common.SaleLine | common.SaleCharge,
    units: int, of: int,
) -> tuple[Part, ...]:  # fmt: skip
    theirs = ("channel", "carrier")
    own = "gift_card" if name == "sold-gift_card" else ""
    return (
        (name, own, _share(one.net, units, of)),
        *(
            ("tax-held", sale.account, _share(tax.amount, units, of))
            if tax.collected_by in theirs
            else ("tax", tax.rate, _share(tax.amount, units, of))
            for tax in one.taxes
        ),
    )


def _share(amount: int, units: int, of: int) -> int:
    return amount if units >= of or not amount else split(amount, [units, of - units])[0]


def _redeemed(sale: accounting.SaleRecorded, facts: Facts, whole: int) -> dict[str, int]:
    """Return what was paid by voucher: by the order's word or the payment's, whichever is more.

    What an order that has ended did not use goes back to the card; what payments took of it, and
    the order does not use, goes back when payments say so.
    """
    if not (sale.gift_card or sale.store_credit or facts.vouchers):
        return {}
    left = whole
    found = {}
    for tender, told in zip(VOUCHERS, (sale.gift_card, sale.store_credit), strict=True):
        used = min(told, left) if facts.ended else told
        left -= min(used, left)
        found[tender] = max(used, facts.vouchers.get(tender, 0))
    return {tender: amount for tender, amount in found.items() if amount}


def _returned(groups: list[Group], facts: Facts, excess: int) -> list[Part]:
    """Share what was refunded of delivered lines: by the refund's own lines first, then by worth.

    Money that goes back before its units have left comes out of the deposit and is not in here.
    """
    known = [group for group in groups if group.key != "rounding"]
    worth = [sum(group.weights) for group in known]
    told = [sum(lines.get(group.key, 0) for lines in facts.refunds.values()) for group in known]
    wanted = [min(most, amount) for most, amount in zip(worth, told, strict=True)]
    if excess <= sum(wanted):
        shares = split(excess, wanted)
    else:
        left = [most - want for most, want in zip(worth, wanted, strict=True)]
        rest = split(min(excess - sum(wanted), sum(left)), left)
        shares = [want + more for want, more in zip(wanted, rest, strict=True)]
    found: list[Part] = [("returned", "", excess - sum(shares))]
    for group, share in zip(known, shares, strict=True):
        if share:
            each = split(share, group.weights)
            for (name, dimension, _), amount in zip(group.parts, each, strict=True):
                found.append((_BACK.get(name, "returned"), dimension, amount))
    return found
