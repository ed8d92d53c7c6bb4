"""Requests that no client library would send, by route of a server's own description."""

import asyncio
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from tests.unit.web.writes import WRITES

NUL, LONE, HUGE = "a\0b", "a\ud800b", "x" * 100_000
TEXTS = (NUL, LONE, HUGE)
NUMBERS = (2**63, -(2**63) - 1, 2**64, 10**400, 10**5000)
_NUMBERS = itertools.count(1)
IDS = {
    "order_id": "ord_" + "0" * 20, "hold_id": "hold_" + "0" * 20, "customer_id": "cus_" + "a" * 20,
    "account": "shop", "sku": "MUG", "name": "orders",
}  # fmt: skip


def plain() -> dict[str, str]:
    """Headers that are right, with a new key."""
    return {"Content-Type": "application/json", "Idempotency-Key": f"edge-{next(_NUMBERS)}"}


@dataclass(frozen=True)
class Sent:
    """A request as bytes, and what is wrong with it."""

    what: str
    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] | tuple[tuple[str, str], ...] = ()

    def raw(self) -> bytes:
        given = self.headers.items() if isinstance(self.headers, Mapping) else self.headers
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: x", "Connection: close"]
        lines += [f"{name}: {text}" for name, text in given]
        if self.method == "POST" and "Content-Length" not in dict(given):
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + self.body


async def answered(url: str, sent: Sent) -> tuple[int, Any]:
    """The status, and the problem where it is one; None where the server's parser refused it."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        writer.write(sent.raw())
        data = await asyncio.wait_for(reader.read(), 30)
    finally:
        writer.close()
    head, _, body = data.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    return status, None if body.startswith(b"Invalid HTTP") else json.loads(body)


def _text(value: Any) -> bytes:
    return json.dumps(value).encode()


def bodies(fitting: Any) -> Iterator[tuple[str, bytes]]:
    """What is no body for a route that takes this one."""
    whole = _text(fitting)
    yield from {
        "nothing": b"", "half": whole[:-1], "two": whole + whole, "bytes": b"\xff\xfe\x00",
        "null": b"null", "list": b"[]", "text": b'"x"', "number": b"1", "nan": b"NaN",
        "utf-16": whole.decode().encode("utf-16"), "utf-32": whole.decode().encode("utf-32"),
        "mark": b"\xef\xbb\xbf" + whole, "latin-1": b'{"by": "\xe9"}',
        "overlong": b'{"by": "\xc0\x80"}', "cesu": b'{"by": "\xed\xa0\x80"}',
        "deep": b'{"by":' * 100_000 + b"1" + b"}" * 100_000, "deep list": b"[" * 100_000,
        "half deep": b'{"a":' * 900 + b"1" + b"}" * 900,
        "nul key": b'{"a\\u0000": 1}', "lone key": b'{"\\ud800": 1}',
        "infinite": b'{"quantity": Infinity}', "too large": b'{"quantity": 1e999}',
        "control": b'{"by": "a\x01b"}', "trailing": whole[:-1] + b",}",
    }.items()  # fmt: skip
    for name, value in (fitting or {}).items():
        again = json.dumps({name: value})[1:-1].encode()
        yield f"{name} twice", b"{" + again + b"," + whole[1:]
    for name, value in (fitting or {}).items():
        wrong = NUMBERS if isinstance(value, int) and not isinstance(value, bool) else TEXTS
        for one in wrong:
            text = "9" * 5000 if one == 10**5000 else json.dumps(one)
            rest = {k: v for k, v in fitting.items() if k != name} | {name: "@@"}
            yield f"{name} is {text[:20]}", _text(rest).replace(b'"@@"', text.encode())
            nested = _text(rest).replace(b'"@@"', b"[" + text.encode() + b"]")
            yield f"{name} holds {text[:20]}", nested


def hostile_writes() -> Iterator[Sent]:
    """Every write, with every body that is none and every header that is none."""
    for route, (told, fitting) in WRITES.items():
        path = told.replace("/ops/toy/", "/ops/orders/")
        if fitting is not None:
            for what, body in bodies(fitting):
                yield Sent(f"{route}: {what}", "POST", path, body, plain())
            whole = _text(fitting)
            for kind in ("text/plain", "application/x-www-form-urlencoded", "application/xml",
                         "multipart/form-data; boundary=x", "", "application/json-x", "é"):  # fmt: skip
                headers = plain() | {"Content-Type": kind}
                yield Sent(f"{route}: content type {kind}", "POST", path, whole, headers)
            long = plain() | {"Content-Length": str(2**40)}
            yield Sent(f"{route}: too long", "POST", path, b"", long)
            packed = plain() | {"Content-Encoding": "gzip"}
            yield Sent(f"{route}: packed", "POST", path, whole, packed)
        whole = b"" if fitting is None else _text(fitting)
        for key in ("", " ", "é", "a\x01b", "k" * 201, "k" * 60_000):
            yield Sent(
                f"{route}: key {key[:9]!r}", "POST", path, whole, plain() | {"Idempotency-Key": key}
            )
        two = (*plain().items(), ("Idempotency-Key", "other"))
        yield Sent(f"{route}: two keys", "POST", path, whole, two)


def hostile_paths(paths: Mapping[str, Any]) -> Iterator[Sent]:
    """Every route, with texts that no name and no query can be."""
    for route, item in paths.items():
        for method in ("get", "post"):
            if method not in item or route.startswith(("/health", "/metrics")):
                continue
            known = {n: IDS.get(n, "x") for n in _names(route)}
            body = WRITES.get(route, ("", {}))[1] if method == "post" else None
            raw = b"" if body is None else _text(body)
            headers = plain() if method == "post" else {}
            for name in known:
                for text in ("%00", "a%00b", "%FF", "%ED%A0%80", "%C0%80", "%", "%zz", "x" * 5000):
                    path = route.format_map({k: quote(v) for k, v in known.items()} | {name: text})
                    yield Sent(
                        f"{method} {route}: {name} {text[:9]}", method.upper(), path, raw, headers
                    )
            path = route.format_map(known)
            for one in item[method].get("parameters", ()):
                if one["in"] == "query":
                    for text in ("%00", "a%00b", "%FF", "%ED%A0%80", "9" * 19, "9" * 5000, "-1"):
                        yield Sent(f"{method} {route}: ?{one['name']}={text[:9]}", method.upper(),
                                   f"{path}?{one['name']}={text}", raw, headers)  # fmt: skip


def _names(route: str) -> list[str]:
    return [part[1:-1] for part in route.split("/") if part.startswith("{")]
