"""A projection as it runs: its table, how far each partition is folded, and rows it remembers."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from libs.bus.records import Place
from libs.bus.screening import Cursor
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.projection import Key, Projection
from libs.replay.folding import Pairs, Parsed, Unknown, Unreadable, touched
from libs.replay.models import Model
from libs.replay.table import Table
from libs.telemetry.logs import log

REMEMBERED = 10_000  # rows


@dataclass
class Work:
    """What a batch means for one projection: events by key, and the cursors behind them."""

    live: "Live"
    pairs: Pairs
    cursors: dict[Place, Cursor]
    epochs: dict[Place, int]
    gaps: set[Place] = field(default_factory=set)
    filled: set[Place] = field(default_factory=set)


class Live:
    """One projection in its live generation.

    `rows` are remembered as of `revision`: another's write raises it, and they are read anew.
    `unsaved` are cursors behind records that touched no row: their positions are written later.
    While releases run side by side, `other` says why only another one can go on: these rows are of
    another version, or a record, that at `unread`, has a schema that is not known here.
    """

    def __init__(self, projection: Projection[Any], model: Model) -> None:
        self.name, self.generation = projection.name, model.generation
        self.table: Table[Any] = Table(projection, model.table)
        self.cursors: dict[Place, Cursor] = {}
        self.epochs: dict[Place, int] = {}
        self.unsaved: dict[Place, Cursor] = {}
        self.gaps: set[Place] = set()
        self.other: str | None = None
        if model.version != projection.version:
            self.other = f"another-version: the rows are of version {model.version}"
        self.unread: tuple[Place, int] | None = None
        self.older = model.version < projection.version
        self.halted: str | None = None
        self.halted_on = 0.0  # when the oldest record of that batch was written (epoch seconds)
        self._written = time.time()  # the same of the last batch
        self.rows: dict[Key, Any] = {}
        self.revision = -1

    @property
    def topics(self) -> tuple[str, ...]:
        """Return the services whose topics this projection reads."""
        return self.table.projection.topics

    @property
    def problem(self) -> str | None:
        """Return why this projection stands still, wholly or in part."""
        return self.halted or self.other or ("gap" if self.gaps else None)

    @property
    def still(self) -> bool:
        """Return whether this process folds nothing into these rows."""
        return self.halted is not None or self.other is not None

    def halt(self, reason: str, detail: str) -> None:
        """Stop for good, loudly; a new generation begins again."""
        self.halted, self.halted_on = f"{reason}: {detail}", self._written
        log.critical("projection-halted", projection=self.name, reason=reason, cause=detail)

    def claimed(self, place: Place, epoch: int, offset: int, pseq: int, event_id: str) -> None:
        """Take over a partition where its position stands."""
        self.epochs[place] = epoch
        self.cursors[place] = Cursor(offset, pseq, event_id)
        self.unsaved.pop(place, None)
        self.gaps.discard(place)

    def forget(self) -> None:
        """Forget rows, after any doubt about what was written."""
        self.rows, self.revision = {}, -1

    def remember(self, rows: Mapping[Key, Any], revision: int) -> None:
        """Keep rows that were written, within bounds."""
        if len(self.rows) + len(rows) > REMEMBERED:
            self.rows.clear()
        self.rows.update(rows)
        self.revision = revision

    def screen(self, parsed: Mapping[Place, Parsed]) -> Work | None:
        """Return what is to be folded; None where nothing moves or the projection had to halt."""
        work = Work(self, (), dict(self.unsaved), self.epochs)
        if parsed:
            self._written = min(run.records[0].timestamp for run in parsed.values()) / 1000
        envelopes: list[Envelope[Any]] = []
        try:
            for place, run in parsed.items():
                if place not in self.cursors:
                    continue
                screened = run.screened(self.cursors[place])
                if screened.problem == "two-histories":
                    self.halt("two-histories", f"{place[0]}/{place[1]}")
                    return None
                envelopes += run.events(self.cursors[place])
                work.cursors[place] = screened.cursor
                if screened.problem == "gap":
                    work.gaps.add(place)
                elif screened.problem == "filled":
                    work.filled.add(place)
            work.pairs = touched(self.table.projection, envelopes)
        except Unknown as error:
            self.other, self.unread = f"newer-schema: {error}", (error.place, error.offset)
            log.warning("projection-left", projection=self.name, reason=self.other)
            return None
        except Unreadable as error:
            self.halt("unreadable-record", str(error))
            return None
        except Exception as error:
            self.halt("fold-failed", type(error).__name__)
            return None
        return work if work.cursors else None
