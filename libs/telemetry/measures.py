"""What a service has counted at a scrape: read models as gauges, declared as data. Pure.

Names of tables and columns come from code; nothing here is ever a caller's text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from prometheus_client import Gauge

from libs.eventsourcing.projection import Projection

MOST_LABELS = 3


@dataclass(frozen=True)
class Measure:
    """A gauge that is read from a projection's rows.

    `named` are labels that are the same for all rows, `by` the columns that are the labels behind
    them. `take` is "rows", "sum"
    (of `of`), "oldest" (seconds since the least value of `of`) or "past" (rows whose `of` has
    passed); `of` is in microseconds for the last two. Only rows whose columns are `among` these
    values are read: keep to what an index finds, so that the cost does not grow with the past.
    """

    gauge: Gauge
    projection: Projection[Any]
    by: tuple[str, ...] = ()
    take: Literal["rows", "sum", "oldest", "past"] = "rows"
    of: str = ""
    among: Mapping[str, Sequence[str]] = field(default_factory=dict)
    named: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        columns = {*self.by, *self.among, *([self.of] if self.of else [])}
        unknown = columns - set(self.projection.row.__struct_fields__)
        if unknown or len(self.by) > MOST_LABELS or (self.take != "rows") != bool(self.of):
            raise ValueError(f"{self.projection.name} cannot be measured so: {sorted(unknown)}")

    def select(self, number: int) -> str:
        """Return the query: number, three labels (empty where there are fewer), value.

        `$1` is the time in microseconds.
        """
        labels = [f'"{column}"::text' for column in self.by]
        shown = ", ".join([*labels, *["''"] * (MOST_LABELS - len(labels))])
        value = {
            "rows": "count(*)",
            "sum": f'coalesce(sum("{self.of}"), 0)',
            "oldest": f'($1::bigint - min("{self.of}"))',
            "past": f'count(*) FILTER (WHERE "{self.of}" < $1::bigint)',
        }[self.take]
        where = " AND ".join(
            f'"{column}" IN ({", ".join(map(_text, values))})'
            for column, values in self.among.items()
        )
        grouped = f" GROUP BY {', '.join(labels)}" if labels else ""
        return (
            f'SELECT {number}, {shown}, {value}::bigint FROM "{self.projection.name}"'
            + (f" WHERE {where}" if where else "")
            + grouped
        )

    @property
    def scale(self) -> float:
        """Return what one unit of the query's value is in the gauge's."""
        return 1e-6 if self.take == "oldest" else 1.0


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
