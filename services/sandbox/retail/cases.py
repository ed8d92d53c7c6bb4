"""The seeded special cases of a run, one of each: extra orders made from real ones.

They are synthetic and numbered from 900001, so that the file's own orders stay as they are.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random

from msgspec.structs import replace

from services.sandbox.retail.content import Account, Address, Content
from services.sandbox.retail.edits import priced as priced
from services.sandbox.retail.orders import ACCOUNTS

FIRST_NUMBER = 900_001
_SHOPIFY, _WOO, _STORE = ACCOUNTS


def _unlinked(content: Content) -> Content:
    first, *rest = content.lines
    code = f"BUNDLE-{first.code}"
    return replace(content, lines=(replace(first, code=code, listing=code), *rest))


def _two_listings(content: Content) -> Content:
    first = content.lines[0]
    second = replace(
        priced(first, 1),
        id=len(content.lines) + 1,
        listing=f"{first.code}/second",
        code=f"{first.code.lower()} ",
    )
    return replace(content, lines=(*content.lines, second))


def _free(content: Content) -> Content:
    lines = tuple(replace(line, price="0", net=0, tax=0) for line in content.lines)
    return replace(content, lines=lines, charges=())


def _gift_card(content: Content) -> Content:
    card = replace(
        content.lines[0],
        id=len(content.lines) + 1,
        listing="gift_0001_25",
        code="gift_0001_25",
        sku=None,
        title="Gift Voucher £25.00",
        kind="gift-card",
        quantity=1,
        price="25",
        net=2500,
        tax=0,
        rate="0",
    )
    return replace(content, lines=(*content.lines, card))


def _unknown_country(content: Content) -> Content:
    known = content.address
    return replace(content, address=Address(known.street, known.city, known.postcode, None, None))


def _same(content: Content) -> Content:
    return content


_CASES: Mapping[str, tuple[Account, Callable[[Content], Content]]] = {
    "draft": (_WOO, _same),
    "pending-never-paid": (_WOO, _same),
    "edit": (_SHOPIFY, _same),
    "unlinked-listing": (_STORE, _unlinked),
    "two-listings-of-one-sku": (_SHOPIFY, _two_listings),
    "total-off-by-a-penny": (_WOO, lambda content: replace(content, shift=1)),
    "total-off-by-a-pound": (_STORE, lambda content: replace(content, shift=100)),
    "total-zero": (_SHOPIFY, _free),
    "gift-card": (_SHOPIFY, _gift_card),
    "stale-retry": (_SHOPIFY, _same),
    "unknown-country": (_STORE, _unknown_country),
    "cheaper-edit": (_SHOPIFY, _same),
    "cheaper-edit-refunded-later": (_SHOPIFY, _same),
    "cheaper-edit-owed": (_SHOPIFY, _same),
    "cheaper-edit-seen-first": (_SHOPIFY, _same),
    "cheaper-edit-unpaid": (_WOO, _same),
    "cheaper-edit-store": (_STORE, _same),
}
NAMES = tuple(_CASES)


def special_cases(contents: Sequence[Content], seed: int) -> tuple[Content, ...]:
    """One order of each case, each made from a domestic order of the run with a few lines."""
    random = Random(f"{seed}:cases")  # noqa: S311 - a seeded plan, nothing secret
    bases = [content for content in contents if _is_plain(content)]
    if not bases:
        return ()
    return tuple(
        _extra(random.choice(bases), FIRST_NUMBER + index, name)
        for index, name in enumerate(_CASES)
    )


def _is_plain(content: Content) -> bool:
    few = 2 <= len(content.lines) <= 8
    goods = all(line.kind == "goods" and 1 < line.quantity <= 100 for line in content.lines)
    known = content.person.id is not None and content.address.country_code == "GB"
    return few and goods and known and not content.charges


def _extra(base: Content, number: int, case: str) -> Content:
    account, change = _CASES[case]
    lines = tuple(replace(line, row=None) for line in base.lines)
    content = replace(base, number=str(number), account=account, lines=lines, case=case)
    return change(replace(content, placed_at=base.placed_at + 30_000_000))
