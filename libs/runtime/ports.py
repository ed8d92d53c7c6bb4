"""What a service's edge is handed: commands in, rows out, settings, clock. Says nothing of how."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

import msgspec
from fastapi import APIRouter

from libs.bus.pace import CALM, Tempo
from libs.codec.contract import Contract
from libs.effects.kinds import EffectKind
from libs.eventsourcing.decider import Decider
from libs.eventsourcing.process import Plan, Reaction, plan_nothing
from libs.eventsourcing.projection import Key, Projection
from libs.runtime.settings import Settings
from libs.security.vault.vault import Vault
from libs.telemetry.measures import Measure

R = TypeVar("R", bound=msgspec.Struct)


class Answer(msgspec.Struct, frozen=True):
    """What a command led to. `token` is for `?after=`; `events` are the types it recorded.

    `also` is what the further commands of the same request led to.
    """

    stream: str
    version: int
    events: tuple[str, ...]
    token: str
    also: tuple["Answer", ...] = ()


Told = tuple[str, Any]  # a stream, and the command to it


class Commands(Protocol):
    """The way in for a caller's commands."""

    async def execute(
        self, stream: str, command: Any, *, key: str, request: bytes, trace: str = "",
        also: Sequence[Told] = (),
    ) -> Answer:  # fmt: skip
        """Decide the command and answer when it is committed; with those in `also`, all or none.

        The same key gives the stored answer again; with another request: KeyReused. Raises
        `Refused` where the decider refuses (that answer is stored as well).
        """
        ...

    async def known(self, key: str, request: bytes) -> Answer | None:
        """Return the answer that is stored under the key, None where there is none.

        Raises as `execute` does.
        """
        ...


class Rows(Protocol[R]):
    """The rows of a read model."""

    async def get(self, *key: str | int) -> R | None:
        """Return the row with this key."""
        ...

    async def find(
        self, *, after: Key | None = None, limit: int = 50, **equal: str | int | bool
    ) -> list[R]:
        """Return rows whose columns equal these values, in key order, behind the key `after`."""
        ...

    async def totals(
        self, by: Sequence[str], of: Sequence[str] = (), **among: Sequence[str]
    ) -> Mapping[Key, tuple[int, ...]]:
        """Return the number of rows and the sums of columns, by the values of other columns.

        Rows whose columns are not `among` these values are left out.
        """
        ...

    async def wait(self, token: str, seconds: float = 5.0) -> bool:
        """Wait until the rows hold what the token names; False if that took too long."""
        ...

    async def caught_up(self, seconds: float = 1.0) -> bool:
        """Wait until the rows hold all that their own service has recorded by now, or as `wait`."""
        ...


class InboxRow(msgspec.Struct, frozen=True):
    """A delivery that was accepted: who sent what, with the sealed raw body opened again."""

    seq: int
    provider: str
    account: str
    key: str
    topic: str
    received_at: int
    body: bytes
    trace: str


class Interpreted(msgspec.Struct, frozen=True):
    """What a delivery means: commands for streams, or the named reason why it means nothing.

    `source` is the parking key: later deliveries of the same source queue behind a parked one.
    One of which it is not known yet is taken again a little `later`; others go on meanwhile.
    """

    source: str
    work: tuple[tuple[str, Any], ...] = ()
    ignored: str | None = None
    later: bool = False


class Intake(Protocol):
    """How a service understands what was delivered to its inbox."""

    async def interpret(self, rows: Sequence[InboxRow]) -> Sequence[Interpreted | Exception]:
        """Read each delivery; an exception in a place parks that delivery with its code."""
        ...


class Inbox(Protocol):
    """Where accepted deliveries are kept until they have taken effect."""

    async def accept(
        self, *, provider: str, account: str, key: str, topic: str, body: bytes, trace: str
    ) -> int | None:
        """Seal and store a delivery; once it is committed, None, or when its key first came."""
        ...


@dataclass(frozen=True)
class Ports:
    """Everything that a service's routes and intake may use."""

    settings: Settings
    clock: Callable[[], int]
    vault: Vault
    commands: Commands
    inbox: Inbox
    rows: Callable[[Projection[Any]], Rows[Any]]


@dataclass(frozen=True)
class Service:
    """A service as data: what it decides, reacts to, shows and offers.

    `contracts` are its own events, `reads` those of the services that it reacts to or projects;
    `reacts` maps a service's name to the reaction to its facts. `acts`: a service that is added
    later reads everything from the beginning either way; "from now" suppresses the effects of what
    was recorded before its first start. `configured` gives the service as the settings want it,
    where a reaction needs an account's terms: they enter with the message. `measures` are the
    gauges that a scrape reads from its read models. `reacting` and `projecting` say how
    long its loops may rest: promptly where somebody waits for it, as for units to be reserved.
    One that is `awaited` is on the way from a buyer's order to its units: a process in which none
    is stands back where processors are short.
    """

    name: str
    contracts: tuple[Contract[Any], ...]
    deciders: tuple[Decider[Any, Any, Any], ...]
    reads: tuple[Contract[Any], ...] = ()
    reacts: Mapping[str, Reaction] = field(default_factory=dict)
    plan: Plan = plan_nothing
    projections: tuple[Projection[Any], ...] = ()
    routes: Callable[[Ports], APIRouter] | None = None
    intake: Callable[[Ports], Intake] | None = None
    effects: Callable[[Ports], Sequence[EffectKind]] | None = None
    acts: Literal["from the beginning", "from now"] = "from the beginning"
    configured: "Callable[[Settings], Service] | None" = None
    measures: tuple[Measure, ...] = ()
    reacting: Tempo = CALM
    projecting: Tempo = CALM
    awaited: bool = False
