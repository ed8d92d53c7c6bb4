"""Speaks HTTP to Stripe: forms out, status and JSON back. Decides and keeps nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

from libs.effects.http import Answered, Outside, Pairs
from libs.security.secrets import Secret

VERSION = "2024-06-20"  # of the API; what is read here has been there since 2022-11-15


@dataclass(frozen=True)
class Access:
    """Where an account's API is, its key, and what buyers read on their statement."""

    url: str
    key: Secret
    statement: str = ""


class StripeClient:
    """Calls for several accounts, each with connections of its own."""

    def __init__(self, accounts: Mapping[str, Access]) -> None:
        self._accounts = accounts
        self._outsides = {name: _outside(one) for name, one in accounts.items()}

    def knows(self, account: str) -> bool:
        """Say whether the configuration has this account."""
        return account in self._accounts

    def statement(self, account: str) -> str:
        """Return what buyers read on their statement, empty for the provider's own."""
        return self._accounts[account].statement

    async def post(self, account: str, path: str, form: Pairs, key: str) -> Answered:
        """Send a form under an idempotency key. Raises NotReached or NoAnswer."""
        named = {"Idempotency-Key": key}
        return await self._outsides[account].call("POST", path, form=form, headers=named)

    async def get(self, account: str, path: str, query: Pairs = ()) -> Answered:
        """Ask. Raises NotReached or NoAnswer."""
        return await self._outsides[account].call("GET", path, query=query)

    async def close(self) -> None:
        """Give connections back."""
        for outside in self._outsides.values():
            await outside.close()


def replayed(answer: Answered) -> bool:
    """Say whether this is a stored answer to the same key."""
    return answer.headers.get("idempotent-replayed") == "true"


def _outside(access: Access) -> Outside:
    login = {"Authorization": f"Bearer {access.key.reveal()}", "Stripe-Version": VERSION}
    return Outside(access.url, login)
