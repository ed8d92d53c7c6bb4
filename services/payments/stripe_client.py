"""Speaks HTTP to Stripe: forms out, status and JSON back. Decides and keeps nothing."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import aiohttp
import msgspec

from libs.effects.http import read_most
from libs.security.secrets import Secret

VERSION = "2024-06-20"  # of the API; what is read here has been there since 2022-11-15
_MOST = 1_048_576  # bytes of an answer

Form = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Access:
    """Where an account's API is, its key, and what buyers read on their statement."""

    url: str
    key: Secret
    statement: str = ""


class Answer(msgspec.Struct, frozen=True):
    """What Stripe answered; `replayed` says that it is a stored answer to the same key."""

    status: int
    body: bytes
    retry_after: int | None
    replayed: bool


class Unreachable(Exception):  # noqa: N818 - an answer, of a kind
    """Nobody was reached: the request has surely not been read."""


class StripeClient:
    """Calls for several accounts over shared connections."""

    def __init__(self, accounts: Mapping[str, Access]) -> None:
        self._accounts = accounts
        self._http: aiohttp.ClientSession | None = None

    def knows(self, account: str) -> bool:
        """Say whether the configuration has this account."""
        return account in self._accounts

    def statement(self, account: str) -> str:
        """Return what buyers read on their statement, empty for the provider's own."""
        return self._accounts[account].statement

    async def post(self, account: str, path: str, form: Form, key: str) -> Answer:
        """Send a form under an idempotency key. Raises Unreachable, or a client error."""
        return await self._call(
            account, "POST", path, data=urlencode(form).encode(),
            headers={
                "Idempotency-Key": key, "Content-Type": "application/x-www-form-urlencoded",
            },
        )  # fmt: skip

    async def get(self, account: str, path: str, query: Form = ()) -> Answer:
        """Ask. Raises Unreachable, or a client error."""
        return await self._call(account, "GET", f"{path}?{urlencode(query)}" if query else path)

    async def _call(
        self, account: str, method: str, path: str, *, data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        access = self._accounts[account]
        sent = {"Authorization": f"Bearer {access.key.reveal()}", "Stripe-Version": VERSION}
        try:
            async with self._session().request(
                method,
                access.url.rstrip("/") + path,
                data=data,
                headers=sent | dict(headers or {}),
                allow_redirects=False,
            ) as answer:
                body = await read_most(answer.content, _MOST)
                return Answer(answer.status, body, _seconds(answer.headers.get("Retry-After")),
                              answer.headers.get("Idempotent-Replayed") == "true")  # fmt: skip
        except aiohttp.ClientConnectorError as error:
            raise Unreachable from error

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None or self._http.closed:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=64, keepalive_timeout=15)
            )
        return self._http

    async def close(self) -> None:
        """Give connections back."""
        if self._http is not None:
            await self._http.close()
            await asyncio.sleep(0)


def _seconds(text: str | None) -> int | None:
    """Read Retry-After in seconds as microseconds; a date is not understood."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 6:
        return None
    return int(text) * 1_000_000
