"""What happens to each order of a run, as its shop sees it: placed, paid, edited, cancelled."""

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from services.sandbox.retail import edits
from services.sandbox.retail.content import Content, Cut, State

Happens = Literal[
    "draft", "created", "paid", "edited", "edited-and-refunded", "refunded", "line-cancelled",
    "cancelled",
]  # fmt: skip
Way = Literal["at-once", "later", "owed", "unpaid"]
_MINUTE = 60_000_000
_PAID_LATER = 0.05
_CANCELLED_PER_MILLE = 20
_CHEAPER_PER_MILLE = 30
_WAYS: Mapping[str, Way] = {
    "cheaper-edit": "at-once", "cheaper-edit-refunded-later": "later",
    "cheaper-edit-owed": "owed", "cheaper-edit-seen-first": "later",
    "cheaper-edit-unpaid": "unpaid", "cheaper-edit-store": "later",
}  # fmt: skip


class Happening(Struct, frozen=True):
    """The state that an order takes, and by what. Happenings of one order are in version order."""

    kind: Happens
    state: State

    @property
    def at(self) -> int:
        return self.state.updated_at

    @property
    def number(self) -> str:
        return self.state.content.number


def cancellations(contents: Sequence[Content], seed: int) -> Mapping[str, int | None]:
    """Order number to the line that is cancelled, None for the whole order.

    2 % of the orders (at least one), half of them one line only; synthetic, by the seed.
    """
    random = Random(f"{seed}:cancellations")  # noqa: S311 - a seeded plan, nothing secret
    count = max(1, round(len(contents) * _CANCELLED_PER_MILLE / 1000))
    several = [one for one in contents if sum(line.kind == "goods" for line in one.lines) > 1]
    partly = random.sample(several, min(count // 2, len(several)))
    chosen: dict[str, int | None] = {
        one.number: random.choice([line.id for line in one.lines if line.kind == "goods"])
        for one in partly
    }
    left = [one.number for one in contents if one.number not in chosen]
    chosen.update(dict.fromkeys(random.sample(left, min(count - len(partly), len(left)))))
    return MappingProxyType(chosen)


def cheaper(
    contents: Sequence[Content], cancelled: Mapping[str, int | None], seed: int
) -> Mapping[str, Way]:
    """Order number to how its edit, which makes it cheaper, meets the money; 3 % (at least one).

    WooCommerce lets nobody edit what is paid.
    """
    random = Random(f"{seed}:cheaper")  # noqa: S311 - a seeded plan, nothing secret
    left = [one for one in contents if one.number not in cancelled and edits.can_be_cheaper(one)]
    count = max(1, round(len(contents) * _CHEAPER_PER_MILLE / 1000))
    ways: tuple[Way, ...] = ("at-once", "later", "owed", "unpaid")
    return MappingProxyType(
        {
            one.number: "unpaid" if one.account.provider == "woocommerce" else random.choice(ways)
            for one in random.sample(left, min(count, len(left)))
        }
    )


def story(
    contents: Iterable[Content],
    cancelled: Mapping[str, int | None],
    seed: int,
    ways: Mapping[str, Way] = MappingProxyType({}),
) -> tuple[Happening, ...]:
    """All happenings of a run in their real order."""
    found: list[Happening] = []
    for content in contents:
        random = Random(f"{seed}:story:{content.number}")  # noqa: S311 - nothing secret
        way = ways.get(content.number) or _WAYS.get(content.case or "")
        found.extend(_cheaper(content, way, random) if way else _life(content, cancelled, random))
    return tuple(sorted(found, key=lambda one: (one.at, one.number, one.state.version)))


def _life(content: Content, cancelled: Mapping[str, int | None], random: Random) -> list[Happening]:
    placed = State(content, 1, content.placed_at, "open", paid=content.means is None)
    match content.case:
        case "draft":
            return [Happening("draft", replace(placed, status="draft", paid=False))]
        case "pending-never-paid":
            return [Happening("created", replace(placed, status="pending", paid=False))]
        case "edit" | "stale-retry":
            wait, left = _MINUTE * random.randint(5, 45), edits.dearer(content)
            change = _next(placed, wait, content=left)
            return [Happening("created", placed), Happening("edited", change)]
        case None:
            return _ordinary(placed, cancelled, random)
        case _:
            return [Happening("created", placed)]


def _cheaper(content: Content, way: Way, random: Random) -> list[Happening]:
    """An order that an edit makes cheaper, before or after its payment.

    What was paid for it goes back with the edit, later, or not in this run. Where we charge, the
    shop has nothing to give back.
    """
    placed = State(content, 1, content.placed_at, "open", paid=content.means is None)
    units = edits.fewer(content, random)
    left = edits.without(content, units)
    wait = _MINUTE * random.randint(5, 45)
    soon = _MINUTE * random.randint(2, 20)
    if way == "unpaid" and placed.paid:
        unpaid = replace(placed, status="pending", paid=False)
        cut = Cut(placed.updated_at + wait, units)
        change = _next(unpaid, wait, content=left, cut=cut)
        paid = _next(change, soon, status="open", paid=True)
        first = [Happening("created", unpaid), Happening("edited", change)]
        return [*first, Happening("paid", paid)]
    owed = content.total - left.total if placed.paid else 0
    at = placed.updated_at + wait
    cut = Cut(at, units, owed, at if way == "at-once" and owed else None)
    change = _next(placed, wait, content=left, cut=cut)
    if cut.back_at is not None:
        return [Happening("created", placed), Happening("edited-and-refunded", change)]
    found = [Happening("created", placed), Happening("edited", change)]
    if way == "later" and owed:
        back = _next(change, soon, cut=replace(cut, back_at=at + soon))
        found.append(Happening("refunded", back))
    return found


def _ordinary(
    placed: State, cancelled: Mapping[str, int | None], random: Random
) -> list[Happening]:
    number = placed.content.number
    wait = _MINUTE * random.randint(10, 36 * 60)
    if number in cancelled:
        return [Happening("created", placed), _cancellation(placed, cancelled[number], wait)]
    if placed.paid and placed.content.total and random.random() < _PAID_LATER:
        unpaid = replace(placed, status="pending", paid=False)
        paid = _next(unpaid, _MINUTE * random.randint(1, 30), status="open", paid=True)
        return [Happening("created", unpaid), Happening("paid", paid)]
    return [Happening("created", placed)]


def _cancellation(placed: State, line: int | None, wait: int) -> Happening:
    lines = placed.content.lines
    gone = {one.id: one.quantity for one in lines if line is None or one.id == line}
    if line is not None:
        return Happening("line-cancelled", _next(placed, wait, cancelled=gone))
    return Happening("cancelled", _next(placed, wait, status="cancelled", cancelled=gone))


def _next(state: State, wait: int, **changes: object) -> State:
    return replace(state, version=state.version + 1, updated_at=state.updated_at + wait, **changes)
