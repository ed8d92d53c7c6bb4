"""Many seeds over a few processes; keeps what failed, and says how far it is."""

import gc
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

from libs.runtime.memory import settle
from tests.simulation.bugs import NONE, Bug
from tests.simulation.planted import BUGS
from tests.simulation.quiet import quiet
from tests.simulation.running import run

BLOCK = 50  # seeds that a process takes at a time
# One for each processor that no other worker of the test run has.
PROCESSES = max(1, (os.cpu_count() or 2) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


@dataclass(frozen=True)
class Failed:
    """A seed on which a promise was broken, and how to see it again."""

    seed: int
    broken: str
    bug: str = ""
    whole: bool = False

    @property
    def replay(self) -> str:
        planted = f" --bug {self.bug}" if self.bug else ""
        whole = " --whole" if self.whole else ""
        return f".venv/bin/python -m tests.simulation {self.seed}{whole}{planted}"


@dataclass(frozen=True)
class Block:
    """What became of some seeds."""

    seeds: int
    events: int
    failed: tuple[Failed, ...]


def play(first: int, last: int, *, whole: bool = False) -> Block:
    """Play the seeds from `first` up to before `last`."""
    outcomes = [run(seed, whole=whole) for seed in range(first, last)]
    failed = tuple(Failed(one.seed, one.broken, whole=whole) for one in outcomes if one.broken)
    return Block(len(outcomes), sum(one.events for one in outcomes), failed)


def search(name: str, most: int) -> Failed | None:
    """Return the first seed on which a planted bug breaks the promise that it should."""
    bug: Bug = BUGS[name]
    for seed in range(most):
        broken = run(seed, bug).broken
        if broken is not None and broken.startswith(bug.breaks):
            return Failed(seed, broken, name, bug.whole)
    return None


def play_all(seeds: int, progress: Callable[[str], None], *, whole: bool = False) -> list[Failed]:
    """Play the first so many seeds; return those that failed, by seed."""
    failed: list[Failed] = []
    done = events = told = 0
    with _pool() as pool:
        size = BLOCK // 5 if whole else BLOCK
        blocks = [
            pool.submit(play, n, min(n + size, seeds), whole=whole) for n in range(0, seeds, size)
        ]
        for future in as_completed(blocks):
            block = future.result()
            done, events = done + block.seeds, events + block.events
            failed += block.failed
            for one in block.failed:
                progress(f"seed {one.seed}: {one.broken}\n  replay: {one.replay}")
            if done - told >= 8 * size or done == seeds:
                told = done
                world = "the whole world" if whole else "three services"
                progress(f"{done} of {seeds} seeds of {world}, {events} events, "
                         f"{len(failed)} failed")  # fmt: skip
    return sorted(failed, key=lambda one: one.seed)


def search_all(names: Sequence[str], most: int) -> dict[str, Failed | None]:
    """Look for each planted bug in the first so many seeds."""
    with _pool() as pool:
        found = {name: pool.submit(search, name, most) for name in names}
        return {name: future.result() for name, future in found.items()}


def _pool() -> ProcessPoolExecutor:
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(PROCESSES, mp_context=spawn, initializer=_begin)


def _begin() -> None:
    quiet()
    settle()  # as the process that serves does
    gc.set_threshold(50_000, 20, 50)  # but a world that has been played is garbage, cycles and all


def planted(name: str | None) -> Bug:
    """Return a planted bug by its name."""
    return BUGS[name] if name else NONE
