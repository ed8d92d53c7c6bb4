"""The reactor: takes batches from the topics, gives them to the turn, and keeps its positions."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from libs.bus.consumer import Source
from libs.bus.pace import Pace
from libs.bus.records import Place, Record
from libs.eventsourcing.inputs import FromTopic, Input, Position
from libs.runtime.interpret import Interpreter
from libs.runtime.turns import FENCED, TurnLoop
from libs.telemetry.outage import Outage
from libs.telemetry.pulse import Pulse

BATCH = 1000
Seal = Callable[[str, bytes], Awaitable[bytes]]


class Reactor:
    """Reacts to other services' facts for one service."""

    def __init__(
        self, source: Source, interpreter: Interpreter, loop: TurnLoop, seal: Seal
    ) -> None:
        self.source, self.interpreter, self.loop, self.seal = source, interpreter, loop, seal
        self.pulse = Pulse()
        self._pace = Pace(source.tempo)
        self._outage = Outage("reactor-failed", "reactor-goes-on", consumer=source.consumer)
        self.halted: set[tuple[str, int]] = set()

    async def run(self) -> None:
        """Run until cancelled."""
        failed = False
        with self.pulse:
            while True:
                self.pulse.beat()
                try:
                    if failed:
                        await self.source.restart()
                    failed = False
                    await self.step()
                    self._outage.went_well()
                except Exception as error:
                    failed = True
                    await asyncio.sleep(self._outage.failed(error))

    async def step(self) -> None:
        """Take what has arrived, give it to a turn, and wait until it has taken effect."""
        await self._pace.rest()
        records = await self.source.get(BATCH)
        if not records:
            return
        self._pace.began()
        inputs = await self._inputs(records)
        with self.pulse.away():
            outcome = await self.loop.settle(inputs)
        self._pace.ended(self.source.read)
        applied: dict[Place, Position] = {}
        fenced: set[Place] = set()
        for given in inputs:
            assert isinstance(given.origin, FromTopic)
            after = given.origin.after
            place = (after.topic, after.partition)
            if outcome.by_id[given.id] == FENCED:
                fenced.add(place)
            elif place not in fenced:
                applied[place] = after
        for after in applied.values():
            self.source.applied(after)
        if fenced:
            await self.source.fenced(fenced)

    async def _inputs(self, records: Sequence[Record]) -> list[Input]:
        inputs = []
        for record in records:
            given = self.interpreter.read(record)
            if given.failure is not None:
                given = await self._sealed(given, record)
            inputs.append(given)
        return inputs

    async def _sealed(self, given: Input, record: Record) -> Input:
        """Seal what could not be understood: nobody knows what is in it."""
        assert given.failure is not None
        raw = await self.seal(given.intake, msgspec.msgpack.encode(record))
        failure = msgspec.structs.replace(given.failure, raw=raw)
        return msgspec.structs.replace(given, failure=failure)
