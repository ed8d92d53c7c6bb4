"""The way in for a caller's commands: one key, one answer, whatever happens in between."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from libs.eventsourcing.decided import Recorded, Reply
from libs.eventsourcing.decider import Refused
from libs.eventsourcing.inputs import FromApi, Input
from libs.eventsourcing.names import nameable
from libs.eventsourcing.states import unpack
from libs.runtime.leaving import NEWER
from libs.runtime.ports import Answer, Told
from libs.runtime.turns import TurnLoop
from libs.store.store import Store
from libs.telemetry.spans import OFF, Spans
from libs.values.ids import derive
from libs.values.lanes import lane_of


class KeyReused(Refused):
    """The idempotency key stands for another request."""

    def __init__(self) -> None:
        super().__init__(
            "idempotency-key-reused", "This Idempotency-Key was used for another request."
        )


class TurnCommands:
    """Puts commands into the turn and gives the stored answer."""

    def __init__(self, service: str, loop: TurnLoop, store: Store, spans: Spans = OFF) -> None:
        self.service, self.loop, self.store, self.spans = service, loop, store, spans

    async def execute(
        self, stream: str, command: Any, *, key: str, request: bytes, trace: str = "",
        also: Sequence[Told] = (),
    ) -> Answer:  # fmt: skip
        """Decide the command and answer when it is committed; with those in `also`, all or none.

        Raises KeyReused, or Refused with the decider's code. A fault of ours is `internal-error`,
        what a newer release has to decide `newer-release`; neither is kept: the same key may be
        tried again.
        """
        digest = _digest(key, request)
        cause = derive(self.service, "command", key)
        given = Input(FromApi(key, digest), f"command/{key}", f"command/{key}", cause, cause, trace,
                      work=((stream, command), *also))  # fmt: skip
        began = self.spans.now()
        outcome = await self.loop.settle([given])
        reply = outcome.by_id[given.id]
        assert isinstance(reply, Reply)
        self.spans.commanded(given, reply, began)
        if not reply.request_hash:
            # A fault of today does not hide the answer that was given under the key.
            reply = await self._stored(key) or reply
        return await self._told(reply, digest, outcome.lanes)

    async def known(self, key: str, request: bytes) -> Answer | None:
        """Return the answer that is stored under the key, None where there is none.

        Raises as `execute` does.
        """
        digest = _digest(key, request)
        reply = await self._stored(key)
        return None if reply is None else await self._told(reply, digest, {})

    async def _stored(self, key: str) -> Reply | None:
        stored = (await self.store.replies([key])).get(key)
        return None if stored is None else unpack(Reply, stored.reply)

    async def _told(self, reply: Reply, digest: bytes, lanes: Mapping[int, int]) -> Answer:
        if reply.request_hash and reply.request_hash != digest:
            raise KeyReused
        if reply.refused is not None:
            told = reply.request_hash or reply.refused == NEWER
            code = reply.refused if told else "internal-error"
            raise Refused(code, reply.message, **reply.details)
        also = [await self._recorded(one, lanes) for one in reply.also]
        first = await self._recorded(Recorded(reply.stream, reply.version, reply.events), lanes)
        return msgspec.structs.replace(first, also=tuple(also))

    async def _recorded(self, one: Recorded, lanes: Mapping[int, int]) -> Answer:
        lane = lane_of(one.stream)
        head = lanes.get(lane) if one.events else None
        if head is None:  # asked for behind the commit: a repeated answer's token is not too small
            head = await self.store.lane_head(lane)
        return Answer(one.stream, one.version, one.events, f"{self.service}:{lane}:{head}")


def _digest(key: str, request: bytes) -> bytes:
    """Return what a request is known by. Raises Refused for a key that the store cannot hold."""
    if not nameable(key):
        raise Refused("bad-idempotency-key", "The Idempotency-Key is empty, too long or no text.")
    return hashlib.sha256(request).digest()
