"""Partitions go to the members of a group that can do most with them."""

from typing import Any

from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata

from libs.bus.fittest import Fittest


class Cluster:
    def partitions_for_topic(self, topic: str) -> set[int]:
        return {"one.events": {0, 1, 2}, "two.events": {0}}[topic]


def shares(**members: int) -> dict[str, int]:
    """How many partitions each member gets, by its fitness."""
    topics = ["one.events", "two.events"]
    # What the broker hands on are bytes.
    told = {
        name: ConsumerProtocolMemberMetadata.decode(Fittest(fitness).metadata(topics).encode())
        for name, fitness in members.items()
    }
    cluster: Any = Cluster()
    given = Fittest(0).assign(cluster, told)
    return {name: sum(len(p) for _, p in one.assignment) for name, one in given.items()}


def test_members_that_can_do_the_same_share() -> None:
    assert shares(a=3, b=3) == {"a": 2, "b": 2}
    assert shares(a=0, b=0) == {"a": 2, "b": 2}


def test_those_that_can_do_less_get_nothing_while_others_are_there() -> None:
    assert shares(old=3, new=4, newer=4) == {"old": 0, "new": 2, "newer": 2}
    assert shares(old=1) == {"old": 4}
