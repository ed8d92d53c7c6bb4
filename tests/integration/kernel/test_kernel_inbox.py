"""The inbox pump where something is not known yet: it waits, or leaves a delivery for later."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from structlog.testing import capture_logs

from libs.replay.rows import OtherVersion
from libs.runtime.inbox import LATEST, SOONEST, InboxPump, StoreInbox
from libs.runtime.ports import InboxRow, Interpreted
from libs.security.vault.memory import MemoryVault
from libs.store.store import Store
from tests.contract import toy
from tests.contract.instances import Runs, looping
from tests.contract.toy import NOON, Put
from tests.support import eventually


class Rebuilding:
    """An intake whose rows cannot be read until they are rebuilt."""

    def __init__(self) -> None:
        self.asked, self.rebuilt = 0, False

    async def interpret(self, rows: Sequence[InboxRow]) -> Sequence[Interpreted | Exception]:
        self.asked += 1
        if not self.rebuilt:
            raise OtherVersion("items")
        return [Interpreted(row.key, (("shelf-a", Put(row.key)),)) for row in rows]


async def test_an_inbox_that_waits_for_rows_says_so_once_and_once_that_it_goes_on(
    store: Store,
) -> None:
    vault, intake = MemoryVault(), Rebuilding()
    inbox = StoreInbox("toy", store, vault, lambda: NOON)
    await inbox.accept(provider="p", account="a", key="one", topic="t", body=b"1", trace="")
    with capture_logs() as lines:
        async with looping(Runs(store)) as loop:
            pump = InboxPump("toy", store, inbox, vault, intake, loop)
            task = asyncio.create_task(pump.run())
            await eventually(lambda: intake.asked > 2)
            assert not await toy.documents(store, "shelf-a")
            intake.rebuilt = True
            await eventually(lambda: lines[-1]["event"] == "inbox-goes-on")
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    assert await toy.documents(store, "shelf-a") == ["one"]
    waits, on = lines
    assert (waits["event"], waits["log_level"]) == ("inbox-waits", "info")
    assert "items" in waits["reason"]
    assert on["event"] == "inbox-goes-on"


class Learning:
    """An intake that knows later what one delivery means."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.knows = False

    async def interpret(self, rows: Sequence[InboxRow]) -> Sequence[Interpreted | Exception]:
        self.asked += [row.key for row in rows]
        return [
            Interpreted(row.key, later=True)
            if row.key == "early" and not self.knows
            else Interpreted(row.key, (("shelf-a", Put(row.key)),))
            for row in rows
        ]


async def test_a_delivery_that_is_not_understood_yet_is_taken_again_and_others_go_on(
    store: Store,
) -> None:
    vault, intake, now = MemoryVault(), Learning(), [NOON]
    inbox = StoreInbox("toy", store, vault, lambda: now[0])

    async def accept(key: str) -> None:
        await inbox.accept(provider="p", account="a", key=key, topic="t", body=b"1", trace="")

    async with looping(Runs(store)) as loop:
        pump = InboxPump("toy", store, inbox, vault, intake, loop)
        await accept("early")
        await accept("other")
        await pump.step()
        await accept("third")
        await pump.step()
        assert await toy.documents(store, "shelf-a") == ["other", "third"]
        assert intake.asked == ["early", "other", "third"]
        now[0] += SOONEST
        await pump.step()
        assert intake.asked.count("early") == 2
        intake.knows = True
        await InboxPump("toy", store, inbox, vault, intake, loop).step()  # a process that begins
        assert await toy.documents(store, "shelf-a") == ["other", "third", "early"]
        now[0] += LATEST
        assert not await pump.step()
    assert intake.asked.count("early") == 3
