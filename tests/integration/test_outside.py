"""Calls to an outside system over a real socket: what the network does to an answer."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from libs.effects import http
from libs.effects.http import Answered, NoAnswer, NotReached, Outside

BODY = json.dumps({"found": ["x" * 1000] * 100}).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


@asynccontextmanager
async def outside(*pieces: bytes) -> AsyncIterator[Outside]:
    """Serve one answer in pieces, each sent when the one before may have been read."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    found = Outside(f"http://127.0.0.1:{port}", {})
    try:
        yield found
    finally:
        await found.close()
        server.close()
        await server.wait_closed()


async def called(found: Outside) -> Answered:
    return await asyncio.wait_for(found.call("GET", "/orders"), 10)


async def test_an_answer_that_comes_in_pieces_is_read_whole() -> None:
    third = len(BODY) // 3
    pieces = (HEAD % len(BODY), BODY[:third], BODY[third : 2 * third], BODY[2 * third :])
    async with outside(*pieces) as found:
        assert (await called(found)).body == json.loads(BODY)


async def test_an_answer_that_is_too_large_is_not_read_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "LARGEST", 1000)
    async with outside(HEAD % len(BODY), BODY[:600], BODY[600:]) as found:
        answer = await called(found)
    assert (answer.status, answer.body) == (200, None)


async def test_an_answer_that_breaks_off_is_in_doubt_and_nobody_there_is_not() -> None:
    async with outside(HEAD % len(BODY), BODY[:600]) as found:
        with pytest.raises(NoAnswer, match="ClientPayloadError"):
            await called(found)
    with pytest.raises(NotReached):
        await called(found)
    await found.close()


class Server:
    """Answers every request; connections stay open until it is told to end them."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.connections, self.silent = 0, False
        self._open: list[asyncio.StreamWriter] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
                self.requests.append(head + await reader.readexactly(int(length or 0)))
                if self.silent:
                    writer.close()
                    return
                writer.write(HEAD % 2 + b"{}")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def end_connections(self) -> None:
        for writer in self._open:
            writer.close()
            await writer.wait_closed()
        self._open.clear()


@asynccontextmanager
async def keeping() -> AsyncIterator[tuple[Server, Outside]]:
    kept = Server()
    server = await asyncio.start_server(kept.answer, "127.0.0.1", 0)
    found = Outside(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", {"X-Ours": "1"})
    try:
        yield kept, found
    finally:
        await found.close()
        await kept.end_connections()
        server.close()
        await server.wait_closed()


async def posted(found: Outside) -> int:
    form = [("expand[]", "a b"), ("expand[]", "c")]
    answer = await found.call("POST", "/pay", form=form, headers={"Idempotency-Key": "k"})
    return answer.status


async def test_calls_share_a_connection_and_a_form_goes_out_as_a_form() -> None:
    async with keeping() as (server, found):
        assert [await posted(found), await posted(found)] == [200, 200]
    assert server.connections == 1
    head, _, body = server.requests[1].partition(b"\r\n\r\n")
    assert body == b"expand%5B%5D=a+b&expand%5B%5D=c"
    lines = head.decode().split("\r\n")
    assert {"X-Ours: 1", "Idempotency-Key: k"} < set(lines)
    assert "Content-Type: application/x-www-form-urlencoded" in lines


async def test_a_connection_that_was_idle_for_too_long_is_not_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "IDLE", 0.0)
    async with keeping() as (server, found):
        assert [await posted(found), await posted(found)] == [200, 200]
    assert server.connections == 2


async def test_a_connection_that_the_other_side_ended_leaves_nothing_in_doubt() -> None:
    async with keeping() as (server, found):
        await posted(found)
        await server.end_connections()
        async with keeping() as (_, other):
            await posted(other)  # meanwhile it is heard that the connection has ended
        assert await posted(found) == 200
    assert (server.connections, len(server.requests)) == (2, 2)


async def test_a_post_on_a_connection_that_ends_is_in_doubt_and_not_sent_again() -> None:
    async with keeping() as (server, found):
        await posted(found)
        server.silent = True
        with pytest.raises(NoAnswer):
            await posted(found)
    assert (server.connections, len(server.requests)) == (1, 2)


async def test_who_does_not_take_a_connection_was_not_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "CONNECT", 0.1)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]  # nobody accepts them
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        found = Outside("http://{}:{}".format(*address), {})
        with pytest.raises(NotReached):
            await called(found)
        await found.close()
        for one in waiting:
            one.close()
