"""A stream's lane is the partition that every Kafka client gives its key."""

from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from libs.values.lanes import PARTITIONS, lane_of


@given(st.text(max_size=60))
def test_a_lane_is_the_partition_of_the_default_partitioner(stream: str) -> None:
    partitions = list(range(PARTITIONS))
    assert lane_of(stream) == DefaultPartitioner()(stream.encode(), partitions, partitions)
