"""What a verb says: lines for a person, or with `--json` one JSON object per line. Decides nothing.

Results go to standard output, progress to standard error.
"""

import contextlib
import json
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import Console

Json = Annotated[bool, typer.Option("--json", help="One JSON object per line, for programs.")]


class Output:
    """One voice for both kinds of readers."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.out = Console(highlight=False, soft_wrap=True)
        self.progress = Console(stderr=True, highlight=False, soft_wrap=True)

    def say(self, what: str, text: str, **facts: Any) -> None:
        """Say that something happened: `text` for a person, `what` and the facts for a program."""
        if self.as_json:
            print(json.dumps({"event": what, **facts}, ensure_ascii=False), flush=True)  # noqa: T201
        else:
            self.out.print(text, markup=False)
            sys.stdout.flush()

    def show(self, renderable: Any) -> None:
        """Show a table or the like to a person; nothing for a program."""
        if not self.as_json:
            self.out.print(renderable)

    @contextlib.contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Show that something goes on, where a person watches a terminal."""
        if self.as_json or not self.progress.is_terminal:
            yield
        else:
            with self.progress.status(text):
                yield
