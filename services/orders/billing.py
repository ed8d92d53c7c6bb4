"""States what an order costs: confirmed units and charges in all, by revision. Pure.

Where the channel has taken the money already, that is a fact that payments must know of before the
order is confirmed, or when it never is: it is stated as all that was sold. So is, of an order that
ends, that it costs nothing where a voucher was redeemed for it: that is to be restored.
"""

from immutables import Map

from libs.contracts import common, orders
from services.orders import commands
from services.orders.paying import covered, redeemed, share, taken, terms_of
from services.orders.progress import Bill
from services.orders.state import Line, OrderState
from services.orders.story import Story
from services.orders.units import remaining, shipped, spent


def bill(story: Story) -> None:
    """State what the confirmed units and the charges cost, where that is not what was stated."""
    state = story.state
    if state.bill is None and state.ended is not None:
        if taken(state):
            sold = {name: (one.quantity, one.value) for name, one in _sold(state)}
            _state(story, sold, full=True)
        elif not redeemed(state):
            return
    lines = _lines(story.state)
    if lines is not None:
        _state(story, lines)


def _sold(state: OrderState) -> list[tuple[str, Line]]:
    return [(name, line) for name, line in sorted(state.lines.items()) if line.quantity]


def _state(story: Story, lines: dict[str, tuple[int, int]], *, full: bool = False) -> None:
    """State these units and amounts by line and the charges, unless that was stated last."""
    state, last = story.state, story.state.bill
    amount, total = _amount(state, lines, full=full), _whole(state)
    charges = amount - sum(cost for _, cost in lines.values())
    if last is not None and _same(state, last, lines, (amount, charges, total)):
        return
    story.tell(_required(story, lines, amount, total))


def _amount(state: OrderState, lines: dict[str, tuple[int, int]], *, full: bool = False) -> int:
    """Return what these units cost with the charges; nothing where the buyer pays for none."""
    # A line that is gone from the order, and still in a parcel, is no part of its total.
    rest = state.total - sum(line.value for _, line in _sold(state))
    charged = full or _costs(state, lines) or (state.ended is None and not remaining(state))
    amounts = sum(amount for _, amount in lines.values())
    return min(max(0, amounts + rest), max(0, state.total)) if charged else 0


def _whole(state: OrderState) -> int:
    """Return what the whole order costs: by its channel, or all that is wanted where we charge."""
    if state.custody != "us":
        return state.total
    wanted = {name: max(0, line.remaining - line.refunded) for name, line in state.lines.items()}
    lines = {
        name: (units, share(state.lines[name].value, units, state.lines[name].quantity))
        for name, units in wanted.items()
    }
    return _amount(state, lines) if state.ended is None else 0


def _costs(state: OrderState, lines: dict[str, tuple[int, int]]) -> bool:
    """Say whether the buyer pays for any of these units: with none of them, charges go, too."""
    known = ((state.lines[name], units) for name, (units, _) in lines.items())
    return any(min(units, line.remaining - line.refunded) > 0 for line, units in known)


def _same(
    state: OrderState, last: Bill, lines: dict[str, tuple[int, int]], sums: tuple[int, int, int]
) -> bool:
    amount, told = sums[0], (last.lines, (last.amount, last.charges, last.total))
    # Of an order that costs nothing any more, it does not matter how it is paid; but whether the
    # money that a channel had of it has gone back is for payments to know.
    settled = not amount and state.custody == "us"
    return told == (Map(lines), sums) and (terms_of(state) == last.terms or settled)


def _lines(state: OrderState) -> dict[str, tuple[int, int]] | None:
    """Return units and amounts by line; None while nothing is confirmed that could be billed.

    The units are those that may leave in all, as fulfilment is told them: what has left, is sent
    again or is paid back for stays included, else payments would hold the order's other parcels.
    """
    if state.ended is not None:
        return {}
    sure: dict[str, int] | None = None
    if state.confirmed is not None:
        sure = dict(state.confirmed)
    elif taken(state) and not state.once_confirmed:
        sure = {name: line.remaining for name, line in state.lines.items()}
    elif state.bill is not None:
        sure = {name: units for name, (units, _) in state.bill.lines.items()}
    if sure is None:
        return None
    found: dict[str, tuple[int, int]] = {}
    gone, back = shipped(state), spent(state)
    for name, line in sorted(state.lines.items()):
        confirmed = min(sure.get(name, 0), line.remaining)
        costing = max(0, min(confirmed, line.remaining - line.refunded))
        units = max(confirmed + line.resent + back.get(name, 0), gone.get(name, 0))
        if units:
            found[name] = (units, share(line.value, costing, line.quantity))
    return found


def _required(
    story: Story, lines: dict[str, tuple[int, int]], amount: int, total: int
) -> orders.PaymentRequired:
    state = story.state
    charges = amount - sum(cost for _, cost in lines.values())
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
        currency=state.currency, amount=amount, total=total, lines=rows,
        charges_amount=charges, tenders=state.tenders,
        method=next(card, None) if state.custody == "us" else None,
        subject=state.customer.subject if state.customer else "",
        decide_by=last.decide_by if last and waits else story.at + commands.DECIDE_WITHIN,
        received=state.received, refunded=state.refunded,
    )  # fmt: skip
