"""The inbox: deliveries are sealed and kept, then acknowledged, then understood."""

import asyncio
import os
from collections.abc import Callable, Sequence

import msgspec

from libs.bus.pace import Pace
from libs.codec.errors import CodecError
from libs.eventsourcing.decider import Refused
from libs.eventsourcing.inputs import Failure, FromInbox, Input
from libs.eventsourcing.names import nameable
from libs.replay.rows import OtherVersion
from libs.runtime.ports import InboxRow, Intake, Interpreted
from libs.runtime.turns import FENCED, TurnLoop
from libs.security.vault.sealing import decode_sealed, seal
from libs.security.vault.vault import Vault, inbox_day
from libs.store.pool import LOST, PASSING
from libs.store.store import Delivery, Store
from libs.telemetry.logs import log
from libs.telemetry.outage import Outage
from libs.telemetry.pulse import Pulse
from libs.telemetry.spans import OFF, Spans
from libs.values.ids import derive

BATCH = 250
LATER = (*PASSING, *LOST, OtherVersion)
SOONEST, LATEST = 500_000, 10_000_000  # microseconds until a delivery is taken again
AGAIN = 0.5  # seconds until rows that are being rebuilt are looked for again
IDLE = 0.25  # seconds between looks at the inbox when nobody pokes


