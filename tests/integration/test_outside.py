"""Calls to an outside system over a real socket: what the network does to an answer."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from libs.effects import http
from libs.effects.http import Answered, NotReached, Outside

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
        with pytest.raises(Exception, match="payload is not completed") as broken:
            await called(found)
    assert not isinstance(broken.value, NotReached)
    with pytest.raises(NotReached):
        await called(found)
    await found.close()
