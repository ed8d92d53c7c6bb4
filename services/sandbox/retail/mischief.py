"""Which deliveries a run makes, and what the network does to them: a seeded plan, no sending."""

from collections.abc import Mapping, Sequence
from random import Random
from uuid import UUID, uuid5

from msgspec import Struct
from msgspec.structs import replace

from services.sandbox.retail.content import Provider
from services.sandbox.retail.story import Happening, Happens

_NAMESPACE = UUID("6f0d7c5e-2b0a-5c3f-9a53-8d1f3c1b7e42")
_TOPICS: Mapping[tuple[Provider, Happens], tuple[str, ...]] = {
    ("shopify", "draft"): ("draft_orders/create",),
    ("shopify", "created"): ("orders/create",),
    ("shopify", "paid"): ("orders/paid", "orders/updated"),
    ("shopify", "edited"): ("orders/edited", "orders/updated"),
    ("shopify", "edited-and-refunded"): ("orders/edited", "refunds/create", "orders/updated"),
    ("shopify", "refunded"): ("refunds/create", "orders/updated"),
    ("shopify", "line-cancelled"): ("orders/updated",),
    ("shopify", "cancelled"): ("orders/cancelled", "orders/updated"),
    ("woocommerce", "draft"): ("order.updated",),
    ("woocommerce", "created"): ("order.created",),
    ("woocommerce", "paid"): ("order.updated",),
    ("woocommerce", "edited"): ("order.updated",),
    ("woocommerce", "line-cancelled"): ("order.updated",),
    ("woocommerce", "cancelled"): ("order.updated",),
    ("standard", "draft"): ("order.created",),
    ("standard", "created"): ("order.created",),
    ("standard", "paid"): ("order.paid",),
    ("standard", "edited"): ("order.updated",),
    ("standard", "edited-and-refunded"): ("order.updated",),
    ("standard", "refunded"): ("order.updated",),
    ("standard", "line-cancelled"): ("order.updated",),
    ("standard", "cancelled"): ("order.cancelled",),
}
_CREATED_LATE = ("stale-retry", "cheaper-edit-seen-first", "cheaper-edit-owed")
STEP = 10
SHOWCASE_COPIES = 5


class Delivery(Struct, frozen=True):
    """One webhook: `happening` indexes the plan's, `sends` are positions in the run's order.

    More than one send is a duplicate; every copy and every retry carries the same `key`. Where
    the provider's key is another one (WooCommerce), the shop derives it from what it sends.
    One with an `after` is lost on its way until that delivery is acknowledged.
    """

    id: int
    account: str
    number: str
    topic: str
    happening: int
    key: str
    event: str
    sends: tuple[int, ...]
    after: int | None = None


def deliveries(happenings: Sequence[Happening], seed: int, showcase: str) -> tuple[Delivery, ...]:
    """Every webhook of a run, with its duplicates, delays and reorderings."""
    random = Random(f"{seed}:mischief")  # noqa: S311 - a seeded plan, nothing secret
    found: list[Delivery] = []
    for index, happening in enumerate(happenings):
        content = happening.state.content
        event = f"{seed}:{content.account.name}:{content.number}:{happening.state.version}"
        for topic in _TOPICS[content.account.provider, happening.kind]:
            position = len(found) * STEP
            found.append(
                Delivery(
                    id=len(found),
                    account=content.account.name,
                    number=content.number,
                    topic=topic,
                    happening=index,
                    key=str(uuid5(_NAMESPACE, f"{event}:{topic}")),
                    event=str(uuid5(_NAMESPACE, event)),
                    sends=_sends(happening, position, showcase, random),
                )
            )
    return _with_late_creations(tuple(found), happenings)


def _sends(happening: Happening, position: int, showcase: str, random: Random) -> tuple[int, ...]:
    if happening.number == showcase:
        return tuple(position + offset * STEP for offset in (0, 0, 1, 3, 8)[:SHOWCASE_COPIES])
    if happening.state.content.case is not None:
        return (position,)
    chance = random.random()
    first = position
    if chance < 0.01:
        first += STEP * random.randint(30, 150)
    elif chance < 0.04:
        first += STEP * random.randint(2, 8)
    if random.random() < 0.04:
        return (first, first + STEP * random.choice((0, 0, 1, 2, 5, 20)))
    return (first,)


def _with_late_creations(
    found: tuple[Delivery, ...], happenings: Sequence[Happening]
) -> tuple[Delivery, ...]:
    # The first attempt is lost on the way; its retry comes after the edit, with the old payload.
    moved: dict[int, Delivery] = {}
    for case in _CREATED_LATE:
        mine = [one for one in found if happenings[one.happening].state.content.case == case]
        if mine:
            later = mine[-1].sends[0] + 2 * STEP
            moved[mine[0].id] = replace(mine[0], sends=(later,), after=mine[-1].id)
    return tuple(moved.get(one.id, one) for one in found)