class StoreInbox:
    """Accepts deliveries; those that arrive together share a commit."""

    def __init__(self, service: str, store: Store, vault: Vault, clock: Callable[[], int]) -> None:
        self.service, self.store, self.vault, self.clock = service, store, vault, clock
        self.fresh = asyncio.Event()
        self._waiting: list[tuple[Delivery, asyncio.Future[int | None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def accept(
        self, *, provider: str, account: str, key: str, topic: str, body: bytes, trace: str
    ) -> int | None:
        """Seal and store a delivery; once it is committed, None, or when its key first came."""
        if not nameable(key):
            raise Refused("bad-delivery-key", "The delivery's key is empty, too long or no text.")
        at = self.clock()
        sealed = await self.sealed(f"{provider}/{account}", body, at)
        done: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        delivery = Delivery(provider, account, key, topic, at, sealed, trace)
        self._waiting.append((delivery, done))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        return await done

    async def sealed(self, field: str, body: bytes, at: int) -> bytes:
        """Seal bytes under the key of the day."""
        subject = inbox_day(self.service, at)
        keys = await self.vault.keys_for([(subject, "inbox")])
        return msgspec.msgpack.encode(seal(keys[subject, "inbox"], field, body, os.urandom(12)))

    async def _write(self) -> None:
        """Write whatever waits, until nothing does."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:500], self._waiting[500:]
                try:
                    answers = await self.store.accept([delivery for delivery, _ in batch])
                except Exception as error:
                    for _, done in batch:
                        if not done.done():
                            done.set_exception(error)
                    continue
                for (_, done), first in zip(batch, answers, strict=True):
                    if not done.done():
                        done.set_result(first)
                self.fresh.set()
        finally:
            self._writer = None


class InboxPump:
    """Takes deliveries that have not taken effect, in order, and gives them to the turn.

    `later` says when those are taken again of which it was not known yet what they mean; they are
    asked for the more seldom the longer ago they came.
    """

    def __init__(
        self,
        service: str,
        store: Store,
        inbox: StoreInbox,
        vault: Vault,
        intake: Intake,
        loop: TurnLoop,
        spans: Spans = OFF,
    ) -> None:
        self.service, self.store, self.inbox, self.spans = service, store, inbox, spans
        self.vault, self.intake, self.loop = vault, intake, loop
        self._pace = Pace()
        self._reason = ""
        self.later: dict[int, int] = {}  # microseconds, by number
        self._outage = Outage("inbox-failed", "inbox-goes-on", service=service)
        self.pulse = Pulse()

    async def run(self) -> None:
        """Run until cancelled; what fails for a passing reason is taken again."""
        with self.pulse:
            while True:
                self.inbox.fresh.clear()
                try:
                    while await self.step():
                        pass
                    self._waits("")
                    self._outage.went_well()
                except OtherVersion as error:
                    self._waits(error.message)
                    await asyncio.sleep(AGAIN)
                except Exception as error:
                    await asyncio.sleep(self._outage.failed(error))
                try:
                    await asyncio.wait_for(self.inbox.fresh.wait(), IDLE)
                except TimeoutError:
                    continue

    def _waits(self, reason: str) -> None:
        """Say once that the inbox waits for rows, and once that it goes on."""
        if reason != self._reason:
            said = {"reason": reason} if reason else {}
            log.info("inbox-waits" if reason else "inbox-goes-on", service=self.service, **said)
        self._reason = reason

    async def step(self) -> bool:
        """Take one batch; True if there may be more."""
        self.pulse.beat()
        await self._pace.rest()
        self._pace.began()
        deliveries = await self.store.received(self.resting(), BATCH)
        if not deliveries:
            return False
        began = self.spans.now()
        inputs = await self._inputs(deliveries)
        with self.pulse.away():
            outcome = await self.loop.settle(inputs)
        self.spans.interpreted(inputs, began)
        self._pace.ended(len(deliveries))
        return len(deliveries) == BATCH and FENCED not in outcome.by_id.values()

    async def _inputs(self, deliveries: Sequence[tuple[int, Delivery]]) -> list[Input]:
        """Open and understand deliveries; those that are left for later are not among these."""
        inputs: list[Input] = []
        rows: list[InboxRow] = []
        for seq, delivery in deliveries:
            try:
                rows.append(await self._opened(seq, delivery))
            except LATER:
                raise
            except Exception as error:
                inputs.append(self._input(seq, delivery, error))
        told = await self._told(rows)
        by_seq = dict(deliveries)
        inputs += [
            self._input(row.seq, by_seq[row.seq], end)
            for row, end in zip(rows, told, strict=True)
            if not self._left(row, end)
        ]
        return inputs

    def resting(self) -> list[int]:
        """Return the numbers of the deliveries that are not to be taken again yet."""
        now = self.inbox.clock()
        self.later = {seq: due for seq, due in self.later.items() if due > now}
        return list(self.later)

    def _left(self, row: InboxRow, end: Interpreted | Exception) -> bool:
        """Leave a delivery for later, where it is not known yet what it means."""
        if isinstance(end, Exception) or not end.later:
            return False
        now = self.inbox.clock()
        self.later[row.seq] = now + min(LATEST, max(SOONEST, (now - row.received_at) // 4))
        return True

    async def _told(self, rows: Sequence[InboxRow]) -> list[Interpreted | Exception]:
        """Have deliveries understood; one on which the intake fails does not hold up the others."""
        try:
            return list(await self.intake.interpret(rows))
        except LATER:
            raise
        except Exception as error:
            if len(rows) <= 1:
                return [error for _ in rows]
            return [told for row in rows for told in await self._told([row])]

    async def _opened(self, seq: int, delivery: Delivery) -> InboxRow:
        body = await self.vault.open(
            decode_sealed(delivery.body), f"{delivery.provider}/{delivery.account}"
        )
        return InboxRow(seq, delivery.provider, delivery.account, delivery.key, delivery.topic,
                        delivery.received_at, body, delivery.trace)  # fmt: skip

    def _input(self, seq: int, delivery: Delivery, told: Interpreted | Exception) -> Input:
        name = f"inbox/{delivery.provider}/{delivery.account}/{delivery.key}"
        cause = derive(self.service, name)
        intake = f"intake-inbox/{delivery.account}"
        if isinstance(told, Exception):
            code = (
                told.code
                if isinstance(told, Refused | CodecError)
                else getattr(told, "code", "fault")
            )
            detail = "" if hasattr(told, "code") else type(told).__name__
            return Input(FromInbox(seq), name, f"delivery/{seq}", cause, cause, delivery.trace,
                         intake=intake, failure=Failure(str(code), detail, b""))  # fmt: skip
        return Input(FromInbox(seq, told.ignored), name, told.source, cause, cause, delivery.trace,
                     work=told.work)  # fmt: skip
