"""Lanes: which partition of its service's topic a stream belongs to, for ever."""

from functools import lru_cache

PARTITIONS = 8


def murmur2(data: bytes) -> int:
    """Return Kafka's own 32-bit murmur2 (org.apache.kafka.common.utils.Utils), unsigned."""
    length = len(data)
    h = (0x9747B28C ^ length) & 0xFFFFFFFF
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * 0x5BD1E995 & 0xFFFFFFFF
        k = (k ^ k >> 24) * 0x5BD1E995 & 0xFFFFFFFF
        h = h * 0x5BD1E995 & 0xFFFFFFFF ^ k
    if length > whole:
        h = (h ^ int.from_bytes(data[whole:], "little")) * 0x5BD1E995 & 0xFFFFFFFF
    h = (h ^ h >> 13) * 0x5BD1E995 & 0xFFFFFFFF
    return h ^ h >> 15


@lru_cache(maxsize=65536)
def lane_of(stream: str) -> int:
    """Return the lane of a stream: what Kafka's default partitioner gives for its id as key."""
    return (murmur2(stream.encode()) & 0x7FFFFFFF) % PARTITIONS
