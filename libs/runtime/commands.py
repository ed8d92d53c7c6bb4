"""The way in for a caller's commands: one key, one answer, whatever happens in between."""

import hashlib
from typing import Any

from libs.eventsourcing.decided import Reply
from libs.eventsourcing.decider import Refused
from libs.eventsourcing.inputs import FromApi, Input
from libs.eventsourcing.names import nameable
from libs.eventsourcing.states import unpack
from libs.runtime.leaving import NEWER
from libs.runtime.ports import Answer
from libs.runtime.turns import TurnLoop
from libs.store.store import Store
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

    def __init__(self, service: str, loop: TurnLoop, store: Store) -> None:
        self.service, self.loop, self.store = service, loop, store

    async def execute(
        self, stream: str, command: Any, *, key: str, request: bytes, trace: str = ""
    ) -> Answer:
        """Decide the command and answer when it is committed.

        Raises KeyReused, or Refused with the decider's code. A fault of ours is `internal-error`,
        what a newer release has to decide `newer-release`; neither is kept: the same key may be
        tried again.
        """
        if not nameable(key):
            raise Refused(
                "bad-idempotency-key", "The Idempotency-Key is empty, too long or no text."
            )
        digest = hashlib.sha256(request).digest()
        cause = derive(self.service, "command", key)
        given = Input(FromApi(key, digest), f"command/{key}", f"command/{key}", cause, cause, trace,
                      work=((stream, command),))  # fmt: skip
        outcome = await self.loop.settle([given])
        reply = outcome.by_id[given.id]
        assert isinstance(reply, Reply)
        if not reply.request_hash:
            # A fault of today does not hide the answer that was given under the key.
            stored = (await self.store.replies([key])).get(key)
            reply = unpack(Reply, stored.reply) if stored else reply
        if reply.request_hash and reply.request_hash != digest:
            raise KeyReused
        if reply.refused is not None:
            told = reply.request_hash or reply.refused == NEWER
            code = reply.refused if told else "internal-error"
            raise Refused(code, reply.message, **reply.details)
        lane = lane_of(reply.stream)
        head = outcome.lanes.get(lane) if reply.events else None
        if head is None:  # asked for behind the commit: a repeated answer's token is not too small
            head = await self.store.lane_head(lane)
        return Answer(reply.stream, reply.version, reply.events, f"{self.service}:{lane}:{head}")
