"""HTTP calls of effects' adapters: one connection pool each, and what a status means by itself."""

from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import aiohttp
import msgspec

from libs.effects.kinds import NotYet, Result, Unknown

CONNECT = 5.0  # seconds
# Seconds that a connection is kept. Servers end an idle one themselves, Apache and Node after 5 s;
# a request that is on its way then has no answer and may have taken effect. So we end it first.
IDLE = 4.0
LARGEST = 4 * 1024 * 1024  # bytes of an answer that are read
LONGEST = 3600  # seconds that an outside may ask us to wait
Pairs = Sequence[tuple[str, str]]


class Answered(msgspec.Struct, frozen=True):
    """An answer: its status, its headers in lower case, and its JSON (None where it is none)."""

    status: int
    headers: Mapping[str, str]
    body: Any


class NotReached(Exception):  # noqa: N818 - an answer to whoever asks, not a fault
    """Nobody was reached: the call has surely not taken effect."""


class NoAnswer(Exception):  # noqa: N818
    """The call was made and no answer came: it may have taken effect. Says what happened."""


class Outside:
    """One outside system. `headers` go with every call; the caller sets the deadline.

    A POST whose connection ends before its answer is in doubt, also on a connection that was kept.
    """

    def __init__(
        self, base_url: str, headers: Mapping[str, str], auth: tuple[str, str] | None = None
    ) -> None:
        self.base_url, self._headers = base_url.rstrip("/"), dict(headers)
        if auth is not None:
            self._headers["Authorization"] = aiohttp.encode_basic_auth(*auth)
        self._session: aiohttp.ClientSession | None = None

    async def call(
        self, method: str, path: str, *, json: Any = None, form: Pairs | None = None,
        query: Pairs | None = None, headers: Mapping[str, str] | None = None,
    ) -> Answered:  # fmt: skip
        """Call and read the answer. Raises NotReached or NoAnswer."""
        sent = {**self._headers, **(headers or {})}
        data: bytes | None = None
        if json is not None:
            data = msgspec.json.encode(json)
            sent["Content-Type"] = "application/json"
        elif form is not None:
            data = urlencode(form).encode()
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            async with self._connected().request(
                method, self.base_url + path, data=data, params=query, headers=sent,
                allow_redirects=False,
            ) as answer:  # fmt: skip
                raw = await read_most(answer.content, LARGEST)
                names = {name.lower(): value for name, value in answer.headers.items()}
                return Answered(answer.status, names, _json(raw))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotReached(type(error).__name__) from error
        except (aiohttp.ClientError, OSError) as error:
            raise NoAnswer(type(error).__name__) from error

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT),
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE),
            )
        return self._session

    async def close(self) -> None:
        """Give the connections back."""
        if self._session is not None:
            await self._session.close()
            self._session = None


async def read_most(content: aiohttp.StreamReader, most: int) -> bytes:
    """Return the whole of an answer that comes in pieces, or its first `most` bytes."""
    raw = await content.read(most)
    while len(raw) < most and not content.at_eof():
        raw += await content.read(most - len(raw))
    return raw


def _json(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def undecided(answer: Answered, now: int, *, asking: bool = False) -> Result | None:
    """Say what a status means for any call: wait (429), in doubt (5xx).

    None where the answer itself decides. `now` in microseconds. `asking`: a question has no effect
    and leaves nothing in doubt.
    """
    if answer.status == 429:
        return NotYet("throttled", retry_after(answer, now))
    if answer.status >= 500:
        return NotYet("status-5xx") if asking else Unknown(f"status-{answer.status}")
    return None


def retry_after(answer: Answered, now: int) -> int | None:
    """Return how long to wait (microseconds) by Retry-After: seconds or a date (RFC 9110).

    None where it says nothing; an hour at most. `now` in microseconds.
    """
    told = answer.headers.get("retry-after", "").strip()
    if told.isascii() and told.isdigit():
        return min(int(told[:9]), LONGEST) * 1_000_000
    try:
        seconds = parsedate_to_datetime(told).timestamp() - now / 1_000_000
    except (TypeError, ValueError):
        return None
    return int(min(max(seconds, 0), LONGEST) * 1_000_000)
