"""EasyPost over HTTP: accounts by name, and what an answer, or none, says of a call.

What may have taken effect is unknown, never failed.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Literal

from libs.effects.http import Answered, NoAnswer, NotReached, Outside, retry_after
from libs.effects.kinds import Confirmed, NotYet, Rejected, Result, Unknown
from libs.runtime.ports import Ports
from libs.runtime.settings import Carrier
from services.fulfilment import easypost_words as words

CALL = 15.0  # seconds


class Account:
    """One account of the configuration, over HTTP."""

    def __init__(self, settings: Carrier, clock: Callable[[], int]) -> None:
        self._outside = Outside(settings.api_url, {}, (settings.key().reveal(), ""))
        self._clock = clock

    async def call(self, method: Literal["GET", "POST"], path: str, body: Any = None) -> Result:
        """Return the answer as JSON in Confirmed, or what else came of the call."""
        try:
            async with asyncio.timeout(CALL):
                answer = await self._outside.call(method, f"/v2/{path}", json=body)
        except NotReached:
            return NotYet("carrier-unreachable")
        except (NoAnswer, TimeoutError):
            return Unknown("carrier-silent")
        return _result(answer, self._clock())

    async def close(self) -> None:
        """Give connections back."""
        await self._outside.close()


def _result(answer: Answered, now: int) -> Result:
    if answer.status == 429:
        return NotYet("throttled", retry_after(answer, now))
    if answer.status in {401, 403}:
        return NotYet("carrier-credentials")
    told = words.record(answer.body)
    if told and 200 <= answer.status < 300:
        return Confirmed(told)
    if told and 400 <= answer.status < 500:
        return Rejected(words.error_code(told), answer.status)
    return Unknown(f"carrier-{answer.status}")


class EasyPost:
    """What the kinds of effects share: the accounts by name, the vault, the clock."""

    def __init__(self, ports: Ports) -> None:
        self.ports = ports
        carriers = ports.settings.carriers
        self.accounts = {name: Account(one, ports.clock) for name, one in carriers.items()}

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
        return await found.call(method, path, body)

    async def close(self) -> None:
        """Give the connections of all accounts back."""
        for account in self.accounts.values():
            await account.close()
