"""States what fulfilment shall hand over of an order: units in all, by revision. Pure."""

from libs.contracts import common, orders
from services.orders.paying import share
from services.orders.shipping import blocked, terms, wanted
from services.orders.state import OrderState, reference
from services.orders.story import Story
from services.orders.units import shipped


def request(story: Story) -> None:
    """State what is to be handed over in all, where that is not what was stated last."""
    state, last = story.state, story.state.requested
    units = wanted(state)
    if last is None and not units:
        return
    why = blocked(state) if _open(state, units) else (last.blocked if last else None)
    if last is not None and dict(last.lines) == units:
        same = (last.blocked, last.terms) == (why, terms(state))
        if same or not _open(state, units):
            return
    story.tell(_requested(story, units, why))


def _open(state: OrderState, units: dict[str, int]) -> bool:
    """Say whether something has not left yet: only for that a hold or an address matters."""
    gone = shipped(state)
    return any(count > gone.get(name, 0) for name, count in units.items())


def _requested(story: Story, units: dict[str, int], why: str | None) -> orders.FulfilmentRequested:
    state = story.state
    assert state.customer is not None
    lines = [(name, state.lines[name], count) for name, count in units.items()]
    rows = tuple(
        common.FulfilmentLine(
            line_id=name, external_line_id=line.external_line_id, quantity=count,
            requires_shipping=line.needs_parcel, kind=line.kind,
            components=line.components if line.goods else (),
        )
        for name, line, count in lines
    )  # fmt: skip
    worth = [
        share(line.value, min(count, line.quantity), line.quantity)
        for _, line, count in lines
        if line.needs_parcel
    ]
    return orders.FulfilmentRequested(
        **story.names(), revision=state.requested.revision + 1 if state.requested else 1,
        account=state.account, lines=rows, blocked=why, one_parcel=False, ship_by=state.ship_by,
        deliver_by=state.deliver_by, service_level=state.service_level, customer=state.customer,
        declared_value=max(0, sum(worth)), currency=state.currency, reference=reference(state),
    )  # fmt: skip
