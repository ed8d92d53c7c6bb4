"""What every kind of test may use: waiting for a condition, never for time to pass; processes."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

import psutil

T = TypeVar("T")


@overload
async def eventually(condition: Callable[[], Awaitable[T]], timeout: float = 20) -> T: ...  # noqa: ASYNC109


@overload
async def eventually(condition: Callable[[], T], timeout: float = 20) -> T: ...  # noqa: ASYNC109


async def eventually(condition: Callable[[], Any], timeout: float = 20) -> Any:  # noqa: ASYNC109
    """Polls ``condition`` (sync or async) until it is truthy, returns its value.

    Raises AssertionError with the last value after ``timeout`` seconds. An AssertionError that the
    condition raises counts as "not yet".
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout
    pause = 0.005
    while True:
        last: object
        try:
            value = condition()
            result = await value if inspect.isawaitable(value) else value
            if result:
                return result
            last = result
        except AssertionError as error:
            last = error
        if loop.time() > end:
            raise AssertionError(f"not within {timeout:g} s; the last value was {last!r}")
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def words_of(process: psutil.Process) -> list[str]:
    """Its command line; empty once it has ended. A fork shows its parent's until it is renamed."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []
