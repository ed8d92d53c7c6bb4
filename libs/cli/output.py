"""What a verb says: lines for a person, or with `--json` one JSON object per line. Decides nothing.

Results go to standard output, progress to standard error.
"""

import contextlib
import json
import sys
import time
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.table import Table
from rich.text import Text

from libs.values.money import to_text

Json = Annotated[bool, typer.Option("--json", help="One JSON object per line, for programs.")]


PIPED = 200  # columns where nobody says how wide it is: nothing is cut off for grep
WORD = 24  # columns that a cell must have, where what stands in it is as long: an order's id
AGAIN = 5.0  # seconds between two lines of progress where they cannot be written over


def table(*columns: str, whole: Collection[str] = ()) -> Table:
    """Return a table whose cells fold and are never cut; those of `whole` columns do not fold."""
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        shown.add_column(column, overflow="fold", no_wrap=column in whole)
    return shown


def fitted(shown: Table, width: int) -> Table | Text:
    """Return a table without empty columns, or a row in lines of its own where that is too wide."""
    if shown.rows:
        shown.columns = [column for column in shown.columns if any(column.cells)]
    needed = 0
    for column in shown.columns:
        cells = [str(cell) for cell in (column.header, *column.cells)]
        whole = max(map(len, cells))
        words = (len(word) for cell in cells for word in cell.split())
        needed += 3 + (whole if column.no_wrap else min(WORD, max(words, default=0)))
    return shown if needed <= width or not shown.rows else _stood_up(shown)


def _stood_up(shown: Table) -> Text:
    """Return a row's first two cells in a line, and each other one under it, behind its name."""
    lines = []
    for cells in zip(*(column.cells for column in shown.columns), strict=True):
        lines.append("  ".join(map(str, cells[:2])))
        named = zip(shown.columns[2:], cells[2:], strict=True)
        lines += [f"    {column.header}: {cell}" for column, cell in named if cell]
    return Text("\n".join(lines), overflow="fold")


def time_text(at: int | None) -> str:
    """Return microseconds since the epoch as a person reads them, in UTC; empty for None."""
    if at is None:
        return ""
    return f"{datetime.fromtimestamp(at // 1_000_000, UTC):%Y-%m-%d %H:%M:%S}"


def amount_text(minor: int, currency: str) -> str:
    """Return minor units as a person reads them."""
    return f"{to_text(minor, currency)} {currency}"


def counted(number: int, noun: str) -> str:
    """Return a number of things as a person says it."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


class Output:
    """One voice for both kinds of readers."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        width = None if sys.stdout.isatty() else PIPED
        self.out = Console(highlight=False, soft_wrap=True, width=width)
        self.progress = Console(stderr=True, highlight=False, soft_wrap=True)
        self._next, self._over = 0.0, False

    def say(self, what: str, text: str, **facts: Any) -> None:
        """Say that something happened: `text` for a person, `what` and the facts for a program."""
        if self.as_json:
            print(json.dumps({"event": what, **facts}, ensure_ascii=False), flush=True)  # noqa: T201
        else:
            self._clear()
            self.out.print(text, markup=False)
            sys.stdout.flush()

    def show(self, renderable: Any) -> None:
        """Show a table or the like to a person; nothing for a program."""
        if self.as_json:
            return
        self._clear()
        if isinstance(renderable, Table):
            renderable = fitted(renderable, self.out.width)
        self.out.print(renderable, soft_wrap=False)

    def count(self, text: str) -> None:
        """Show how far something is: on a terminal over what stood there, else now and then."""
        if self.as_json:
            return
        if self.progress.is_terminal:
            self._clear()
            self.progress.print(f"  {text}"[: self.progress.width - 1], end="\r", markup=False)
            self._over = True
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + AGAIN
            self.progress.print(f"  {text}", markup=False)

    def _clear(self) -> None:
        """Take away the line of progress that stands on a terminal."""
        if self._over:
            self.progress.control(Control((ControlType.ERASE_IN_LINE, 2)))
            self._over = False

    @contextlib.contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Show that something goes on."""
        if self.as_json:
            yield
        elif self.progress.is_terminal:
            with self.progress.status(text):
                yield
        else:
            self.progress.print(text, markup=False)
            yield
