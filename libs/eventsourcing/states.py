"""States and commands as bytes, and the fingerprint that says by which fold a state was made."""

import hashlib
from functools import cache
from typing import Any, get_args

import msgspec

from libs.eventsourcing.decider import Decider
from libs.eventsourcing.maps import plain, restored

_encoder = msgspec.msgpack.Encoder(enc_hook=plain)


@cache
def _decoder(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(kind, dec_hook=restored)


def pack(value: Any) -> bytes:
    """Write a state or a command (a struct; `immutables.Map` inside is allowed)."""
    return _encoder.encode(value)


def unpack(kind: Any, data: bytes) -> Any:
    """Read a value of this type (a struct or a tagged union of structs)."""
    try:
        return _decoder(kind).decode(data)
    except msgspec.ValidationError:
        found = msgspec.msgpack.decode(data, ext_hook=_unescaped)
        return msgspec.convert(found, kind, dec_hook=restored)


def pack_whatever(value: Any) -> bytes:
    """Write a command even where it holds what MessagePack cannot: it has to be parked."""
    try:
        return pack(value)
    except (OverflowError, UnicodeEncodeError):
        found = msgspec.to_builtins(value, builtin_types=(bytes,), enc_hook=plain)
        return _encoder.encode(_escaped(found))


def _escaped(value: Any) -> Any:
    match value:
        case dict():
            return {key: _escaped(item) for key, item in value.items()}
        case list() | tuple():
            return [_escaped(item) for item in value]
        case bool():
            return value
        case int() if not -(2**63) <= value < 2**64:
            return msgspec.msgpack.Ext(1, str(value).encode())
        case str():
            return msgspec.msgpack.Ext(2, value.encode("utf-8", "surrogatepass"))
    return value


def _unescaped(code: int, data: memoryview) -> int | str:
    text = bytes(data).decode("utf-8", "surrogatepass")
    return int(text) if code == 1 else text


def _shape(kind: Any, seen: set[Any]) -> str:
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return repr(kind) + "".join(_shape(a, seen) for a in get_args(kind))
    if kind in seen:
        return kind.__name__
    seen.add(kind)
    fields = msgspec.structs.fields(kind)
    return f"{kind.__name__}({', '.join(f.name + ':' + _shape(f.type, seen) for f in fields)})"


def fold_fingerprint(decider: Decider[Any, Any, Any]) -> str:
    """Return "<version>:<hash of the state's type>" of a decider.

    The number orders folds: an instance never overwrites the state of a newer one.
    """
    shape = _shape(decider.state, set())
    return f"{decider.version:04d}:{hashlib.sha256(shape.encode()).hexdigest()[:12]}"
