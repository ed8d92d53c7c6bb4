"""Decides on what a channel tells of an order: versions, money, links of lines. Pure."""

from collections.abc import Sequence
from typing import Any

from libs.contracts import common, orders
from services.orders import commands
from services.orders.demanding import cancel_all
from services.orders.evolve import OrderEvent
from services.orders.settling import settle
from services.orders.state import SECURED, Ended, OrderState
from services.orders.story import Stated, Story
from services.orders.units import remaining
from services.orders.versions import differences, known_funds, number, with_known, with_links


def record_version(command: commands.RecordVersion, state: OrderState) -> Sequence[OrderEvent]:
    """Place an order, or replace its version before; an older one changes nothing."""
    order = with_links(state, with_known(state, command.order))
    if order.test or order.commitment == "draft" or _known(state, order):
        return []
    story = Story(state, command.at)
    names: dict[str, Any] = {
        "entity": order.entity, "occurred_at": command.occurred_at,
        "order_id": commands.order_id(order.account, order.external_id), "order": order,
        "revision": state.revision + 1,
    }  # fmt: skip
    if not state.placed:
        bought = order.commitment == "committed" or order.funds in SECURED
        until = None if bought else order.expires_at
        story.tell(orders.OrderPlaced(**names, decide_by=until or _soon(command.at)))
    else:
        changes = differences(state, order)
        story.tell(orders.OrderAmended(**names, differences=changes, cause="channel"))
        _reopen(story, state, order)
    emptied = remaining(state) and not remaining(story.state)
    ended = story.state.ended
    known = ended is not None and ended.cause == "channel"
    if (order.cancelled and not known) or (emptied and ended is None):
        reason = "cancelled" if order.cancelled else "nothing-left"
        cancel_all(story, "channel", reason, "channel", Stated(command.occurred_at, order.version))
    return settle(story)


def _known(state: OrderState, order: common.Order) -> bool:
    return number(order.version) <= max(state.version, state.cancel_version)


def _soon(at: int) -> int:
    return at + commands.DECIDE_WITHIN


def _reopen(story: Story, before: OrderState, order: common.Order | None) -> None:
    """Let a cancelled order live again, where its channel, its payment or new units say so."""
    ended = before.ended
    if ended is None or (order is not None and order.cancelled):
        return
    reason = ""
    if ended.cause == "channel" and order is not None and not order.cancelled:
        reason = "channel-reopened"
    elif _expired(ended) and story.state.committed:
        reason = "payment-received"
    elif not _expired(ended) and remaining(story.state):
        reason = "units-added"
    if not reason:
        return
    back = ended.lines if reason != "units-added" else {}
    lines = tuple(
        common.LineQuantity(line_id=name, quantity=min(units, story.state.lines[name].cancelled))
        for name, units in sorted(back.items())
        if name in story.state.lines and story.state.lines[name].cancelled
    )
    reopened = orders.OrderReopened(
        **story.names(), lines=lines, reason=reason, decide_by=_soon(story.at)
    )
    story.tell(reopened)


def _expired(ended: Ended) -> bool:
    return ended.reason == "payment-expired" and ended.cause != "channel"


def record_funds(command: commands.RecordFunds, state: OrderState) -> Sequence[OrderEvent]:
    """Take what is known of the money; it may commit an order, or bring it back."""
    if not state.placed or number(command.version) <= state.funds_version:
        return []
    story = Story(state, command.at)
    story.tell(
        orders.OrderFundsRecorded(
            **story.names(command.occurred_at), funds=known_funds(state, command.funds),
            funds_word=command.funds_word, custody=command.custody, amount=command.amount,
            currency=command.currency, version=command.version, received=command.received,
            refunded=command.refunded,
        )
    )  # fmt: skip
    if state.ended is not None and _expired(state.ended):
        _reopen(story, state, None)
    return settle(story)


def resolve(command: commands.ResolveLine, state: OrderState) -> Sequence[OrderEvent]:
    """Take what a line sells, once; its order may still be on its way."""
    line = state.lines.get(command.line_id)
    if command.line_id in state.links or (line is not None and line.sku is not None):
        return []
    story = Story(state, command.at)
    story.tell(
        orders.OrderLineResolved(
            entity=command.entity, occurred_at=command.at, order_id=command.order_id,
            line_id=command.line_id, sku=command.sku, units_per_listing=command.units_per_listing,
            components=command.components,
        )
    )  # fmt: skip
    return settle(story)
