"""Decides on what inventory answers: which answers count, and what an order has by them. Pure."""

from collections.abc import Sequence

from libs.contracts import orders
from services.orders import commands
from services.orders.evolve import OrderEvent
from services.orders.settling import settle
from services.orders.state import OrderState
from services.orders.story import Story


def record_stock(command: commands.RecordStock, state: OrderState) -> Sequence[OrderEvent]:
    """Take an answer, unless it is a repeat or answers an older question than the last.

    Nothing follows from it while another SKU has not answered: an order may have hundreds.
    """
    need = state.needs.get(command.sku)
    if need is None or not need.units or state.ended is not None:
        return []
    if command.stock_version <= need.seen or command.revision < state.asked:
        return []
    told = (command.revision, command.reserved, command.short)
    if told == (need.answered, need.reserved, need.short):
        return []
    story = Story(state, command.at)
    _tell_stock(story, command, *told, command.fact)
    return story.events if story.state.pending else settle(story)


def record_shortfall(command: commands.RecordShortfall, state: OrderState) -> Sequence[OrderEvent]:
    """Take that promised units are gone."""
    need = state.needs.get(command.sku)
    if need is None or not need.units or state.ended is not None:
        return []
    if command.stock_version <= need.seen or need.answered < state.asked:
        return []
    lost = min(command.units, need.reserved)
    story = Story(state, command.at)
    _tell_stock(
        story, command, need.answered, need.reserved - lost, need.short + lost, "ShortfallDetected"
    )
    return settle(story)


def _tell_stock(
    story: Story, command: commands.RecordStock | commands.RecordShortfall, revision: int,
    reserved: int, short: int, fact: str,
) -> None:  # fmt: skip
    story.tell(
        orders.OrderStockRecorded(
            **story.names(command.occurred_at), sku=command.sku, revision=revision,
            reserved=reserved, short=short, stock_version=command.stock_version, fact=fact,
        )
    )  # fmt: skip
