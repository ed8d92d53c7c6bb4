"""Tells what happens to an order, event by event, and keeps the state behind the last one. Pure."""

from typing import Any, NamedTuple

from libs.contracts import common
from services.orders.evolve import OrderEvent, evolve
from services.orders.state import OrderState


class Stated(NamedTuple):
    """When a channel says that something happened, and by which version of the order."""

    occurred_at: int
    version: common.Version


class Story:
    """The events of one decision as they are told, and the state that they lead to.

    `at` is the time of the decision, `deadline` until when a new queue of it is to be settled, if
    the cause says so; microseconds.
    """

    def __init__(self, state: OrderState, at: int, deadline: int | None = None) -> None:
        self.state, self.at, self.deadline = state, at, deadline
        self.events: list[OrderEvent] = []

    def tell(self, event: OrderEvent) -> None:
        """Add what happened next."""
        self.events.append(event)
        self.state = evolve(self.state, event)

    def names(self, occurred_at: int | None = None) -> dict[str, Any]:
        """Return the fields that every event has."""
        at = self.at if occurred_at is None else occurred_at
        return {"entity": self.state.entity, "occurred_at": at, "order_id": self.state.order_id}
