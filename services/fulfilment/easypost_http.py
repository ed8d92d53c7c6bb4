"""EasyPost over HTTP: accounts by name, and what an answer, or none, says of a call.

What may have taken effect is unknown, never failed.
"""

import base64
from typing import Any, Literal

import aiohttp
import msgspec

from libs.effects.kinds import Confirmed, NotYet, Rejected, Result, Unknown
from libs.runtime.ports import Ports
from libs.runtime.settings import Carrier
from services.fulfilment import easypost_words as words

SECOND = 1_000_000  # microseconds
CALL = aiohttp.ClientTimeout(total=15)


class Account:
    """One account of the configuration, over HTTP."""

    def __init__(self, settings: Carrier) -> None:
        self.settings = settings
        login = base64.b64encode(f"{settings.key().reveal()}:".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}

    async def call(self, method: Literal["GET", "POST"], path: str, body: Any = None) -> Result:
        """Return the answer as JSON in Confirmed, or what else came of the call."""
        data = None if body is None else msgspec.json.encode(body)
        url = f"{self.settings.api_url.rstrip('/')}/v2/{path}"
        try:
            async with (
                aiohttp.ClientSession(timeout=CALL) as http,
                http.request(method, url, data=data, headers=self._headers) as answer,
            ):
                return _result(answer, await answer.read())
        except aiohttp.ClientConnectorError:
            return NotYet("carrier-unreachable")
        except (aiohttp.ClientError, TimeoutError, OSError):
            return Unknown("carrier-silent")


def _result(answer: aiohttp.ClientResponse, raw: bytes) -> Result:
    if answer.status == 429:
        wait = answer.headers.get("Retry-After", "")
        return NotYet(
            "throttled", int(wait) * SECOND if wait.isascii() and wait.isdigit() else None
        )
    if answer.status in {401, 403}:
        return NotYet("carrier-credentials")
    try:
        told = words.record(msgspec.json.decode(raw))
    except (msgspec.DecodeError, RecursionError):
        told = {}
    if answer.status >= 500 or not told:
        return Unknown(f"carrier-{answer.status}")
    if answer.status >= 400:
        return Rejected(words.error_code(told), answer.status)
    return Confirmed(told)


class EasyPost:
    """What the kinds of effects share: the accounts by name, the vault, the clock."""

    def __init__(self, ports: Ports) -> None:
        self.ports = ports
        self.accounts = {name: Account(one) for name, one in ports.settings.carriers.items()}

    async def get(self, account: str, path: str) -> Result:
        """Read something."""
        return await self._call(account, "GET", path)

    async def post(self, account: str, path: str, body: Any = None) -> Result:
        """Have something done."""
        return await self._call(account, "POST", path, body or {})

    async def _call(
        self, account: str, method: Literal["GET", "POST"], path: str, body: Any = None
    ) -> Result:
        found = self.accounts.get(account)
        if found is None:
            return NotYet("carrier-unknown")
        try:
            return await found.call(method, path, body)
        except words.CarrierDataError:
            return Unknown(words.CarrierDataError.code)
