"""When a partition with a missing number is read again, and that each reading comes to its end."""

from libs.bus.gaps import FIRST, LAST, Gaps

PLACE = ("toy.events", 3)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def gap() -> tuple[Gaps, Clock]:
    clock = Clock()
    gaps = Gaps(clock)
    assert gaps.gap(PLACE)
    assert not gaps.gap(PLACE)
    return gaps, clock


def test_a_gap_is_looked_for_again_the_more_rarely_the_longer_it_lasts() -> None:
    gaps, clock = gap()
    pauses = []
    for _ in range(9):
        waited = 0.0
        while not gaps.due({PLACE: 10}):
            clock.now += 0.5
            waited += 0.5
        pauses.append(waited)
        assert not gaps.due({PLACE: 10})  # back where it began
    assert pauses[:4] == [FIRST, 2 * FIRST, 4 * FIRST, 8 * FIRST]
    assert pauses[-1] == LAST


def test_no_look_begins_before_the_one_before_it_is_back() -> None:
    gaps, clock = gap()
    clock.now += FIRST
    assert gaps.due({PLACE: 1000}) == [PLACE]
    for offset in range(0, 1000, 100):
        clock.now += LAST
        assert gaps.due({PLACE: offset}) == []
    assert gaps.due({PLACE: 1000}) == []
    clock.now += 2 * FIRST
    assert gaps.due({PLACE: 1000}) == [PLACE]


def test_what_is_not_held_or_is_filled_is_not_looked_for() -> None:
    gaps, clock = gap()
    clock.now += LAST
    assert gaps.due({}) == []
    gaps.filled(PLACE)
    assert gaps.due({PLACE: 1000}) == []
