"""Everything that a run will do, planned before it starts: a pure function of rows and seed."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Literal

from msgspec import Struct, msgpack
from msgspec.structs import replace

from services.sandbox.retail import cases, orders, paying, reconcile, stock, story
from services.sandbox.retail.classify import Treatment
from services.sandbox.retail.content import Account, Content
from services.sandbox.retail.mischief import Delivery, deliveries
from services.sandbox.retail.reconcile import Sums
from services.sandbox.retail.rows import Row
from services.sandbox.retail.stock import Adjustment, Opening
from services.sandbox.retail.story import Happening

NOT_IN_THIS_RUN = "not in this run"
SYNTHETIC = (
    "channel",
    "names, addresses, e-mails, phones",
    "VAT",
    "unit cost",
    "payment",
    "cancellations",
    "edits",
    "stock",
    "special cases",
)


class RunPlan(Struct, frozen=True):
    """A run. `input` is the whole file by treatment; rows after the cut stand under their own name.

    `contents` are the orders placed, those of the file and the special cases, in their real
    order; `cases` is the order number by case; `showcase` the order that is delivered five times;
    `cancelled` the line (None: all) by order number, `cheaper` how an edit that makes the order
    cheaper meets its money; `unlinked` our SKU by the listing's code.
    """

    seed: int
    accounts: tuple[Account, ...]
    input: dict[str, Sums]
    contents: tuple[Content, ...]
    opening: tuple[Opening, ...]
    adjustments: tuple[Adjustment, ...]
    happenings: tuple[Happening, ...]
    deliveries: tuple[Delivery, ...]
    cases: dict[str, str]
    cancelled: dict[str, int | None]
    cheaper: dict[str, str]
    showcase: str
    unlinked: dict[str, str]
    synthetic: tuple[str, ...]


def plan_run(
    rows: Sequence[Row],
    seed: int,
    count: int | None = None,
    store_paid_by: Literal["channel", "us"] = "channel",
) -> RunPlan:
    """The plan of a run over the first `count` orders (None: all); raises ValueError on none."""
    classified = reconcile.classified(rows)
    placed = orders.orders(classified)
    real = placed[:count]
    if not real:
        raise ValueError("the retail file holds no order")
    run = classified if len(real) == len(placed) else _in_run(classified, real)
    extras = cases.special_cases(real, seed)
    contents = tuple(sorted((*real, *extras), key=lambda one: (one.placed_at, one.number)))
    if store_paid_by == "us":
        contents = paying.through_us(contents, seed)
    cancelled = story.cancellations(real, seed)
    cheaper = story.cheaper(real, cancelled, seed)
    happenings = story.story(contents, cancelled, seed, cheaper)
    showcase = _showcase(real, happenings)
    moves = stock.adjustments(run)
    return RunPlan(
        seed=seed,
        accounts=orders.ACCOUNTS,
        input=_input(classified, run),
        contents=contents,
        opening=stock.opening(rows, _asked(happenings), moves, seed),
        adjustments=moves,
        happenings=happenings,
        deliveries=deliveries(happenings, seed, showcase),
        cases={one.case: one.number for one in extras if one.case},
        cancelled=dict(cancelled),
        cheaper=dict(cheaper),
        showcase=showcase,
        unlinked=_unlinked(contents),
        synthetic=SYNTHETIC,
    )


def digest(plan: RunPlan) -> str:
    """A fingerprint by which a restarted sandbox knows its plan again."""
    return sha256(msgpack.encode(plan)).hexdigest()


def _in_run(
    classified: Sequence[tuple[Row, Treatment]], real: Sequence[Content]
) -> tuple[tuple[Row, Treatment], ...]:
    numbers = {content.number for content in real}
    end = max(row.at for row, _ in classified if row.invoice in numbers)
    return tuple(
        (row, treatment)
        for row, treatment in classified
        if (row.invoice in numbers if treatment.group == "order" else row.at <= end)
    )


def _input(
    classified: Sequence[tuple[Row, Treatment]], run: Sequence[tuple[Row, Treatment]]
) -> dict[str, Sums]:
    inside = {row.line for row, _ in run}
    found: dict[str, Sums] = {}
    for row, treatment in classified:
        name = treatment.value if row.line in inside else NOT_IN_THIS_RUN
        found[name] = found.get(name, reconcile.NOTHING).plus(reconcile.row_sums(row))
    return found


def _asked(happenings: Sequence[Happening]) -> tuple[Content, ...]:
    """Each order with the most that it ever asks of a line; a draft asks for no stock."""
    found: dict[str, Content] = {}
    for one in happenings:
        now = one.state.content
        before = found.get(one.number, now)
        pairs = zip(before.lines, now.lines, strict=True)
        most = (max(pair, key=lambda line: line.quantity) for pair in pairs)
        if one.kind != "draft":
            found[one.number] = replace(now, lines=tuple(most))
    return tuple(found.values())


def _showcase(real: Sequence[Content], happenings: Sequence[Happening]) -> str:
    changed = {one.number for one in happenings if one.state.version > 1}
    return next((one.number for one in real if one.number not in changed), real[0].number)


def _unlinked(contents: Sequence[Content]) -> dict[str, str]:
    return {
        one.lines[0].code: one.lines[0].sku
        for one in contents
        if one.case == "unlinked-listing" and one.lines[0].sku is not None
    }
