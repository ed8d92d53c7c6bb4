"""The table of rates and latencies: what was measured, beside its anchor of the same run."""

import os
import platform
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

CORES = 2


@dataclass(frozen=True)
class Row:
    """One measurement; `met` is None where there is no target."""

    what: str
    measured: str
    anchor: str
    target: str
    met: bool | None


@dataclass
class Table:
    """Rows in the order in which they were measured."""

    rows: list[Row] = field(default_factory=list)

    def add(
        self, what: str, measured: str, *, target: str = "", met: bool | None = None,
        anchor: str = "",
    ) -> None:  # fmt: skip
        """Note and print one row."""
        row = Row(what, measured, anchor, target, met)
        self.rows.append(row)
        print("\n" + _line(row), flush=True)

    def text(self) -> str:
        """Return the table as Markdown, with the hardware."""
        head = ["| What | Measured | Anchor in the same run | Target | |", "|---|---|---|---|---|"]
        return "\n".join([hardware(), "", *head, *map(_line, self.rows)])


def _line(row: Row) -> str:
    met = {None: "", True: "met", False: "**missed**"}[row.met]
    return f"| {row.what} | {row.measured} | {row.anchor} | {row.target} | {met} |"


def pin() -> None:
    """Keep this process, and all that it starts, on two cores, hyperthreads of one where it can."""
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:CORES]))


def hardware() -> str:
    """Return one line on where this was measured."""
    info = Path("/proc/cpuinfo")
    models = [
        line.partition(":")[2].strip()
        for line in (info.read_text().splitlines() if info.exists() else [])
        if line.startswith("model name")
    ]
    cores = len(os.sched_getaffinity(0))
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    model = models[0] if models else platform.machine()
    python = platform.python_version()
    return f"{cores} cores of {model}, {system}, Python {python}, at {_commit()}"


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip() or "no commit"


def quantile(values: list[float], share: float) -> float:
    """Return the value below which this share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
