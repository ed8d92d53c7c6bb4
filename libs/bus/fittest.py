"""Who of a consumer group reads what: the partitions go to the members that can do most with them.

While a system is upgraded, releases run side by side. What only the newer one can read or fold is
read by it alone; where none of it is there any more, the others share everything again.
"""

from collections.abc import Iterable, Mapping

from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)

SPARED = b"others can do more"  # what an assignment without partitions says
Members = Mapping[str, ConsumerProtocolMemberMetadata]


class Fittest:
    """An assignor in aiokafka's shape, for one member with the fitness that it announces.

    `spared` is whether the member has nothing to read because others can do more.
    """

    name = "lonja-fittest"

    def __init__(self, fitness: int) -> None:
        self.fitness, self.spared = fitness, False

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """Return what this member tells of itself."""
        return ConsumerProtocolMemberMetadata(0, list(topics), self.fitness.to_bytes(4))

    def assign(
        self, cluster: ClusterMetadata, members: Members
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Give all partitions to the fittest, in equal shares, and none to the others."""
        most = max(map(_fitness, members.values()))
        chosen = {name: told for name, told in members.items() if _fitness(told) == most}
        none = {name: ConsumerProtocolMemberAssignment(0, [], SPARED) for name in members}
        none.update(RoundRobinPartitionAssignor.assign(cluster, chosen))
        return none

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Take note of why there may be nothing to read."""
        self.spared = assignment.user_data == SPARED


def _fitness(member: ConsumerProtocolMemberMetadata) -> int:
    return int.from_bytes(member.user_data)
