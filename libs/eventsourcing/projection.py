"""A read model as data: which rows an event touches and how a row changes. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from libs.eventsourcing.envelope import Envelope

R = TypeVar("R", bound=msgspec.Struct)
Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Projection(Generic[R]):
    """A table that is folded from topics and can be thrown away.

    `row` is a frozen struct whose fields are the columns (str: text, int: bigint, bool: boolean,
    bytes: bytea, optional of these: nullable, anything else: jsonb); `key` names its key fields.
    `keys` gives the rows an event touches, `evolve` the new row (None: no row). The result must be
    the same for every interleaving of topics and partitions that keeps each stream's order.
    `topics` are the services whose events it reads. Columns in `undigested` (clocks and the like)
    are not compared when a copy is proved equal. One that `appends` writes each row once, for one
    event: no row is looked for before it is written. `by_stream` says that each row is made of the
    events of one stream: a rebuild may fill it by several processes, lane by lane.
    """

    name: str
    version: int
    row: type[R]
    key: tuple[str, ...]
    topics: tuple[str, ...]
    keys: Callable[[Envelope[Any]], Sequence[Key]]
    evolve: Callable[[R | None, Key, Envelope[Any]], R | None]
    indexes: tuple[tuple[str, ...], ...] = ()
    undigested: tuple[str, ...] = ()
    appends: bool = False
    by_stream: bool = False
