"""The shops' HTTP client: one POST, one status; it retries nothing and reads no body."""

from collections.abc import Mapping
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL


class HttpClient:
    """POSTs to one target with a deadline on the whole exchange and one on the connection."""

    def __init__(self, target: str, seconds: float) -> None:
        self._target = URL(target)
        self._urls: dict[str, URL] = {}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=min(1.0, seconds)),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def post(self, path: str, headers: Mapping[str, str], body: bytes) -> int:
        """The answer's status. Raises OSError or TimeoutError where none came."""
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = self._target.with_path(path)
        try:
            async with self._session.post(
                url, headers=headers, data=body, allow_redirects=False
            ) as answer:
                await answer.read()
                return answer.status
        except aiohttp.ClientError as error:
            raise ConnectionError(f"no answer from {self._target}: {error}") from error
