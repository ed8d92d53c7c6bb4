"""The console's HTTP client: writes that carry their key and are repeated until answered.

It decides nothing about an answer beyond whether asking again can help.
"""

import asyncio
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp

from libs.cli.errors import Stop

PATIENCE = 90.0  # seconds that services may take to come back
IN_FLIGHT = 24


class Refusal(Stop):
    """A service's refusal: its stable code and its sentence. Ends a verb that expects none."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.status = status


class Http:
    """One server; at most IN_FLIGHT requests at once, each repeated for `patience` seconds."""

    def __init__(self, url: str, token: str | None = None, patience: float = PATIENCE) -> None:
        self.url, self.patience = url, patience
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=30)
        self._session = aiohttp.ClientSession(timeout=timeout, headers=self._headers)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def get(self, path: str, **query: str) -> Any:
        """Return the answer's JSON. Raises Refusal, or Stop where nobody answers."""
        return await self._ask("GET", path, params=query)

    async def post(self, path: str, body: Any = None, *, key: str = "") -> Any:
        """Write once, however often it is sent, and return the answer's JSON."""
        headers = {"Idempotency-Key": key} if key else {}
        return await self._ask("POST", path, json=body, headers=headers)

    async def _ask(self, method: str, path: str, **options: Any) -> Any:
        loop = asyncio.get_running_loop()
        end = loop.time() + self.patience
        async with self._slots:
            while True:
                try:
                    async with self._session.request(method, self.url + path, **options) as answer:
                        if answer.status < 500:
                            return await _read(answer)
                        fault = f"status {answer.status}"
                except (aiohttp.ClientError, TimeoutError) as error:
                    fault = type(error).__name__
                if loop.time() > end:
                    text = f"{method} {path} of {self.url} got no answer for {self.patience:g} s"
                    raise Stop("no-answer", f"{text} ({fault}); does `lonja up` run there?")
                await asyncio.sleep(0.2)


async def _read(answer: aiohttp.ClientResponse) -> Any:
    content = await answer.json(content_type=None)
    if answer.status < 400:
        return content
    found = content if isinstance(content, dict) else {}
    detail = str(found.get("detail", "refused"))
    for fault in found.get("faults", [])[:3]:
        detail += f" {fault.get('where')}: {fault.get('why')}"
    if answer.status == 401:
        detail += " The command line sends LONJA_TOKEN."
    raise Refusal(answer.status, str(found.get("code", answer.status)), detail)


def part(text: str) -> str:
    """Return a text as one part of a path."""
    return quote(text, safe="")
