"""One event type of the published language: its name, its struct and its functions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Contract(Generic[E]):
    """`decoders` reads each version that was ever written as the present struct."""

    name: str
    type: type[E]
    version: int
    encode: Callable[[E], bytes]
    decode: Callable[[bytes], E]
    decoders: Mapping[int, Callable[[bytes], E]]
