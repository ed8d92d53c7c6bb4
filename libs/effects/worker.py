"""Does what was planned: claims effects, calls the outside, and gives each result to a turn.

Holds no truth: whatever it has in hand when it dies is claimed again when the lease ends, as one
that may have taken effect.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from libs.effects.budget import Budget
from libs.effects.kinds import Closing, EffectKind, NotYet, Result, Unknown
from libs.effects.policy import FINAL, QUEUED, Step, step, verdict
from libs.eventsourcing.inputs import Input
from libs.runtime.turns import FENCED, TurnLoop
from libs.store.store import Call, Store
from libs.telemetry.logs import log
from libs.telemetry.outage import Outage
from libs.telemetry.pulse import Pulse
from libs.telemetry.spans import OFF, Spans
from libs.telemetry.tracing import trace_id
from libs.values.ids import derive

AT_ONCE = 256  # calls of one provider: its budget is what limits them, not our slowness
IDLE = 1.0  # seconds between looks when nobody pokes
HELD = 5  # attempts after which one that came to nothing is in the log
AGAIN = 1.0  # seconds until a result that nobody could take is offered again
SECOND = 1_000_000  # microseconds


class EffectWorker:
    """Performs the effects of one service; several may run, each effect is claimed by one."""

    def __init__(
        self,
        service: str,
        store: Store,
        kinds: Sequence[EffectKind],
        loop: TurnLoop,
        clock: Callable[[], int],
        spans: Spans = OFF,
    ) -> None:
        self.service, self.store, self.loop, self.clock = service, store, loop, clock
        self.spans = spans
        self.kinds: Mapping[str, EffectKind] = {kind.name: kind for kind in kinds}
        self.budgets = {kind.provider: Budget(kind.per_second, kind.burst) for kind in kinds}
        self.running: dict[asyncio.Task[None], str] = {}
        self.fresh = asyncio.Event()
        self._beginning = asyncio.Lock()
        self._draining = False
        self.pulse = Pulse()
        self._outage = Outage("effects-failed", "effects-go-on", service=service)

    def poke(self) -> None:
        """Say that effects were planned."""
        self.fresh.set()

    async def run(self) -> None:
        """Run until cancelled; calls that are under way then are left to `drain`."""
        with self.pulse:
            while True:
                self.fresh.clear()
                try:
                    while await self.step():
                        pass
                    self._outage.went_well()
                except Exception as error:
                    await asyncio.sleep(self._outage.failed(error))
                try:
                    await asyncio.wait_for(self.fresh.wait(), IDLE)
                except TimeoutError:
                    continue

    async def step(self) -> int:
        """Begin what may be tried now, within each provider's budget; how many calls."""
        self.pulse.beat()
        async with self._beginning:
            return 0 if self._draining else await self._begin()

    async def _begin(self) -> int:
        begun = 0
        for provider, budget in self.budgets.items():
            kinds = [kind for kind in self.kinds.values() if kind.provider == provider]
            busy = sum(name == provider for name in self.running.values())
            room = min(budget.available(asyncio.get_running_loop().time()), AT_ONCE - busy)
            if room <= 0:
                continue
            now = self.clock()
            # Twice the time that a call may take: it is not begun in the second half.
            lease_till = now + int(2 * SECOND * max(kind.timeout for kind in kinds)) + SECOND
            names = [kind.name for kind in kinds]
            for call in await self.store.claim_effects(names, now, lease_till, room):
                budget.spend(1)
                begun += 1
                task = asyncio.create_task(self._attempt(self.kinds[call.kind], call, lease_till))
                self.running[task] = provider
                task.add_done_callback(self._ended)
        return begun

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.running.pop(task, None)
        self.fresh.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("effect-result-lost", cause=type(error).__name__)

    async def _attempt(self, kind: EffectKind, call: Call, lease_till: int) -> None:
        taken = step(kind, call, self.clock())
        if self.clock() + int(kind.timeout * SECOND) > lease_till:
            return  # paused for too long: whoever claims it next decides
        began = self.spans.now()
        result = await self._result(kind, call, taken)
        if isinstance(result, NotYet) and result.after is not None and not kind.several:
            now = asyncio.get_running_loop().time()
            self.budgets[kind.provider].pause(now, result.after / SECOND)
        given = self._input(kind, call, taken, result)
        if taken != "queue":
            title = f"{taken} {kind.name}"
            self.spans.called(given, title, kind.provider, call.attempt, began)
        await self._settle(given, lease_till)

    async def _settle(self, given: Input, lease_till: int) -> None:
        """Have a result recorded.

        One that is left to a newer release is offered again while the effect is ours: that one
        finds out for itself then, or there is none and it is parked.
        """
        while (await self.loop.settle([given])).by_id[given.id] == FENCED:
            if self._draining or self.clock() > lease_till:
                return
            await asyncio.sleep(AGAIN)

    async def _result(self, kind: EffectKind, call: Call, taken: Step) -> Result:
        if taken == "queue":
            return Unknown("in-doubt" if call.doubt_since else "attempts-used-up")
        work = kind.adapter.perform if taken == "perform" else kind.adapter.ask
        try:
            async with asyncio.timeout(kind.timeout):
                return await work(call)
        except TimeoutError:
            return Unknown("timeout")
        except Exception as error:
            log.error("effect-failed", kind=kind.name, cause=type(error).__name__, effect=call.id,
                      trace=trace_id(call.trace))  # fmt: skip
            return Unknown("fault")

    def _input(self, kind: EffectKind, call: Call, taken: Step, result: Result) -> Input:
        now = self.clock()
        done = verdict(kind, call, taken, result, now)
        command: Any = None
        if done.state in FINAL or (done.state == "unknown" and not call.doubt_since):
            # Nobody tries it any more: that is told, not what the last attempt happened to meet.
            over = done.state == QUEUED and taken != "queue"
            try:
                command = kind.tell(call, Unknown("in-doubt") if over else result, now)
            except Exception as error:
                # A result that nobody understands is not thrown away: it is asked for again.
                log.error("effect-not-told", kind=kind.name, cause=type(error).__name__)
                done = verdict(kind, call, taken, Unknown("result-not-understood"), now)
        cause = call.cause or derive(self.service, "effect", call.id)
        # What is held for half a minute is told each time: a key that is refused, nobody reached.
        held = done.state == "planned" and call.attempt > HELD
        if held or done.state in {"rejected", "unknown", "queued"}:
            log.warning(
                "effect-not-done", effect=call.id, kind=kind.name, state=done.state,
                code=done.error, attempt=call.attempt, trace=trace_id(call.trace),
            )  # fmt: skip
        return Input(
            done, f"effect/{call.id}/{call.token}", f"effect/{call.id}", cause,
            call.correlation or cause, call.trace,
            work=() if command is None else ((call.stream, command),),
        )  # fmt: skip

    async def drain(self, seconds: float) -> None:
        """Begin no more, and wait for calls under way.

        What is not back then is in doubt when the lease ends.
        """
        self._draining = True
        async with self._beginning:  # what has just been claimed is begun, and waited for
            pass
        if self.running:
            await asyncio.wait(list(self.running), timeout=seconds)
        cut = list(self.running)
        for task in cut:
            task.cancel()
        await asyncio.gather(*cut, return_exceptions=True)

    async def close(self) -> None:
        """Give back what adapters keep open, once nothing is under way."""
        for kind in self.kinds.values():
            if isinstance(kind.adapter, Closing):
                await kind.adapter.close()
