"""How an `immutables.Map` inside a struct is written and read: to msgspec it is a dict."""

import types
from functools import cache
from typing import Any, get_args, get_origin

import msgspec
from immutables import Map


def plain(value: Any) -> Any:
    """Return what an encoder writes of a map (its `enc_hook`)."""
    if isinstance(value, Map):
        return dict(value)
    raise NotImplementedError(type(value))


def restored(wanted: Any, value: Any) -> Any:
    """Return the map that was written, maps inside it too (a decoder's `dec_hook`)."""
    return Map(msgspec.convert(value, _as_dict(wanted), dec_hook=restored))


@cache
def _as_dict(wanted: Any) -> Any:
    if get_origin(wanted) is not Map:
        raise NotImplementedError(wanted)
    return types.GenericAlias(dict, get_args(wanted))
