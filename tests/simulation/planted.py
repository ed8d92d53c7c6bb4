"""Bugs by name, each against one promise. They wrap what a simulated service is built of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace as changed
from typing import Any

import msgspec

from libs.contracts import channels, inventory, orders
from libs.eventsourcing.decided import Turn
from libs.store.memory import InboxEntry, MemoryStore
from libs.store.store import Delivery
from services.channels.commands import RecordOrder
from services.inventory.commands import ExpireHold
from tests.simulation.bugs import Bug, Decide
from tests.simulation.gate import GatedStore
from tests.simulation.planted_doubts import DOUBTS
from tests.simulation.planted_unasked import UNASKED
from tests.simulation.planted_whole import WHOLE


class AcceptsTwice(MemoryStore):
    """Keeps a delivery as often as it comes."""

    def accept_now(self, deliveries: Sequence[Delivery]) -> Sequence[int | None]:
        self.inbox.extend(InboxEntry(delivery) for delivery in deliveries)
        return [None] * len(deliveries)


class EpochUnread(MemoryStore):
    """Lets whoever has read a partition move its position, also back."""

    def _check(self, turn: Turn) -> None:
        epochs = {
            key: msgspec.structs.replace(position, epoch=self.positions[key].epoch)
            for key, position in turn.positions.items()
        }
        turn.positions.update(epochs)
        super()._check(changed(turn, positions={}))


class HeadUpserted(MemoryStore):
    """Writes heads whatever version they have."""

    def _check(self, turn: Turn) -> None:
        super()._check(changed(turn, heads={}, read={}))


class PositionFirst:
    """Writes the positions in a transaction of their own, before the results."""

    def __init__(self, real: GatedStore) -> None:
        self.real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    async def commit(self, turn: Turn) -> Mapping[int, int]:
        if turn.positions and (turn.events or turn.timers_done or turn.replies):
            alone = Turn(turn.at, positions=dict(turn.positions))
            await self.real.gate.pass_(
                self.real.owner, "position", lambda: self.real.store.commit_now(alone)
            )
            return await self.real.commit(changed(turn, positions={}))
        return await self.real.commit(turn)


class AnswersEarly:
    """Says that a delivery is kept before it is."""

    def __init__(self, real: GatedStore) -> None:
        self.real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    async def accept(self, deliveries: Sequence[Delivery]) -> Sequence[int | None]:
        gate, store = self.real.gate, self.real.store
        gate.send(self.real.owner, "accept", lambda: store.accept_now(deliveries))
        return [None] * len(deliveries)


class CallsAnew:
    """Takes a lost reply for a failure, and does the command again under another key."""

    def __init__(self, real: Any, store: GatedStore) -> None:
        self.real, self.store = real, store

    async def execute(self, stream: str, command: Any, *, key: str, **more: Any) -> Any:
        before = self.store.lost
        answer = await self.real.execute(stream, command, key=key, **more)
        if self.store.lost > before and hasattr(command, "document"):
            again = msgspec.structs.replace(command, document=f"{command.document}/again")
            return await self.real.execute(stream, again, key=f"{key}/again", **more)
        return answer


def _expires_committed(real: Decide) -> Decide:
    def decide(command: Any, state: Any) -> Sequence[Any]:
        entry = state.reservations.get(getattr(command, "order_id", ""))
        if isinstance(command, ExpireHold) and entry is not None:
            held = msgspec.structs.replace(
                entry, reservation_class="hold", expires_at=command.expires_at
            )
            known = state.reservations.set(command.order_id, held)
            state = msgspec.structs.replace(state, reservations=known)
        return real(command, state)

    return decide


def _without(real: Decide, unwanted: Callable[[Any], bool]) -> Decide:
    def decide(command: Any, state: Any) -> Sequence[Any]:
        return [event for event in real(command, state) if not unwanted(event)]

    return decide


def _keeps_units(real: Decide) -> Decide:
    def decide(command: Any, state: Any) -> Sequence[Any]:
        events = real(command, state)
        ended = any(isinstance(e, orders.OrderLinesCancelled) and e.whole for e in events)
        return [e for e in events if not (ended and isinstance(e, orders.StockRequired))]

    return decide


def _serves_nobody(real: Decide) -> Decide:
    return _without(
        real, lambda event: isinstance(event, inventory.StockReserved) and event.from_waiting_list
    )


def _resolves_nothing(real: Decide) -> Decide:
    return _without(real, lambda event: isinstance(event, channels.ListingLineResolved))


def _takes_stale(real: Decide) -> Decide:
    def decide(command: Any, state: Any) -> Sequence[Any]:
        if isinstance(command, RecordOrder) and state.received:
            order = command.order
            newest = max(order.version.updated_at, state.updated_at + 1)
            version = msgspec.structs.replace(order.version, updated_at=newest)
            order = msgspec.structs.replace(order, version=version)
            command = msgspec.structs.replace(command, order=order)
        return real(command, state)

    return decide


_ALL = (
    Bug("deliveries-not-deduped", "P1", store=AcceptsTwice),
    Bug("acknowledged-before-kept", "P1", shell=AnswersEarly),
    Bug("position-outside-the-transaction", "P1", shell=PositionFirst),
    Bug("epoch-ignored", "P1", store=EpochUnread),
    Bug("head-upserted", "P1", store=HeadUpserted),
    Bug("lost-reply-is-a-failure", "P1", calls=CallsAnew),
    Bug("relay-resumes-too-late", "P1", relay_too_late=1),
    Bug("duplicates-applied", "P1", numbers_unread=True),
    Bug("stale-version-taken", "P1", decides={"channelorder": _takes_stale}),
    Bug("hold-released-on-committed-order", "P2", decides={"stock": _expires_committed}),
    Bug("waiting-list-skipped", "P2", decides={"stock": _serves_nobody}),
    Bug("cancelled-order-keeps-units", "P2", decides={"order": _keeps_units}),
    Bug("link-resolves-nothing", "P7", decides={"listing": _resolves_nothing}),
    Bug("timers-before-inputs", "P7", timers_early=True),
    Bug("no-deadlines", "P7", planning=lambda _: lambda _: ()),
)
BUGS = {bug.name: bug for bug in (*_ALL, *WHOLE, *DOUBTS, *UNASKED)}
