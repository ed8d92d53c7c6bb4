"""Runs a command line so that no traceback reaches a person: one line, an exit code, a log file."""

import contextlib
import os
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import typer

from libs.cli.errors import Stop
from libs.runtime.errors import ConfigurationError
from libs.stack.errors import StackError

INTERRUPTED = 130


def data_folder() -> Path:
    """Return the folder of everything that a checkout keeps: LONJA_DATA, else `.lonja`."""
    return Path(os.environ.get("LONJA_DATA", ".lonja"))


def run(command: Callable[..., object], arguments: Sequence[str], name: str) -> int:
    """Run a typer command; return 0, 1 for a failure, 2 for wrong usage, 130 for Ctrl-C."""
    try:
        command(args=list(arguments), prog_name=name)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Stop as error:
        return _say(name, error, error.exit_code)
    except (StackError, ConfigurationError) as error:
        return _say(name, error, 1)
    except Exception as error:
        return _unforeseen(name, error)
    return 0


def _say(name: str, error: Exception, exit_code: int) -> int:
    # Over a line of progress, whatever stood there; an echo into a file has no such marks.
    typer.echo(f"\x1b[2K{name}: {error}", err=True)
    return exit_code


def _unforeseen(name: str, error: Exception) -> int:
    path = data_folder() / "logs" / "cli.log"
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(f"{datetime.now(UTC).isoformat()}\n{traceback.format_exc()}\n")
    text = f"{type(error).__name__}: this is our fault; where it happened stands in {path}"
    return _say(name, Stop("internal-error", text), 1)
