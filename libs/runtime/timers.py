"""Timers: a command is due when its time has come and what was in the topics is applied."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from libs.codec.errors import UNKNOWN, CodecError
from libs.eventsourcing.inputs import Failure, FromTimer, Input
from libs.eventsourcing.mind import Mind
from libs.eventsourcing.states import unpack
from libs.runtime.turns import FENCED, TurnLoop
from libs.store.store import DueTimer, Store
from libs.telemetry.logs import log
from libs.telemetry.outage import Outage
from libs.telemetry.pulse import Pulse
from libs.values.ids import category, derive

EVERY = 0.5  # seconds
BATCH = 200
TIMERS = "intake-timers"  # the stream where unreadable timers are parked
Ends = Mapping[tuple[str, int], int]


def timer_input(mind: Mind, timer: DueTimer, acts_from: int = 0) -> Input:
    """Return the input that a due timer is; one that cannot be read is parked, not in the way.

    What was due before `acts_from` (microseconds) belongs to the time before the service.
    """
    name, cause = f"timer/{timer.id}", timer.cause or derive(mind.service, "timer", timer.id)
    given = Input(FromTimer(timer.id), name, name, cause, timer.correlation or cause, timer.trace,
                  history=timer.due < acts_from)  # fmt: skip
    try:
        command = unpack(mind.deciders[category(timer.stream)].commands, timer.command)
    except Exception as error:
        raw = msgspec.msgpack.encode((timer.stream, timer.command))
        failure = Failure(_code(error), type(error).__name__, raw)
        return msgspec.structs.replace(given, intake=TIMERS, failure=failure)
    return msgspec.structs.replace(given, work=((timer.stream, command),))


def _code(error: Exception) -> str:
    """Say whether a newer release has set the timer: a stream or a command that is not known here.

    Bytes that are damaged are nobody's.
    """
    unknown = isinstance(error, KeyError | msgspec.ValidationError)
    return UNKNOWN if unknown else CodecError.code


class TimerPump:
    """Fires due timers behind a barrier.

    `ends` tells the end offsets of the topics that the service reacts to, `applied` how far the
    service has applied them: a payment that waited in a topic when its hold ended comes first.
    """

    def __init__(
        self,
        mind: Mind,
        store: Store,
        loop: TurnLoop,
        clock: Callable[[], int],
        ends: Callable[[], Awaitable[Ends]],
        applied: Callable[[], Awaitable[Ends]],
        acts_from: int = 0,
    ) -> None:
        self.mind, self.store, self.loop, self.clock = mind, store, loop, clock
        self.ends, self.applied, self.acts_from = ends, applied, acts_from
        self.pulse = Pulse()
        self._outage = Outage("timers-failed", "timers-go-on", service=mind.service)

    async def run(self) -> None:
        """Run until cancelled."""
        with self.pulse:
            while True:
                try:
                    while await self.step():
                        pass
                    self._outage.went_well()
                except Exception as error:
                    await asyncio.sleep(self._outage.failed(error))
                await asyncio.sleep(EVERY)

    async def step(self) -> bool:
        """Fire the timers that are due now; False if none was, or the barrier is not reached."""
        self.pulse.beat()
        due = await self.store.due(self.clock(), BATCH)
        if not due or not await self._reached(await self.ends()):
            return False
        with self.pulse.away():
            outcome = await self.loop.settle(self._inputs(due))
        return len(due) == BATCH and FENCED not in outcome.by_id.values()

    def _inputs(self, due: Sequence[DueTimer]) -> list[Input]:
        return [timer_input(self.mind, timer, self.acts_from) for timer in due]

    async def _reached(self, barrier: Ends, seconds: float = 30.0) -> bool:
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            applied = await self.applied()
            if all(applied.get(place, 0) >= end for place, end in barrier.items()):
                return True
            if asyncio.get_running_loop().time() > deadline:
                log.warning("timers-wait", what="inputs that were there before are not applied yet")
                return False
            await asyncio.sleep(0.05)
