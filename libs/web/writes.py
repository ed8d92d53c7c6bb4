"""What writes have in common: an idempotency key, and the token that a later read waits for."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import Depends, Header, Query, Request
from pydantic import BaseModel

from libs.runtime.ports import Answer, Commands, Rows, Told
from libs.telemetry.tracing import continued, header_of
from libs.web.problems import Problem

R = TypeVar("R", bound=msgspec.Struct)


class Write(msgspec.Struct, frozen=True):
    """A caller's write: its key, the bytes that the key stands for, and its traceparent."""

    key: str
    request: bytes
    trace: str


class Written(BaseModel):
    """A write that is committed, where there is nothing to add; `token` is for `?after=`."""

    events: tuple[str, ...]
    token: str


async def tell(commands: Commands, write: Write, stream: str, command: Any) -> Answer:
    """Have a write decided by the stream alone, under the caller's key."""
    return await commands.execute(
        stream, command, key=write.key, request=write.request, trace=write.trace
    )


async def carry_out(
    commands: Commands, write: Write, judge: Callable[[], Awaitable[Sequence[Told]]]
) -> Answer:
    """Have a write decided that is judged on rows or settings first: its key comes before both.

    `judge` gives the commands, of which all or none are done, or raises what the caller is told.
    That counts only where the key has no answer: by now things may be as this very write left them.
    """
    try:
        (stream, command), *also = await judge()
    except Exception:
        known = await commands.known(write.key, write.request)
        if known is None:
            raise
        return known
    return await commands.execute(
        stream, command, key=write.key, request=write.request, trace=write.trace, also=also
    )


def written(answer: Answer) -> Written:
    """Return what a caller is told of it."""
    return Written(events=answer.events, token=answer.token)


async def _write(
    request: Request,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> Write:
    key = idempotency_key or ""
    several = len(request.headers.getlist("idempotency-key")) > 1
    if several or not 1 <= len(key) <= 200 or not key.isascii() or not key.isprintable():
        text = "Send one Idempotency-Key of 1 to 200 printable ASCII characters."
        raise Problem("idempotency-key-missing", text)
    body = f"{request.method} {request.url.path}\n".encode() + await request.body()
    return Write(key, body, traceparent(request))


def traceparent(request: Request) -> str:
    """Return the traceparent that the server gave the request: the caller's trace, or a new one."""
    given: str | None = getattr(request.state, "traceparent", None)
    return given or continued(header_of(request.headers.raw))


WriteRequest = Annotated[Write, Depends(_write)]
After = Annotated[
    str | None, Query(description="A write's token: wait until this read model holds it.")
]

Version = Annotated[int, Query(ge=0, lt=2**63)]  # of a stream: a page goes on behind it


async def caught_up(rows: Rows[R], after: str | None) -> Rows[R]:
    """Wait, at most 5 s, until the rows hold what the token names."""
    if after is not None and not await rows.wait(after):
        raise Problem("after-not-reached", "The read model is behind; try again.")
    return rows
