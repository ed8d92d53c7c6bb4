"""What an encoder and a decoder refuse, each with its code, and without a large allocation."""

import tracemalloc
from typing import Any

import msgspec
import pytest

from libs.codec.errors import DecodeError, EncodeError
from libs.codec.generate import make
from tests.unit.codec.workshop import Workshop, array, enum, field, record

GOOD: dict[str, Any] = {
    "text": "é",
    "number": 300,
    "small": 5,
    "flag": True,
    "raw": b"\0",
    "items": ("a",),
    "way": "up",
    "note": None,
}
BAD: dict[str, tuple[str, Any]] = {
    "U+0000": ("text", "a\0b"),
    "U+0000 where null may stand": ("note", "\0"),
    "U+0000 in an item": ("items", ("\0",)),
    "a lone surrogate": ("text", "\ud800"),
    "bytes for a text": ("text", b"a"),
    "no text": ("text", None),
    "2^70": ("number", 2**70),
    "2^63": ("number", 2**63),
    "below int64": ("number", -(2**63) - 1),
    "a float": ("number", 1.0),
    "a bool for a number": ("number", True),
    "a text for a number": ("number", "1"),
    "beyond 32 bits": ("small", 2**31),
    "below 32 bits": ("small", -(2**31) - 1),
    "a number for a flag": ("flag", 1),
    "a text for bytes": ("raw", "a"),
    "a list of numbers for bytes": ("raw", [1, 2]),
    "no array": ("items", None),
    "a text for an array": ("items", "abc"),
    "a number among texts": ("items", (1,)),
    "an unknown symbol": ("way", "down"),
    "a symbol that is none": ("way", ["up"]),
    "a number where null may stand": ("note", 1),
}
PREFIX = b"\x04\xc3\xa9"  # the text; the number comes next


@pytest.fixture
def sold(workshop: Workshop) -> Any:
    workshop.put(
        record(
            "Sold",
            field("text", "string"),
            field("number", "long"),
            field("small", "int"),
            field("flag", "boolean"),
            field("raw", "bytes"),
            field("items", array("string")),
            field("way", enum("Way", "unknown", "up")),
            field("note", ["null", "string"], default=None),
        )
    )
    assert make(workshop.places) == []
    return workshop.module("orders")


@pytest.mark.parametrize(("name", "value"), BAD.values(), ids=BAD)
def test_a_value_that_the_schema_cannot_carry_is_refused(sold: Any, name: str, value: Any) -> None:
    with pytest.raises(EncodeError) as refused:
        sold.encode_Sold(sold.Sold(**GOOD | {name: value}))
    assert refused.value.code == "unencodable"


def test_a_value_of_another_type_is_refused(sold: Any) -> None:
    other = msgspec.defstruct("Other", [(name, Any) for name in GOOD])

    with pytest.raises(EncodeError, match="Other where Sold"):
        sold.encode_Sold(other(**GOOD))


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 2**48, -(2**48), 2**55, -(2**55), 64, -65])
def test_numbers_at_the_edges_come_back(sold: Any, number: int) -> None:
    event = sold.Sold(**GOOD | {"number": number})

    assert sold.decode_Sold(sold.encode_Sold(event)) == event


def test_good_bytes_are_the_base_of_what_follows(sold: Any) -> None:
    expected = PREFIX + b"\xd8\x04" + b"\x0a" + b"\1" + b"\2\0" + b"\2\2a\0" + b"\2" + b"\0"

    assert sold.encode_Sold(sold.Sold(**GOOD)) == expected


# Each is whole but for its one fault, so that nothing else can be what is refused.
HOSTILE = {
    "nothing": (b"", "end too early"),
    "a length below zero": (b"\x01" + b"\0" * 7, "below zero"),
    "a length below zero, long": (b"\x81\x01" + b"\0" * 80, "below zero"),
    "a length beyond the bytes": (b"\x7e", "end too early"),
    "a length beyond the bytes, long": (b"\x80\x02abc", "beyond the bytes"),
    "a length of 2^60": (b"\x80\x80\x80\x80\x80\x80\x80\x80\x20", "beyond the bytes"),
    "bad UTF-8": (b"\x04\xc3\x28" + b"\0" * 7, "not UTF-8"),
    "half a surrogate pair": (b"\x06\xed\xa0\x80" + b"\0" * 7, "not UTF-8"),
    "eleven bytes": (PREFIX + b"\xff" * 10 + b"\x01" + b"\0" * 6, "longer than 64 bits"),
    "beyond 64 bits": (PREFIX + b"\xff" * 9 + b"\x02" + b"\0" * 6, "longer than 64 bits"),
    "an int beyond 32 bits": (PREFIX + b"\0\x80\x80\x80\x80\x10" + b"\0" * 5, "beyond 32 bits"),
    "a flag of 2": (PREFIX + b"\0\0\2\0\0\0\0", "neither 0 nor 1"),
    "2^40 items": (PREFIX + b"\0\0\1\0\x80\x80\x80\x80\x80\x40" + b"\0" * 3, "more items"),
    "-2^40 items": (PREFIX + b"\0\0\1\0\xff\xff\xff\xff\xff\x3f\2" + b"\0" * 3, "more items"),
    "more items than bytes": (PREFIX + b"\0\0\1\0\x10" + b"\0" * 4, "more items"),
    "no such symbol": (PREFIX + b"\0\0\1\0\0\x04\0", "no such symbol"),
    "a symbol below zero": (PREFIX + b"\0\0\1\0\0\x01\0", "no such symbol"),
    "no such branch": (PREFIX + b"\0\0\1\0\0\0\x04", "no such branch"),
    "bytes behind the value": (PREFIX + b"\0\0\1\0\0\0\0" + b"\0", "behind the value"),
}


@pytest.mark.parametrize(("data", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_bytes_are_refused_at_no_cost(sold: Any, data: bytes, reason: str) -> None:
    sold.decode_Sold(PREFIX + b"\0\0\1\0\0\0\0")
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError, match=reason) as refused:
            sold.decode_Sold(data)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    assert refused.value.code == "undecodable"


def test_arrays_in_blocks_with_sizes_are_read(sold: Any) -> None:
    data = PREFIX + b"\0\0\1\0" + b"\x03\x08\2a\2b" + b"\2\2c" + b"\0" + b"\0\0"

    assert sold.decode_Sold(data).items == ("a", "b", "c")


def test_errors_never_show_a_value(sold: Any) -> None:
    for name, value in BAD.values():
        with pytest.raises(EncodeError) as refused:
            sold.encode_Sold(sold.Sold(**GOOD | {name: value}))
        assert refused.value.__cause__ is None
        assert value is None or repr(value) not in str(refused.value)
