"""Replays one seed with its steps: `python -m tests.simulation SEED [--whole] [--bug NAME]`."""

import argparse
import sys

from tests.simulation.fleet import planted
from tests.simulation.planted import BUGS
from tests.simulation.quiet import quiet
from tests.simulation.running import run


def main() -> int:
    """Print the steps and the promise that was broken; 1 where one was."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("seed", type=int)
    parser.add_argument("--whole", action="store_true", help="all services, not the first three")
    parser.add_argument("--bug", choices=sorted(BUGS))
    given = parser.parse_args()
    quiet()
    outcome = run(given.seed, planted(given.bug), whole=given.whole)
    lines = [*outcome.trace, ""]
    lines.append(f"seed {outcome.seed}: {outcome.steps} steps, {outcome.events} events")
    lines.append(f"BROKEN {outcome.broken}" if outcome.broken else "All promises were kept.")
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if outcome.broken else 0


if __name__ == "__main__":
    sys.exit(main())
