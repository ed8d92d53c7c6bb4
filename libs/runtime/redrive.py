"""What a person does with parked commands: try them again in order, or give one up."""

from collections.abc import Sequence
from typing import Any

import msgspec

from libs.bus.records import Record
from libs.eventsourcing.decided import Parked
from libs.eventsourcing.inputs import Failure, FromOperator, Input
from libs.eventsourcing.mind import Mind
from libs.eventsourcing.states import unpack
from libs.runtime.interpret import Interpreter
from libs.runtime.timers import TIMERS
from libs.runtime.turns import TurnLoop
from libs.security.vault.sealing import decode_sealed
from libs.security.vault.vault import Vault
from libs.store.store import Store
from libs.values.ids import category, derive

LIMIT = 500


class Redriven(msgspec.Struct, frozen=True):
    """What became of a parked command: `code` is None where it was applied or given up."""

    id: str
    stream: str
    source: str
    code: str | None


class ParkedWork:
    """Parked commands and inputs of one service."""

    def __init__(
        self, mind: Mind, store: Store, loop: TurnLoop, interpreter: Interpreter, vault: Vault
    ) -> None:
        self.mind, self.store, self.loop = mind, store, loop
        self.interpreter, self.vault = interpreter, vault

    async def redrive(self, stream: str, source: str, by: str) -> Sequence[Redriven]:
        """Try all that is parked for a stream and source again, up to the first failure.

        What the source has sent meanwhile is parked behind the others, and tried with them.
        """
        told: list[Redriven] = []
        tried: set[tuple[str, int]] = set()
        while all(one.code is None for one in told):
            parked = [
                item
                for item in await self.store.parked(stream, source, LIMIT)
                if (item.input_id, item.work) not in tried
            ]
            if not parked:
                break
            for item in parked:
                tried.add((item.input_id, item.work))
                if item.stream.startswith("intake-inbox/"):
                    await self.store.reopen(item.input_id)
            told += await self._settle(parked, [await self._again(item, by) for item in parked])
        return told

    async def discard(
        self, parked_id: str, stream: str, source: str, by: str, reason: str
    ) -> Sequence[Redriven]:
        """Give up one parked command; the reason stands in the stream for ever."""
        parked = [p for p in await self.store.parked(stream, source, LIMIT) if p.id == parked_id]
        inputs = [self._input(item, by, (), reason) for item in parked]
        return await self._settle(parked, inputs)

    async def _settle(
        self, parked: Sequence[Parked], inputs: Sequence[Input]
    ) -> Sequence[Redriven]:
        outcome = await self.loop.settle(inputs)
        codes = [outcome.by_id.get(f"operator/{item.id}") for item in parked]
        return [
            Redriven(item.id, item.stream, item.source, code if isinstance(code, str) else None)
            for item, code in zip(parked, codes, strict=True)
        ]

    async def _again(self, item: Parked, by: str) -> Input:
        try:
            return await self._understood(item, by)
        except Exception as error:
            failure = Failure("undecodable", type(error).__name__, b"")
            return msgspec.structs.replace(self._input(item, by, ()), failure=failure)

    async def _understood(self, item: Parked, by: str) -> Input:
        if item.stream.startswith("intake-inbox/"):
            return self._input(item, by, ())  # its delivery has been opened again
        if item.stream == TIMERS and item.raw:
            return self._input(item, by, (self._aside(item.raw),))
        if item.raw:
            return await self._reread(item, by)
        if item.command is None:
            failure = Failure("not-redrivable", "", b"")
            return msgspec.structs.replace(self._input(item, by, ()), failure=failure)
        if category(item.stream) == "intake":
            return self._input(item, by, (self._aside(item.command),))
        return self._input(item, by, ((item.stream, self._unpack(item.stream, item.command)),))

    def _aside(self, kept: bytes) -> tuple[str, Any]:
        stream, command = msgspec.msgpack.decode(kept, type=tuple[str, bytes])
        return stream, self._unpack(stream, command)

    async def _reread(self, item: Parked, by: str) -> Input:
        """Understand a parked record once more, with the code of today."""
        assert item.raw is not None
        plain = await self.vault.open(decode_sealed(item.raw), item.stream)
        record = msgspec.msgpack.decode(plain, type=Record)
        told = self.interpreter.read(record)
        given = self._input(item, by, told.work)
        return msgspec.structs.replace(given, failure=told.failure)

    def _unpack(self, stream: str, command: bytes) -> Any:
        return unpack(self.mind.deciders[category(stream)].commands, command)

    def _input(
        self, item: Parked, by: str, work: tuple[tuple[str, Any], ...], discard: str | None = None
    ) -> Input:
        cause = derive(self.mind.service, "operator", item.id)
        return Input(FromOperator(item.id, item.stream, item.source, by, discard), item.input_id,
                     item.source, item.cause or cause, item.correlation, item.trace, work=work,
                     first_work=item.work, history=item.history)  # fmt: skip
