"""The pieces that generated encoders and decoders share: long forms of varints, and the guards."""

from collections.abc import Callable
from typing import TypeVar

from libs.codec.errors import CodecError, DecodeError, EncodeError

E = TypeVar("E")


def more(b: bytes, i: int, x: int) -> tuple[int, int]:
    """Read the rest of a varint whose first byte `x` had its high bit set; at most ten bytes."""
    x &= 127
    for shift in range(7, 70, 7):
        c = b[i]
        i += 1
        x |= (c & 127) << shift
        if c < 128:
            if x >> 64:
                break
            return x, i
    raise DecodeError("A number is longer than 64 bits.")


def number(o: bytearray, x: int) -> None:
    """Write a long."""
    if not -0x8000000000000000 <= x <= 0x7FFFFFFFFFFFFFFF:
        raise EncodeError("A number is beyond 64 bits.")
    z = x << 1 ^ x >> 63
    while z > 127:
        o.append(z & 127 | 128)
        z >>= 7
    o.append(z)


def small(x: int) -> None:
    """Check an int."""
    if not -0x80000000 <= x <= 0x7FFFFFFF:
        raise EncodeError("A number is beyond 32 bits.")


def nul() -> None:
    """Refuse U+0000, which PostgreSQL cannot hold."""
    raise EncodeError("A text holds U+0000.")


def bad(what: str) -> DecodeError:
    """Return the error for bytes that cannot be."""
    return DecodeError(what)


def encoded(write: Callable[[bytearray, E], None], value: E) -> bytes:
    """Run a writer; whatever the value is, the only error is EncodeError."""
    o = bytearray()
    try:
        write(o, value)
    except CodecError:
        raise
    except UnicodeEncodeError:
        raise EncodeError("A text holds a lone surrogate.") from None
    except (AttributeError, TypeError, KeyError, ValueError, OverflowError) as error:
        raise EncodeError(f"A value does not fit its schema ({type(error).__name__}).") from None
    return bytes(o)


def decoded(read: Callable[[bytes, int], tuple[E, int]], data: bytes) -> E:
    """Run a reader over all of the bytes; whatever they are, the only error is DecodeError."""
    try:
        value, end = read(data, 0)
    except CodecError:
        raise
    except IndexError:
        raise DecodeError("The bytes end too early, or name a symbol that is not there.") from None
    except UnicodeDecodeError:
        raise DecodeError("A text is not UTF-8.") from None
    if end != len(data):
        raise DecodeError("There are bytes behind the value.")
    return value
