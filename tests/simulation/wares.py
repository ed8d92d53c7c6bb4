"""What buyers put into a basket: listings, kits, gifts and gift cards. Pure but for the dice."""

from random import Random
from typing import Any

import msgspec
from msgspec.structs import replace

from services.sandbox.retail.cases import priced
from services.sandbox.retail.content import Content, Line
from services.sandbox.retail.money import text

SKUS = ("CUP", "JUG", "MUG", "POT")
KIT = "SET"
KITS = ({"CUP": 1, "JUG": 2}, {"CUP": 2, "JUG": 1}, {"CUP": 1})  # as it is or will be defined
BUNDLE = 2  # units of the SKU in a listing "BUNDLE-<sku>", which a person has to link
CARD = "GIFT-5"


def parts_of(code: str) -> dict[str, int]:
    """Return the units that one of a listing with this code takes, by SKU."""
    code = code.strip().upper()
    if code == CARD:
        return {}
    if code.startswith("BUNDLE-"):
        return {code.removeprefix("BUNDLE-"): BUNDLE}
    return KITS[0] if code == KIT else {code: 1}


def basket(rng: Random, skus: tuple[str, ...]) -> tuple[Line, ...]:
    """Return what somebody buys: now and then some of it, or all, costs nothing."""
    chosen = rng.sample(skus, rng.randint(1, min(2, len(skus))))
    lines = [_line(rng, n, sku) for n, sku in enumerate(chosen, 1)]
    card = priced(Line(3, CARD, CARD, None, "A card", "gift-card", 1, "5", 0, 0, "0", None), 1)
    if (chance := rng.random()) < 0.1:
        lines = [card] if chance < 0.03 else [*lines, card]
    free = rng.random()
    given = len(lines) if free < 0.06 else free < 0.12
    return tuple(_free(one) if n < given else one for n, one in enumerate(lines))


def _line(rng: Random, number: int, sku: str) -> Line:
    chance = rng.random()
    if chance < 0.12:
        code = f"BUNDLE-{sku}" if chance < 0.06 else KIT
    else:
        code = rng.choice((sku, sku, f"{sku.lower()} "))
    line = Line(number, code, code, sku, f"A {sku}", "goods", 1, "2.50", 0, 0, "0.2", None)
    return priced(line, rng.randint(1, 4))


def _free(line: Line) -> Line:
    return replace(line, price="0", net=0, tax=0)


def redeemed(rng: Random, content: Content) -> int:
    """Return the pence of an order that a gift card or credit carries: seldom any, or all."""
    return rng.choice((0, 0, 0, content.total // 2, content.total))


def with_gift(body: bytes, pence: int, rest: int) -> bytes:
    """Return an order's message that tells of a gift card, or of credit, and what others carry."""
    message: dict[str, Any] = msgspec.json.decode(body)
    data = message["data"]
    name = data["external_id"]
    kind = ("gift-card", "store-credit")[sum(name.encode()) % 2]  # the same in every message of it
    carried = {"kind": kind, "amount": text(pence), "reference": f"gc_{name}"}
    others = [one | {"amount": text(rest)} for one in data["tenders"] if rest > 0]
    data["tenders"] = [carried, *others]
    return msgspec.json.encode(message)


def thrown_away(body: bytes, topic: str) -> bytes:
    """Return what WooCommerce says of an order that is in the bin: of its deletion only its id."""
    order: dict[str, Any] = msgspec.json.decode(body)
    found = {"id": order["id"]} if topic == "order.deleted" else order | {"status": "trash"}
    return msgspec.json.encode(found)
