"""The pieces that generated encoders and decoders share: tables of short forms, long forms, guards.

A table answers the one-byte case without a call; what is not in it goes to a function here.
"""

from struct import Struct
from typing import NoReturn

from libs.codec.errors import DecodeError, EncodeError

FLAGS = {0: False, 1: True}
# What a length's byte adds to its place to reach the value's end; 0 sends to `span`.
SPAN = tuple((n >> 1) + 1 if n < 128 and not n & 1 else 0 for n in range(256))
ZIGZAG = tuple(n >> 1 ^ -(n & 1) for n in range(128))
READING = (IndexError, KeyError, UnicodeDecodeError)
WRITING = (AttributeError, TypeError, KeyError, ValueError, OverflowError)

_EIGHT = Struct("<Q")


def _varint(x: int) -> bytes:
    o = bytearray()
    while x > 127:
        o.append(x & 127 | 128)
        x >>= 7
    o.append(x)
    return bytes(o)


class _Numbers(dict[int, bytes]):
    """Varints by number; the small ones stand in it, eight bytes are made at once."""

    def __missing__(self, x: int) -> bytes:
        if not -0x8000000000000000 <= x <= 0x7FFFFFFFFFFFFFFF:
            raise EncodeError("A number is beyond 64 bits.")
        z = x << 1 ^ x >> 63
        if z >> 49 and not z >> 56:
            z = z & 0x0FFFFFFF | (z & 0x00FFFFFFF0000000) << 4
            z = z & 0x00003FFF00003FFF | (z & 0x0FFFC0000FFFC000) << 2
            z = z & 0x007F007F007F007F | (z & 0x3F803F803F803F80) << 1
            return _EIGHT.pack(z | 0x0080808080808080)
        return _varint(z)


NUMBERS = _Numbers((n, _varint(n << 1 ^ n >> 63)) for n in range(-64, 1024))


def _unsigned(b: bytes, i: int) -> tuple[int, int]:
    x = b[i] & 127
    for shift in range(7, 70, 7):
        i += 1
        c = b[i]
        x |= (c & 127) << shift
        if c < 128:
            if x >> 64:
                break
            return x, i + 1
    raise DecodeError("A number is longer than 64 bits.")


def long(b: bytes, i: int) -> tuple[int, int]:
    """Read a long of two bytes or more; eight, a time in microseconds, are read at once."""
    c = b[i + 1]
    if c < 128:
        x = b[i] & 127 | c << 7
        return x >> 1 ^ -(x & 1), i + 2
    if i + 8 <= len(b):
        (x,) = _EIGHT.unpack_from(b, i)
        if x & 0x8080808080808080 == 0x0080808080808080:
            x = x & 0x007F007F007F007F | (x & 0x7F007F007F007F00) >> 1
            x = x & 0x00003FFF00003FFF | (x & 0x3FFF00003FFF0000) >> 2
            x = x & 0x0FFFFFFF | (x & 0x0FFFFFFF00000000) >> 4
            return x >> 1 ^ -(x & 1), i + 8
    x, i = _unsigned(b, i)
    return x >> 1 ^ -(x & 1), i


def small(b: bytes, i: int) -> tuple[int, int]:
    """Read an int of two bytes or more."""
    x, i = long(b, i)
    if not -0x80000000 <= x <= 0x7FFFFFFF:
        raise DecodeError("A number is beyond 32 bits.")
    return x, i


def span(b: bytes, i: int) -> tuple[int, int]:
    """Read a length of two bytes or more; return the place before the value, and its end."""
    x, i = _unsigned(b, i) if b[i] > 127 else (b[i], i + 1)
    end = i + (x >> 1)
    if x & 1 or end > len(b):
        raise DecodeError("A length is below zero or beyond the bytes.")
    return i - 1, end


def count(b: bytes, i: int) -> tuple[int, int]:
    """Read how many items a block of an array has; each takes a byte at least."""
    x, i = _unsigned(b, i) if b[i] > 127 else (b[i], i + 1)
    items = x >> 1
    if x & 1:
        items += 1
        _, i = _unsigned(b, i) if b[i] > 127 else (b[i], i + 1)
    if not 0 < items <= len(b) - i:
        raise DecodeError("An array has more items than bytes.")
    return items, i


def branch() -> NoReturn:
    """Refuse a union's branch that is neither null nor its type."""
    raise DecodeError("A union has no such branch.")


def unread(error: Exception) -> DecodeError:
    """Return what an error means that a reader met."""
    if isinstance(error, UnicodeDecodeError):
        return DecodeError("A text is not UTF-8.")
    if isinstance(error, KeyError):
        return DecodeError("An enum has no such symbol, or a boolean is neither 0 nor 1.")
    return DecodeError("The bytes end too early.")


def unended(end: int, size: int) -> DecodeError:
    """Return the error for bytes that a value does not fill exactly."""
    what = "The bytes end too early." if end > size else "There are bytes behind the value."
    return DecodeError(what)


def beyond() -> NoReturn:
    """Refuse a number that an int cannot hold."""
    raise EncodeError("A number is beyond 32 bits.")


def nul() -> NoReturn:
    """Refuse U+0000, which PostgreSQL cannot hold."""
    raise EncodeError("A text holds U+0000.")


def wrong(value: object, wanted: str) -> NoReturn:
    """Refuse a value of another type."""
    raise EncodeError(f"A value is {type(value).__name__} where {wanted} is wanted.")


def unwritten(error: Exception) -> EncodeError:
    """Return what an error means that a writer met; the value itself is never shown."""
    if isinstance(error, UnicodeEncodeError):
        return EncodeError("A text holds a lone surrogate.")
    if isinstance(error, KeyError):
        return EncodeError("An enum has no such symbol.")
    return EncodeError(f"A value does not fit its schema ({type(error).__name__}).")
