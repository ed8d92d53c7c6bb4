"""States what an order costs: confirmed units and charges in all, by revision. Pure."""

from immutables import Map

from libs.contracts import common, orders
from services.orders import commands
from services.orders.paying import covered, share, terms_of
from services.orders.progress import Bill
from services.orders.state import OrderState, remaining
from services.orders.story import Story


def bill(story: Story) -> None:
    """State what the confirmed units and the charges cost, where that is not what was stated."""
    state = story.state
    last = state.bill
    lines = _lines(state)
    if lines is None or (last is None and state.ended is not None):
        return
    amounts = sum(amount for _, amount in lines.values())
    rest = state.total - sum(line.value for line in state.lines.values())
    charged = bool(lines) or (state.ended is None and not remaining(state))
    amount = min(max(0, amounts + rest), max(0, state.total)) if charged else 0
    charges, said = amount - amounts, terms_of(state)
    known = last is not None and _same(last, lines, amount, charges, said)
    if known and last is not None and last.free == Map(_free(state)):
        return
    story.tell(_required(story, lines, amount, charges))


def _free(state: OrderState) -> dict[str, int]:
    """Return the units by line that are sent once more, or were refunded after they had left."""
    if state.ended is not None:
        return {}
    units = {name: line.resent + line.refunded for name, line in sorted(state.lines.items())}
    return {name: count for name, count in units.items() if count}


def _same(
    last: Bill, lines: dict[str, tuple[int, int]], amount: int, charges: int, said: str
) -> bool:
    told = (last.lines, last.amount, last.charges)
    # Of an order that costs nothing any more, it does not matter how it is paid.
    return told == (Map(lines), amount, charges) and (said == last.terms or not amount)


def _lines(state: OrderState) -> dict[str, tuple[int, int]] | None:
    """Return units and amounts by line; None while nothing is confirmed that could be billed."""
    if state.ended is not None:
        return {}
    sure: dict[str, int] | None = None
    if state.confirmed is not None:
        sure = dict(state.confirmed)
    elif state.bill is not None:
        sure = {name: units for name, (units, _) in state.bill.lines.items()}
    if sure is None:
        return None
    found: dict[str, tuple[int, int]] = {}
    for name, line in sorted(state.lines.items()):
        units = max(0, min(sure.get(name, 0), line.remaining - line.refunded))
        if units:
            found[name] = (units, share(line.value, units, line.quantity))
    return found


def _required(
    story: Story, lines: dict[str, tuple[int, int]], amount: int, charges: int
) -> orders.PaymentRequired:
    state = story.state
    last = state.bill
    waits = last is not None and not covered(state) and last.due > 0
    rows = tuple(
        common.LineAmount(line_id=name, quantity=units, amount=cost)
        for name, (units, cost) in lines.items()
    )
    card = (tender.reference for tender in state.tenders if tender.kind in {"card", "wallet"})
    return orders.PaymentRequired(
        **story.names(), revision=last.revision + 1 if last else 1, account=state.account,
        provider=state.provider, custody=state.custody, funds=state.funds,
        currency=state.currency, amount=amount, total=state.total, lines=rows,
        charges_amount=charges, tenders=state.tenders,
        method=next(card, None) if state.custody == "us" else None,
        subject=state.customer.subject if state.customer else "",
        decide_by=last.decide_by if last and waits else story.at + commands.DECIDE_WITHIN,
        free=tuple(
            common.LineQuantity(line_id=name, quantity=count)
            for name, count in _free(state).items()
        ),
    )  # fmt: skip
