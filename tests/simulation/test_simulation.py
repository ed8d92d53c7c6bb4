"""The simulator: thousands of worlds in which the promises are kept, and bugs that it must find."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.fleet import play_all, search_all
from tests.simulation.planted import BUGS

ROOT = Path(__file__).parents[2]
# Two thousand worlds: of the three services between a webhook and reserved stock, and of all seven,
# to the ledger, which hold the three as well and take some five times as long each.
SEEDS = 1_700
WHOLE_SEEDS = 300
BUG_SEEDS = 1_000
# The longest of all, so the first; a worker plays this file while others have what needs servers.
pytestmark = pytest.mark.timeout(2400)


@pytest.mark.parametrize(("seeds", "whole"), [(SEEDS, False), (WHOLE_SEEDS, True)])
def test_all_promises_are_kept_in_every_world(
    capsys: pytest.CaptureFixture[str], seeds: int, *, whole: bool
) -> None:
    def progress(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{line}")
            sys.stdout.flush()

    failed = play_all(seeds, progress, whole=whole)
    assert not failed, "\n".join(f"{one.broken}\n  replay: {one.replay}" for one in failed)


def test_every_planted_bug_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    found = search_all(list(BUGS), BUG_SEEDS)
    with capsys.disabled():
        for name, one in found.items():
            told = f"found at seed {one.seed}: {one.broken[:100]}" if one else "NOT FOUND"
            sys.stdout.write(f"\n{name}: {told}")
        sys.stdout.flush()
    assert len(found) >= 41
    assert not [name for name, one in found.items() if one is None]


@pytest.mark.parametrize(
    "arguments", [["7"], ["7", "--whole"], ["11", "--bug", "waiting-list-skipped"]]
)
def test_a_seed_gives_the_same_trace_in_every_process(arguments: list[str]) -> None:
    first, second = (_trace(arguments, hash_seed) for hash_seed in ("1", "2"))
    assert len(first.splitlines()) > 100
    assert first == second


def _trace(arguments: list[str], hash_seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments], cwd=ROOT, capture_output=True,
        text=True, check=False, env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stderr
    return done.stdout
