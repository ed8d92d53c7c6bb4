"""The thin shell: gathers inputs, loads heads, takes the turn, commits, and repeats what must be.

Decides nothing itself. One loop per service and process; safety lies in what a commit checks.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import msgspec

from libs.eventsourcing.decided import Reply, Turn
from libs.eventsourcing.inputs import (
    Failure,
    FromApi,
    FromEffect,
    FromInbox,
    FromOperator,
    FromTimer,
    FromTopic,
    Head,
    Input,
)
from libs.eventsourcing.mind import Mind
from libs.eventsourcing.states import unpack
from libs.eventsourcing.turn import take_turn
from libs.runtime.leaving import NEWER, Leaving, queue_of
from libs.store.folding import Heads
from libs.store.pool import LOST, PASSING
from libs.store.store import Conflict, Fenced, Repeated, Settled, Store
from libs.telemetry.logs import log
from libs.telemetry.outage import Outage
from libs.telemetry.pulse import Pulse

LARGEST = 1000  # inputs per turn
BREATH = 0.002  # seconds gathered when a turn has just ended
PATIENCE = 60  # attempts of one batch before it is given back to its source
FENCED = "fenced"


@dataclass
class Outcome:
    """What became of inputs, by id: None for done, the reply to a caller, or FENCED for not here.

    `lanes` are the heads of the lanes that the turn wrote to.
    """

    by_id: dict[str, Reply | str | None] = field(default_factory=dict)
    lanes: Mapping[int, int] = field(default_factory=dict)


class TurnRunner:
    """Runs one batch of inputs to its end, through conflicts, fences and lost replies."""

    def __init__(
        self,
        mind: Mind,
        store: Store,
        clock: Callable[[], int],
        committed: Callable[[Turn, Mapping[int, int]], None],
        leaving: Leaving | None = None,
    ) -> None:
        self.mind, self.store, self.clock, self.committed = mind, store, clock, committed
        self.leaving = leaving or Leaving()
        self.pulse = Pulse()  # of the loop: an attempt that a server refuses is a round, too
        self.heads = Heads(mind, store)
        warned = partial(Outage, level=logging.WARNING, steady=0, service=mind.service)
        self._lost = warned("store-unreachable", "store-reached")
        self._passing = warned("turn-repeated", "turns-go-on")

    async def run(self, inputs: Sequence[Input]) -> Outcome:
        """Return when every input has taken effect, is fenced off, or is answered."""
        outcome, left = Outcome(), list(inputs)
        for attempt in range(PATIENCE):
            self.pulse.beat()
            if not left:
                return outcome
            if attempt:
                await asyncio.sleep(min(1.0, 0.005 * 2 ** min(attempt, 8)) * random.random())  # noqa: S311
            turn: Turn | None = None
            try:
                heads = await self.heads.load(s for given in left for s in given.streams())
                wanted, left = left, self._left(left, heads, outcome)
                if not left:
                    return outcome
                if len(left) < len(wanted):
                    heads = {name: heads[name] for given in left for name in given.streams()}
                turn = take_turn(self.mind, left, heads, self.clock())
                lanes = await self.store.commit(turn)
            except Conflict:
                self.heads.forget([*turn.heads, *turn.read] if turn else None)
            except (Fenced, Repeated, *LOST) as error:
                self.heads.forget()
                left = await self._unsettled(turn, left, outcome, error)
            except PASSING as error:
                self._passing.failed(error)
                self.heads.forget()
            except Exception as error:
                self.heads.forget()
                await self._one_by_one(left, outcome, error)
                return outcome
            else:
                self._done(turn, lanes, left, outcome)
                return outcome
        if not left:
            return outcome
        raise TimeoutError(f"{len(left)} inputs could not be committed in {PATIENCE} attempts")

    def _left(
        self, inputs: Sequence[Input], heads: Mapping[str, Head], outcome: Outcome
    ) -> list[Input]:
        """Return what is taken. What a newer release is to take is not for this process.

        A caller is told to come again.
        """
        taken, left = self.leaving.split(inputs, heads, time.monotonic())
        for given in left:
            text = "A newer release has taken this over: try again."
            told = Reply("", b"", "", 0, (), NEWER, text)
            outcome.by_id[given.id] = told if isinstance(given.origin, FromApi) else FENCED
            if isinstance(given.origin, FromOperator):
                outcome.by_id[f"operator/{given.origin.parked_id}"] = NEWER
        return taken

    def _done(
        self, turn: Turn, lanes: Mapping[int, int], left: Sequence[Input], outcome: Outcome
    ) -> None:
        self.heads.keep(turn.after)
        self._lost.went_well()
        self._passing.went_well()
        replies = {reply.key: reply for reply in turn.replies}
        for given in left:
            origin = given.origin
            outcome.by_id[given.id] = replies[origin.key] if isinstance(origin, FromApi) else None
        for parked_id, code in turn.operator.items():
            outcome.by_id[f"operator/{parked_id}"] = code
        outcome.lanes = lanes
        self.committed(turn, lanes)

    async def _unsettled(
        self, turn: Turn | None, left: list[Input], outcome: Outcome, error: BaseException
    ) -> list[Input]:
        """Ask which inputs have taken effect, note their ends, and return the others."""
        if turn is None:
            self._lost.failed(error)
            return left
        try:
            settled = await self.store.settled(turn)
        except (*LOST, *PASSING) as again:
            self._lost.failed(again)
            return left
        rest = []
        for given in left:
            end = _end(given, settled)
            if isinstance(end, bool):
                rest.append(given)
            else:
                outcome.by_id[given.id] = end
                if isinstance(given.origin, FromOperator):
                    outcome.by_id[f"operator/{given.origin.parked_id}"] = None
        return rest

    async def _one_by_one(self, left: Sequence[Input], outcome: Outcome, error: Exception) -> None:
        """Find the input on which the commit fails, and park it. Raises where even that fails."""
        log.error("commit-failed", cause=type(error).__name__, inputs=len(left))
        if len(left) > 1:
            stopped: set[str] = set()
            for given in left:
                await self._one(given, outcome, stopped)
            return
        (given,) = left
        if isinstance(given.origin, FromApi):
            outcome.by_id[given.id] = Reply("", b"", "", 0, (), "internal-error", "Not committed.")
            return
        if given.failure is not None:
            raise error
        failure = Failure("commit-failed", type(error).__name__, b"")
        outcome.by_id |= (await self.run([msgspec.structs.replace(given, failure=failure)])).by_id

    async def _one(self, given: Input, outcome: Outcome, stopped: set[str]) -> None:
        """Run one input of a batch; behind one that was left, or not redriven, its queue waits."""
        origin, queue = given.origin, queue_of(given)
        operator = f"operator/{origin.parked_id}" if isinstance(origin, FromOperator) else None
        if queue in stopped:
            outcome.by_id[operator or given.id] = "queued" if operator else FENCED
            return
        outcome.by_id |= (await self.run([given])).by_id
        if outcome.by_id[given.id] == FENCED or (operator and outcome.by_id[operator] is not None):
            stopped.add(queue)


def _end(given: Input, settled: Settled) -> Reply | str | bool | None:
    """Return how an input ended, or False where it has not taken effect."""
    match given.origin:
        case FromTopic(after=after):
            held = settled.positions.get((after.consumer, after.topic, after.partition))
            if held is None or held.epoch != after.epoch:
                return FENCED
            return None if held.applied >= after.applied else False
        case FromApi(key=key):
            stored = settled.replies.get(key)
            return unpack(Reply, stored.reply) if stored else False
        case FromInbox(seq=seq):
            return None if seq in settled.inbox else False
        case FromTimer(id=timer):
            return None if timer in settled.timers else False
        case FromEffect(id=effect, token=token):
            return None if (effect, token) in settled.effects else False
        case FromOperator(parked_id=parked_id):
            return None if parked_id in settled.unparked else False


class TurnLoop:
    """Puts what arrives from all sources into one turn after the other."""

    def __init__(self, runner: TurnRunner, observe: Callable[[int, float], None]) -> None:
        self.runner, self.observe = runner, observe
        self._waiting: list[tuple[Sequence[Input], asyncio.Future[Outcome]]] = []
        self._ready = asyncio.Event()
        self.pulse = runner.pulse

    async def settle(self, inputs: Sequence[Input]) -> Outcome:
        """Give inputs to the next turn and return what became of them."""
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((inputs, done))
        self._ready.set()
        return await done

    async def run(self) -> None:
        """Take turns until cancelled; whoever waits then is told."""
        loop = asyncio.get_running_loop()
        ended = 0.0
        try:
            with self.pulse:
                while True:
                    self.pulse.beat()
                    try:
                        await asyncio.wait_for(self._ready.wait(), 5)
                    except TimeoutError:
                        continue
                    await asyncio.sleep(BREATH if loop.time() - ended < 2 * BREATH else 0)
                    groups = self._take()
                    began = loop.time()
                    await self._turn(groups)
                    ended = loop.time()
                    self.observe(sum(len(inputs) for inputs, _ in groups), ended - began)
        finally:
            for _, done in self._waiting:
                done.cancel()

    def _take(self) -> list[tuple[Sequence[Input], asyncio.Future[Outcome]]]:
        """Take groups up to the size of a turn; of two callers with one key the second waits."""
        taken: list[tuple[Sequence[Input], asyncio.Future[Outcome]]] = []
        left: list[tuple[Sequence[Input], asyncio.Future[Outcome]]] = []
        size, ids, rest = 0, set[str](), iter(self._waiting)
        for group in rest:
            inputs, done = group
            if done.cancelled():
                continue
            if taken and size + len(inputs) > LARGEST:
                left.append(group)
                break
            names = [given.id for given in inputs]
            if not ids.isdisjoint(names):
                left.append(group)
                continue
            taken.append(group)
            ids.update(names)
            size += len(inputs)
        self._waiting = left = [*left, *rest]
        if not left:
            self._ready.clear()
        return taken

    async def _turn(
        self, groups: Sequence[tuple[Sequence[Input], asyncio.Future[Outcome]]]
    ) -> None:
        try:
            outcome = await self.runner.run([given for inputs, _ in groups for given in inputs])
        except asyncio.CancelledError:
            for _, done in groups:
                done.cancel()
            raise
        except Exception as error:
            log.error("turn-failed", cause=type(error).__name__)
            for _, done in groups:
                if not done.done():
                    done.set_exception(error)
            return
        for _, done in groups:
            if not done.done():
                done.set_result(outcome)
