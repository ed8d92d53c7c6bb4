"""The watchdog: silence alone is told, silence with work before it ends the service."""

from collections.abc import Mapping

from libs.runtime.watching import HUNG, STILL, Watchdog
from libs.telemetry.pulse import Pulse


class Loops:
    def __init__(self) -> None:
        self.now, self.pulse = 1000.0, Pulse()
        self.pulse.at = 0.0
        self.waiting: Mapping[str, int] = {}
        self.asked = 0
        self.dog = Watchdog("orders", {"reactor": self.pulse}, self.behind, lambda: self.now)

    async def behind(self) -> Mapping[str, int]:
        self.asked += 1
        return self.waiting


async def test_a_loop_that_beats_is_ready_and_nobody_is_asked() -> None:
    loops = Loops()
    for _ in range(100):
        loops.now += 10
        loops.pulse.at = loops.now - 1
        assert loops.dog.still() == {}
        assert not await loops.dog.hung()
    assert loops.asked == 0


async def test_a_loop_that_has_not_begun_has_its_time() -> None:
    loops = Loops()
    loops.now += STILL - 1
    assert loops.dog.still() == {}
    loops.now += 2
    assert loops.dog.still() == {"reactor": STILL + 1}


async def test_silence_without_work_ends_nothing() -> None:
    loops = Loops()
    loops.now += HUNG + 1
    loops.waiting = {"reactor": 0}
    assert not await loops.dog.hung()
    assert loops.asked == 1


async def test_silence_with_work_before_it_ends_the_service() -> None:
    loops = Loops()
    loops.now += HUNG + 1
    loops.waiting = {"reactor": 3}
    await loops.dog.run()


async def test_a_loop_that_beats_even_when_idle_hangs_when_it_is_silent() -> None:
    loops = Loops()
    loops.now += HUNG + 1
    assert await loops.dog.hung()


async def test_a_loop_that_does_not_run_here_is_not_watched() -> None:
    loops = Loops()
    with loops.pulse:
        loops.pulse.at = 0.0
        loops.now += HUNG + 1
        assert await loops.dog.hung()
    assert loops.dog.still() == {}
    assert not await loops.dog.hung()
