"""What is not HTTP is answered as every other error is, and no head is read without an end."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from uvicorn.server import ServerState

from libs.runtime.settings import Server
from libs.web.app import build_app
from libs.web.protocol import LONGEST_HEAD, Protocol, configured

HOST = b"Host: a\r\n"
CHUNKED = b"POST /health/live HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
FINE = b"GET /health/live HTTP/1.1\r\n" + HOST
LONG = b"x" * 4 * LONGEST_HEAD


def too_long(begun: bytes, more: bytes) -> bytes:
    """One byte more than is read: what was sent behind that could cost the answer."""
    return (begun + more * LONGEST_HEAD)[: LONGEST_HEAD + 1]


async def nothing() -> None:
    """Gauges are brought up to date by services that run."""


@asynccontextmanager
async def connected(
    app: Any, protocol: type[Protocol] = Protocol
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    config = configured(app)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: protocol(config, ServerState(), {}), "127.0.0.1", 0
    )  # fmt: skip
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        yield reader, writer
        writer.close()


async def answered(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], Any]:
    """Read one answer: status, headers, JSON."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers["content-length"]))
    return int(first.split()[1]), headers, json.loads(body)


def app_of() -> Any:
    return build_app(Server(), [], CollectorRegistry(), nothing, dict)


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (FINE + b"X: a\x01b\r\n\r\n", 400, "bad-request"),
        (FINE + b"X: a\x00b\r\n\r\n", 400, "bad-request"),
        (FINE + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400, "bad-request"),
        (b"FETCH / HTTP/1.1\r\n" + HOST + b"\r\n", 400, "bad-request"),
        ("GET /é HTTP/1.1\r\nHost: a\r\n\r\n".encode(), 400, "bad-request"),
        (b"CONNECT a:443 HTTP/1.1\r\n" + HOST + b"\r\n", 400, "bad-request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400, "bad-request"),
        (CHUNKED + b"zz\r\nabc\r\n0\r\n\r\n", 400, "bad-request"),
        (too_long(FINE + b"X: ", b"x"), 431, "headers-too-large"),
        (too_long(FINE, b"X: a\r\n"), 431, "headers-too-large"),
        (too_long(b"GET /", b"x"), 431, "headers-too-large"),
    ],
)  # fmt: skip
async def test_what_cannot_be_read_is_answered_with_a_problem_and_ends(
    raw: bytes, status: int, code: str
) -> None:
    async with asyncio.timeout(10), connected(app_of()) as (reader, writer):
        writer.write(raw)
        told, headers, body = await answered(reader)
        assert (told, body["status"], body["code"]) == (status, status, code)
        assert body["type"] == f"urn:lonja:problem:{code}"
        assert headers["content-type"] == "application/problem+json"
        assert headers["connection"] == "close"


async def test_large_bodies_and_several_requests_of_a_connection_are_no_long_head() -> None:
    async with asyncio.timeout(10), connected(app_of()) as (reader, writer):
        for _ in range(3):
            head = b"POST /health/live HTTP/1.1\r\n" + HOST
            writer.write(head + b"Content-Length: %d\r\n\r\n" % len(LONG) + LONG)
            assert (await answered(reader))[2]["code"] == "method-not-allowed"
        writer.write(FINE + b"X: " + b"x" * (LONGEST_HEAD // 2) + b"\r\n\r\n")
        assert (await answered(reader))[2] == {"status": "alive"}


async def test_nonsense_behind_a_request_is_not_that_requests_answer() -> None:
    begun, taken = asyncio.Event(), asyncio.Event()

    async def slow(_: Any, receive: Any, send: Any) -> None:
        assert (await receive())["body"] == b"ab"
        begun.set()
        await taken.wait()

    async with asyncio.timeout(10), connected(slow) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\nab")
        await begun.wait()
        writer.write(b"NONSENSE\r\n\r\n")
        assert await reader.read() == b""
        taken.set()


class Hurried(Protocol):
    patience = 0.1


POST = b"POST /x HTTP/1.1\r\n" + HOST
SIZED = b"Content-Length: 9\r\n\r\nab"
PIECES = b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"


@pytest.mark.parametrize("raw", [b"G", FINE + b"X: a", POST + SIZED, POST + PIECES])
async def test_a_request_that_does_not_end_is_answered_and_hung_up_on(raw: bytes) -> None:
    async with asyncio.timeout(10), connected(app_of(), Hurried) as (reader, writer):
        writer.write(FINE + b"\r\n" + raw)
        assert (await answered(reader))[2] == {"status": "alive"}
        told, headers, body = await answered(reader)
        assert (told, body["code"], headers["connection"]) == (408, "request-too-slow", "close")
        assert await reader.read() == b""


@pytest.mark.parametrize("more", [b"", b"zz\r\n"])
async def test_a_request_that_was_answered_before_its_body_came_is_not_answered_again(
    more: bytes,
) -> None:
    async with asyncio.timeout(10), connected(app_of(), Hurried) as (reader, writer):
        writer.write(CHUNKED)
        assert (await answered(reader))[2]["code"] == "method-not-allowed"
        writer.write(more)
        assert await reader.read() == b""


async def test_who_connects_and_says_nothing_is_hung_up_on() -> None:
    async with asyncio.timeout(10), connected(app_of(), Hurried) as (reader, _):
        assert (await answered(reader))[2]["code"] == "request-too-slow"
        assert await reader.read() == b""


async def test_an_answer_may_take_longer_than_its_request() -> None:
    async def slow(_: Any, receive: Any, send: Any) -> None:
        await receive()
        await asyncio.sleep(3 * Hurried.patience)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"late"})

    async with asyncio.timeout(10), connected(slow, Hurried) as (reader, writer):
        writer.write(FINE + b"Connection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"late\r\n0\r\n\r\n")
