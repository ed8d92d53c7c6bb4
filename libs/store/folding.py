"""Heads for a turn: stored states unpacked, or histories folded where a state is missing or old."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from libs.codec.errors import UNKNOWN, CodecError
from libs.eventsourcing.draft import KERNEL
from libs.eventsourcing.inputs import Head
from libs.eventsourcing.mind import Mind
from libs.eventsourcing.states import unpack
from libs.store.store import Store, StoredEvent, StoredHead
from libs.values.ids import category

PAGE = 1000  # events
REMEMBERED = 20_000  # streams


class Fold:
    """A stream's state being folded from a stored one and pages of events.

    Where no state is stored by this fold, it begins with `past`, the state of an earlier version,
    or with the initial one.
    """

    def __init__(
        self, mind: Mind, stream: str, stored: StoredHead | None, past: Head | None = None
    ) -> None:
        self.mind, self.stream, self.stored = mind, stream, stored
        self.decider = mind.deciders.get(category(stream))
        self.version = 0
        self.broken: str | None = None
        self.newer = False
        self.state: Any = self.decider.initial if self.decider else None
        fold = mind.folds.get(category(stream), "")
        if self.decider and stored and stored.state is not None and stored.fold == fold:
            try:
                self.state = unpack(self.decider.state, stored.state)
                self.version = stored.state_version
            except Exception:  # a state is only a copy: the events are read instead
                self.state = self.decider.initial
        self.saved = self.version
        self.size = len(stored.state or b"") if stored is not None and self.version else 0
        if past and stored and not past.broken and self.version < past.version <= stored.version:
            self.state, self.version = past.state, past.version
            self.saved, self.size = past.saved_version, past.saved_size

    def missing(self) -> bool:
        """Say whether events are to be read behind `version`."""
        return self.left() > 0 and self.decider is not None and not self.broken

    def left(self) -> int:
        """Return how many events lie between this fold and the head."""
        return self.stored.version - self.version if self.stored else 0

    def read(self, page: Sequence[StoredEvent]) -> None:
        """Fold a page of the history; what cannot be folded breaks the stream, nothing else."""
        if not page:
            self.broken = f"Event {self.version + 1} of {self.stream} is not there."
        for event in page:
            if not event.type.startswith(KERNEL) and self.decider is not None:
                try:
                    fact = self.mind.codec.decode(event.type, event.schema_version, event.data)
                    self.state = self.decider.evolve(self.state, fact)
                except CodecError as error:
                    self.broken = f"Event {event.version} of {self.stream}: {error.code}."
                    self.newer = error.code == UNKNOWN
                    return
                except Exception as error:
                    self.broken = f"Event {event.version} of {self.stream}: {type(error).__name__}."
                    return
            self.version = event.version

    def head(self) -> Head:
        """Return the head as a turn takes it."""
        if self.stored is None:
            return Head(self.stream, 0, self.state, {}, 0)
        return Head(self.stream, self.stored.version, self.state, self.stored.notes, self.saved,
                    self.broken, self.size, self.newer)  # fmt: skip


class Heads:
    """Heads with a bounded memory: what a turn left is what the next one starts from.

    A remembered head may be out of date; the version that a commit checks decides. One that is
    still is what the events behind it are folded on: a newer release may have stored a state that
    this one cannot use, and of a long history only the end is new.
    """

    def __init__(self, mind: Mind, store: Store) -> None:
        self.mind, self.store = mind, store
        self.known: OrderedDict[str, Head] = OrderedDict()
        self.past: OrderedDict[str, Head] = OrderedDict()

    async def load(self, streams: Iterable[str]) -> dict[str, Head]:
        """Return the heads of all these streams."""
        wanted = dict.fromkeys(streams)
        heads = {name: self.known[name] for name in wanted if name in self.known}
        missing = [name for name in wanted if name not in heads]
        if missing:
            stored = await self.store.heads(missing)
            for name in missing:
                past = self.past.pop(name, None)
                fold = Fold(self.mind, name, stored.get(name), past)
                while fold.missing():
                    # Not beyond the head that was read: the stream may have grown since.
                    size = min(PAGE, fold.left())
                    fold.read(await self.store.history(name, fold.version, size))
                if past is not None and fold.broken:
                    self.past[name] = past
                heads[name] = fold.head()
        return heads

    def keep(self, heads: Mapping[str, Head]) -> None:
        """Remember what was committed."""
        for name, head in heads.items():
            self.known[name] = head
            self.known.move_to_end(name)
        while len(self.known) > REMEMBERED:
            self.known.popitem(last=False)

    def forget(self, streams: Iterable[str] | None = None) -> None:
        """Trust heads no longer that may be out of date; by default none."""
        for name in tuple(self.known) if streams is None else streams:
            head = self.known.pop(name, None)
            if head is not None:
                self.past[name] = head
        while len(self.past) > REMEMBERED:
            self.past.popitem(last=False)
