"""A loop rests as long as a batch took: never where it is idle, never behind a large one."""

from libs.bus.pace import CALM, Pace, Tempo


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def behind(
    took: float, *, most: float = 1.0, times: float = 1, records: int = 1
) -> tuple[Pace, Clock]:
    """A pace behind a batch that took so many seconds."""
    clock = Clock()
    pace = Pace(Tempo(times, most, 100), clock)
    pace.began()
    clock.now += took
    pace.ended(records)
    return pace, clock


def test_the_first_batch_is_taken_at_once() -> None:
    assert Pace(CALM, Clock()).early() == 0


def test_a_rest_is_as_long_as_the_batch_was() -> None:
    pace, clock = behind(0.25)
    assert pace.early() == 0.25
    clock.now += 0.125
    assert pace.early() == 0.125
    clock.now += 0.25
    assert pace.early() == 0


def test_a_long_batch_is_followed_by_the_longest_rest() -> None:
    assert behind(30, most=0.5)[0].early() == 0.5


def test_nobody_rests_behind_a_large_batch() -> None:
    assert behind(0.25, records=99)[0].early() == 0.25
    assert behind(0.25, records=100)[0].early() == 0


def test_who_is_calm_rests_many_times_as_long() -> None:
    assert behind(0.0625, times=8)[0].early() == 0.5
