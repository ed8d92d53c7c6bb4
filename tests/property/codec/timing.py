"""How fast the generated codec is beside fastavro: a function for the bench, nothing is asserted."""

import timeit
from collections.abc import Callable
from io import BytesIO
from typing import Any, NamedTuple

import fastavro
import msgspec

from libs.codec.contract import Contract
from libs.codec.samples import sample
from libs.codec.schemas import load, whole


class Ratio(NamedTuple):
    """Microseconds per event of ours, and how many times fastavro's dict takes."""

    decode_us: float
    decode_ratio: float
    encode_us: float
    encode_ratio: float


def ratio(contract: Contract[Any], value: dict[str, Any] | None = None) -> Ratio:
    """Time one event type, on `value` or the golden sample."""
    schema = whole(contract.name, load())
    value = value or sample(schema)
    parsed = fastavro.parse_schema(schema)
    event = msgspec.convert(value, contract.type)
    data = contract.encode(event)

    def write() -> bytes:
        out = BytesIO()
        fastavro.schemaless_writer(out, parsed, value)
        return out.getvalue()

    ours = _micros(lambda: contract.decode(data)), _micros(lambda: contract.encode(event))
    theirs = _micros(lambda: fastavro.schemaless_reader(BytesIO(data), parsed)), _micros(write)
    return Ratio(ours[0], theirs[0] / ours[0], ours[1], theirs[1] / ours[1])


def _micros(call: Callable[[], object], seconds: float = 0.02) -> float:
    timer = timeit.Timer(call)
    times = max(1, int(seconds / max(timer.timeit(10) / 10, 1e-7)))
    return min(timer.repeat(3, times)) / times * 1e6
