"""A toy service for the kernel's tests: a shelf that remembers the documents it was changed by.

Its events are inventory's, so that they go through the real codec.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from libs.bus.records import Record
from libs.codec.framing import EventCodec, frame
from libs.codec.headers import EventHeaders, links
from libs.contracts import inventory as events
from libs.contracts import kernel
from libs.eventsourcing.decided import Turn
from libs.eventsourcing.decider import Decider, Refused
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.inputs import (
    FromApi,
    FromEffect,
    FromInbox,
    FromTimer,
    FromTopic,
    Input,
    Position,
)
from libs.eventsourcing.mind import Mind
from libs.eventsourcing.process import Effect, Reactions, Timer, reacting
from libs.runtime.interpret import Interpreter
from libs.store.memory import MemoryStore
from libs.store.store import Delivery, Store, StoredEvent
from libs.values.ids import derive
from libs.values.lanes import PARTITIONS

NOON = 1_790_000_000_000_000
CODEC = EventCodec(events.CONTRACTS + kernel.CONTRACTS)
TOPIC, CONSUMER = "upstream.events", "toy.reactor"


class Put(msgspec.Struct, frozen=True, tag=True):
    """Puts units on the shelf, again where it is said again: a repetition that slips in is seen.

    What the document is called decides what goes wrong; one called "once…" is put once.
    """

    document: str
    quantity: int = 1


class Take(msgspec.Struct, frozen=True, tag=True):
    """Takes units; refused where there are not enough."""

    document: str
    quantity: int = 1


class Shelf(msgspec.Struct, frozen=True):
    units: int = 0
    documents: tuple[str, ...] = ()


def received(document: str, quantity: int = 1, sku: str = "A") -> events.StockReceived:
    return events.StockReceived(
        entity="E", occurred_at=NOON, sku=sku, location="main", reservable=True, quantity=quantity,
        document=document, by="test",
    )  # fmt: skip


def adjusted(document: str, quantity: int) -> events.StockAdjusted:
    return events.StockAdjusted(
        entity="E", occurred_at=NOON, sku="A", location="main", reservable=True, quantity=quantity,
        state_from="available", state_to="outside", reason="taken", document=document, note="",
        by="test",
    )  # fmt: skip


def decide(command: Put | Take, state: Shelf) -> Sequence[Any]:
    if command.document.startswith("once") and command.document in state.documents:
        return []
    match command:
        case Put(document="decide-raises"):
            raise RuntimeError("the shelf falls down")
        case Put(document="refused"):
            raise Refused("no-room", "There is no room.")
        case Put(document="huge"):
            return [received("x" * 300_000)]
        case Put():
            return [received(command.document, command.quantity)]
        case Take(document=document, quantity=quantity):
            if quantity > state.units:
                raise Refused("not-enough", "Not enough units.", units=state.units)
            return [adjusted(document, -quantity)]


def evolve(state: Shelf, event: Any) -> Shelf:
    if event.document == "evolve-raises":
        raise RuntimeError("the shelf cannot be counted")
    return Shelf(state.units + event.quantity, (*state.documents, event.document))


def plan(envelope: Envelope[Any]) -> Sequence[Timer | Effect]:
    document = envelope.event.document if hasattr(envelope.event, "document") else ""
    stream = envelope.stream
    match document.partition(":"):
        case ("plan-raises", _, _):
            raise RuntimeError("there is no plan")
        case ("timer", _, name):
            return [Timer(name, NOON + 60, stream, Put(f"timed/{name}"))]
        case ("effect", _, name):
            kind = f"toy.{name}" if "." in name else "toy.call"
            return [Effect(name, kind, stream, b"{}")]
        case ("bad-timer", _, _):
            return [Timer("a\0", NOON, stream, Put("x"))]
        case ("late-timer", _, _):
            return [Timer("a", 2**70, stream, Put("x"))]
        case ("big-timer", _, _):
            return [Timer("a", NOON, stream, Put("x", 2**70))]
        case ("bad-effect", _, _):
            return [Effect("a", "k\ud800", stream, b"")]
    return []


def fixed(command: Put | Take, state: Shelf) -> Sequence[Any]:
    """Decide as it should have been from the start: nothing goes wrong."""
    if command.document.startswith("once") and command.document in state.documents:
        return []
    return [received(command.document[:40].replace("\0", ""), min(command.quantity, 1000))]


def kindly(state: Shelf, event: Any) -> Shelf:
    return Shelf(state.units + event.quantity, (*state.documents, event.document))


SHELF = Decider("shelf", Put | Take, Shelf, Shelf(), decide, evolve)
MENDED = Decider("shelf", Put | Take, Shelf, Shelf(), fixed, kindly)


def mind(decider: Decider[Any, Any, Any] = SHELF) -> Mind:
    return Mind("toy", [decider], CODEC, plan if decider is SHELF else lambda _: ())


@reacting(events.StockReceived)
def react(envelope: Envelope[Any]) -> Reactions:
    event = envelope.event
    if event.document == "react-raises":
        raise RuntimeError("this cannot be")
    document, quantity = {
        "nul": ("a\0b", 1), "surrogate": ("a\ud800b", 1), "big": ("big", 2**70),
    }.get(event.document, (event.document, event.quantity))  # fmt: skip
    skus = {"nameless": ["a\0b"], "half": ["a\ud800b"], "endless": ["a" * 5000]}
    names = skus.get(event.sku, event.sku.split("+"))
    return [(f"shelf-{sku}", Put(document, quantity)) for sku in names]


def position(offset: int, partition: int = 0, epoch: int = 1) -> Position:
    """Where a partition stands behind the record at this offset."""
    return Position(CONSUMER, TOPIC, partition, epoch, offset + 1, offset + 1,
                    derive("fact", str(partition), str(offset)), offset + 1)  # fmt: skip


def fact(
    offset: int, *work: tuple[str, Any], source: str = "upstream/one", partition: int = 0,
    epoch: int = 1,
) -> Input:  # fmt: skip
    """An input as from a record."""
    after = position(offset, partition, epoch)
    return Input(FromTopic(after), f"toy<{after.last_id}", source, after.last_id, after.last_id, "",
                 work=work, intake=f"intake-{TOPIC}/{partition}")  # fmt: skip


def call(key: str, stream: str, command: Any, content: bytes = b"content") -> Input:
    cause = derive("toy", "command", key)
    return Input(FromApi(key, content), f"command/{key}", f"command/{key}", cause, cause, "",
                 work=((stream, command),))  # fmt: skip


def delivered(seq: int, stream: str, command: Any, source: str = "shop/one") -> Input:
    cause = derive("toy", "inbox", str(seq))
    return Input(FromInbox(seq), f"inbox/p/a/{seq}", source, cause, cause, "",
                 work=((stream, command),))  # fmt: skip


def timed(name: str, stream: str, command: Any) -> Input:
    cause = derive("toy", "timer", name)
    return Input(FromTimer(name), f"timer/{name}", f"timer/{name}", cause, cause, "",
                 work=((stream, command),))  # fmt: skip


def answered(name: str, token: int, stream: str, command: Any) -> Input:
    cause = derive("toy", "effect", name)
    return Input(FromEffect(name, token, "confirmed"), f"effect/{name}/{token}", f"effect/{name}",
                 cause, cause, "", work=((stream, command),))  # fmt: skip


def delivery(key: str, body: bytes = b"sealed") -> Delivery:
    return Delivery("p", "a", key, "orders/create", NOON, body, "")


def record(
    offset: int, event: Any, *, partition: int = 0, key: str = "one", value: bytes | None = None,
    ours: bool = True,
) -> Record:  # fmt: skip
    """A record of the service `upstream`, as its relay would have sent it."""
    name, version, data = CODEC.encode(event)
    after = position(offset, partition)
    headers = EventHeaders(after.last_id, "upstream", name, NOON, "", offset + 1, 1,
                           links(after.last_id, after.last_id))  # fmt: skip
    framed = frame(CODEC.registry.ids[name, version], data)
    return Record("upstream", TOPIC, partition, offset, key, framed if value is None else value,
                  headers if ours else None, after)  # fmt: skip


INTERPRETER = Interpreter("toy", CODEC, {"upstream": react})


def read(offset: int, document: str, *, sku: str = "hot", key: str = "one", **more: Any) -> Input:
    """What a record means that says: these units came."""
    return INTERPRETER.read(record(offset, received(document, sku=sku), key=key, **more))


async def log_of(store: Store) -> list[StoredEvent]:
    """Everything that was committed, lane by lane."""
    return [event for lane in range(PARTITIONS) for event in await store.read(lane, 0, 100_000)]


async def documents(store: Store, stream: str) -> list[str]:
    """The documents that changed a shelf, in order; kernel events as <their type>."""
    out = []
    for event in await store.history(stream, 0, 100_000):
        fact_ = CODEC.decode(event.type, event.schema_version, event.data)
        kernel_event = event.type.startswith("lonja.kernel.")
        out.append(f"<{type(fact_).__name__}>" if kernel_event else fact_.document)
    return out


async def call_out(store: Any, name: str, token: int) -> None:
    """Put an effect in flight, as whoever claims it does."""
    if isinstance(store, MemoryStore):
        store.effects[name].state, store.effects[name].token = "in-flight", token
    else:
        await store.pool.execute(
            "UPDATE effects SET state = 'in-flight', token = $2 WHERE id = $1", name, token
        )


def no_turn() -> Turn:
    return Turn(NOON)
