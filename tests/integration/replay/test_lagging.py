"""How far consumers are behind: counted against the broker's ends, aged by what is in hand."""

from typing import Any

import pytest

from libs.bus.ends import Ends
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.projection import Key, Projection
from libs.runtime.lagging import Lag, Lagging
from libs.telemetry import metrics
from tests.integration.bus.applier import Applier
from tests.integration.bus.toy import Toy, counted, running
from tests.integration.replay.test_projector import SEEN, Total, caught_up, keys, projecting
from tests.support import eventually

pytestmark = pytest.mark.stack
YEARS = 2 * 365 * 86_400  # the toy's events were recorded in 2023


async def lines_of(lagging: Lagging) -> dict[str, Lag]:
    return {line.consumer: line for line in await lagging.read()}


async def test_a_projection_that_halted_falls_behind_and_the_others_do_not(toy: Toy) -> None:
    def bug(row: Total | None, key: Key, envelope: Envelope[Any]) -> Total | None:
        raise ZeroDivisionError

    broken = Projection("broken", 1, Total, ("group",), ("toy",), keys, bug)
    ends = Ends(toy.kafka)
    try:
        async with running(toy.relay()), projecting(toy, broken, SEEN) as projector:
            await toy.commit(counted(60))
            await caught_up(toy, SEEN)
            lagging = Lagging("toy", ends, None, projector)

            async def told() -> bool:
                found = await lines_of(lagging)
                assert found["toy.seen"] == Lag("toy.seen", 0, 0.0)
                assert found["toy.broken"].records == 60
                assert found["toy.broken"].seconds > YEARS, "the age is the record's"
                assert found["toy.broken"].stopped == "fold-failed: ZeroDivisionError"
                return True

            await eventually(told)
            shown = metrics.REGISTRY.get_sample_value
            assert shown("lonja_projection_halted", {"projection": "broken"}) == 1
            assert shown("lonja_projection_halted", {"projection": "seen"}) == 0
            assert shown("lonja_consumer_lag_records", {"consumer": "toy.broken"}) == 60
    finally:
        await ends.close()


async def test_a_consumer_that_nobody_takes_from_is_seen_to_be_behind(toy: Toy) -> None:
    await toy.pool.execute("CREATE TABLE applied (lane integer, pseq bigint, stream text)")
    member, ends = Applier(toy, "slow"), Ends(toy.kafka)
    await member.source.start()
    try:
        await eventually(lambda: _held(member))
        async with running(toy.relay()):
            await toy.commit(counted(40))
            lagging = Lagging("slow", ends, member.source, None)

            async def behind() -> bool:
                found = (await lines_of(lagging))["slow.reactor"]
                return found.records == 40 and found.seconds > 0

            await eventually(behind)
            taken = 0
            while taken < 40:
                records = await member.source.get(100, 0.2)
                taken += len(records)
                found = (await lines_of(lagging))["slow.reactor"]
                assert not records or found.seconds > YEARS, "records in hand are not applied"
                await member.apply(records)

            async def level() -> bool:
                return (await lines_of(lagging))["slow.reactor"] == Lag("slow.reactor", 0, 0.0)

            await eventually(level)
    finally:
        await member.source.stop()
        await ends.close()


async def _held(member: Applier) -> bool:
    await member.source.get(1, 0.05)
    return len(member.source.feed.held) == 8


async def test_a_broker_that_does_not_answer_leaves_the_numbers_as_they_were(toy: Toy) -> None:
    ends, away = Ends(toy.kafka), Ends("127.0.0.1:9")
    try:
        async with running(toy.relay()), projecting(toy, SEEN) as projector:
            await toy.commit(counted(30))
            await caught_up(toy, SEEN)
            lagging = Lagging("toy", ends, None, projector)
            assert (await lines_of(lagging))["toy.seen"] == Lag("toy.seen", 0, 0.0)
            assert await away.of([toy.topic]) == {}
            lagging.ends = away
            told = (await lines_of(lagging))["toy.seen"]
            assert told == Lag("toy.seen", 0, 0.0, "the broker does not answer")
    finally:
        await ends.close()
        await away.close()
