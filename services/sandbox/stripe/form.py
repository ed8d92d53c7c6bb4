"""Stripe's request bodies and queries: form-encoded, with brackets for parts. Pure."""

import re
from typing import Any
from urllib.parse import parse_qsl

Params = dict[str, Any]
_NAME = re.compile(r"[A-Za-z0-9_]+|\[[^\[\]]*\]")


def parse(text: str) -> Params:
    """`a[b]=1&c[]=2&d[0]=3` as nested records and lists. Raises ValueError on another shape."""
    found: Params = {}
    for name, value in parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text)):
        parts = [part.strip("[]") for part in _NAME.findall(name)]
        if name.startswith("[") or not parts or _NAME.sub("", name):
            raise ValueError(f"invalid parameter name: {name[:80]}")
        _put(found, parts, value)
    return {name: _lists(value) for name, value in found.items()}


def _put(into: Params, parts: list[str], value: str) -> None:
    *path, last = parts
    for part in path:
        inner = into.setdefault(part, {})
        if not isinstance(inner, dict):
            raise ValueError(f"parameter {part} is both")  # noqa: TRY004 - the caller's text
        into = inner
    # `a[]` appends, as Stripe's own libraries write lists.
    into[str(len(into)) if last == "" else last] = value


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(member) for name, member in value.items()}
    if inner and all(name.isdigit() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner
