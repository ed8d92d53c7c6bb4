"""Events as Kafka values: Confluent's prefix (0, four bytes of schema id) and Avro."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from libs.codec.contract import Contract
from libs.codec.errors import UNKNOWN, DecodeError, EncodeError
from libs.codec.registry import Registry

MAX_EVENT_BYTES = 256 * 1024


def frame(schema_id: int, avro: bytes) -> bytes:
    """Put the prefix before the bytes."""
    return b"\x00" + schema_id.to_bytes(4, "big") + avro


def schema_id_of(value: bytes) -> int:
    """Read the prefix. Raises DecodeError (`truncated`, `bad-magic`, `too-large`)."""
    if len(value) < 5:
        raise DecodeError("The value is shorter than its prefix.", "truncated")
    if len(value) > MAX_EVENT_BYTES + 5:
        raise DecodeError("The value is larger than an event may be.", "too-large")
    if value[0]:
        raise DecodeError("The value does not begin with 0.", "bad-magic")
    return int.from_bytes(value[1:5], "big")


class EventCodec:
    """Encodes and decodes the events of some services."""

    def __init__(
        self, contracts: Sequence[Contract[Any]], registry: Registry | None = None
    ) -> None:
        self.registry = registry or Registry.from_lock()
        self.contracts = {contract.name: contract for contract in contracts}
        self._by_type = {contract.type: contract for contract in contracts}
        self._by_id = {
            number: (self.contracts[name], self.contracts[name].decoders[version])
            for number, (name, version) in self.registry.names.items()
            if name in self.contracts
        }

    def prefixes(self) -> Mapping[bytes, type]:
        """Return the first five bytes that values may have, with the event that each says."""
        return {frame(number, b""): contract.type for number, (contract, _) in self._by_id.items()}

    def encode(self, event: object) -> tuple[str, int, bytes]:
        """Return the type, the schema version and the bare Avro of an event. Raises EncodeError."""
        contract = self._by_type.get(type(event))
        if contract is None:
            raise EncodeError(f"{type(event).__name__} is not an event of this service.")
        data = contract.encode(event)
        if len(data) > MAX_EVENT_BYTES:
            raise EncodeError(f"The event has {len(data)} bytes.", "too-large")
        return contract.name, contract.version, data

    def decode(self, name: str, version: int, data: bytes) -> Any:
        """Return the event of stored bytes. Raises DecodeError."""
        contract = self.contracts.get(name)
        if contract is None or version not in contract.decoders:
            raise DecodeError(f"{name} version {version} is not known here.", UNKNOWN)
        return contract.decoders[version](data)

    def decode_value(self, value: bytes) -> tuple[Contract[Any], Any]:
        """Return the contract and the event of a record's value. Raises DecodeError."""
        contract, decode = self._reader(value)
        return contract, decode(value[5:])

    def decode_shared(self, value: bytes) -> tuple[Contract[Any], Any]:
        """Do the same for one of many readers of the same bytes: they are handed one event."""
        contract, decode = self._reader(value)
        return contract, _decoded(decode, value)

    def _reader(self, value: bytes) -> tuple[Contract[Any], Callable[[bytes], Any]]:
        number = schema_id_of(value)
        known = self._by_id.get(number)
        if known is None:
            raise DecodeError(f"Schema id {number} is not known here.", UNKNOWN)
        return known


# Services that share a process are handed the same bytes within moments; events cannot be changed.
@lru_cache(maxsize=4096)
def _decoded(decode: Callable[[bytes], Any], value: bytes) -> Any:
    return decode(value[5:])
