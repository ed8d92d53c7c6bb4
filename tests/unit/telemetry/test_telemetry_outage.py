"""What a loop says of a server that is away: few lines, and how it comes back soon."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from libs.telemetry.outage import LATE, SELDOM, SOON, STEADY, TOLD, Outage

HOUR = 3600.0


class Watch:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def lines() -> Iterator[list[EventDict]]:
    with capture_logs() as found:
        yield found


def _outage(watch: Watch, steady: float = STEADY) -> Outage:
    return Outage(
        "it-fails", "it-goes-on", steady=steady, clock=watch, chance=lambda: 1.0, what="it"
    )


def _lasts(outage: Outage, watch: Watch, seconds: float) -> None:
    end = watch.now + seconds
    while watch.now < end:
        watch.now += outage.failed(ConnectionRefusedError())


def test_an_hour_without_a_server_is_a_few_lines_ever_farther_apart(lines: list[EventDict]) -> None:
    watch = Watch()
    _lasts(_outage(watch), watch, HOUR)
    told = [line["seconds"] for line in lines]
    apart = [after - before for before, after in pairwise(told)]
    assert told[0] == 0
    assert apart == sorted(apart)
    assert apart[0] >= TOLD
    assert apart[-1] < SELDOM + 2 * LATE
    assert len(told) < 10


def test_the_line_names_what_fails_why_how_often_and_for_how_long(lines: list[EventDict]) -> None:
    watch = Watch()
    outage = _outage(watch)
    outage.failed(ConnectionRefusedError())
    watch.now += TOLD
    outage.failed(OSError())
    first, second = lines
    assert first == {
        "event": "it-fails", "log_level": "error", "what": "it", "count": 1, "seconds": 0,
        "cause": "ConnectionRefusedError",
    }  # fmt: skip
    assert (second["cause"], second["count"], second["seconds"]) == ("OSError", 2, TOLD)


def test_the_first_tries_are_soon_and_none_is_far(lines: list[EventDict]) -> None:
    watch = Watch()
    outage = _outage(watch)
    pauses = [outage.failed(OSError()) for _ in range(2000)]
    assert pauses[0] == SOON
    assert pauses == sorted(pauses)
    assert pauses[-1] == LATE
    assert len(lines) == 1


def test_two_that_fail_together_do_not_try_again_together() -> None:
    watch = Watch()
    early = Outage("a", "b", clock=watch, chance=lambda: 0.0)
    late = Outage("a", "b", clock=watch, chance=lambda: 1.0)
    for _ in range(20):
        assert 0 < early.failed(OSError()) < late.failed(OSError())


def test_what_goes_on_says_so_once_and_begins_anew(lines: list[EventDict]) -> None:
    watch = Watch()
    outage = _outage(watch)
    _lasts(outage, watch, 30)
    watch.now += STEADY
    outage.went_well()
    outage.went_well()
    assert outage.failed(OSError()) == SOON
    assert [line["event"] for line in lines] == ["it-fails", "it-goes-on", "it-fails"]
    assert lines[1]["log_level"] == "info"


def test_a_round_that_goes_well_between_failures_says_nothing(lines: list[EventDict]) -> None:
    watch = Watch()
    outage = _outage(watch)
    for _ in range(50):
        outage.failed(OSError())
        watch.now += STEADY / 2
        outage.went_well()
    assert [line["event"] for line in lines if line["event"] == "it-goes-on"] == []
    assert len(lines) == 2


def test_one_whose_success_is_the_proof_goes_on_at_once(lines: list[EventDict]) -> None:
    outage = _outage(Watch(), steady=0)
    outage.failed(OSError())
    outage.went_well()
    assert [line["event"] for line in lines] == ["it-fails", "it-goes-on"]


def test_where_nothing_failed_nothing_is_said(lines: list[EventDict]) -> None:
    outage = _outage(Watch())
    outage.went_well()
    assert lines == []
