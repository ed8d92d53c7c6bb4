"""The effects of channels: a kind per provider; each account has its connection and quota."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import assert_never

from libs.effects.budget import Budget
from libs.effects.http import Outside
from libs.effects.kinds import Adapter, EffectKind, NotYet, Rejected, Result
from libs.runtime.ports import Ports
from libs.runtime.sections import Provider
from libs.runtime.settings import Account
from libs.store.store import Call
from services.channels.outbound.report import ATTEMPTS, report_of, tell
from services.channels.outbound.shopify import ShopifyReports
from services.channels.outbound.standard import StandardReports
from services.channels.outbound.woocommerce import WooCommerceReports

Work = Callable[[Call], Awaitable[Result]]
SECOND = 1_000_000  # microseconds
DAY = 86_400 * SECOND
PATIENCE = 5  # seconds that a report waits for its account's quota, then it is put back
# Calls a second and at once, for one account. Shopify: 100 points a second and 2,000 at once, of
# which a report takes some 45 (Admin API limits, standard plan); WooCommerce has no limit of its
# own: a small host is spared.
QUOTAS: Mapping[Provider, tuple[float, int]] = {
    "shopify": (2.0, 40),
    "woocommerce": (20.0, 20),
    "standard": (100.0, 100),
}


def kind_of(provider: str) -> str:
    """Return the name of the effects that tell this provider's channels."""
    return f"{provider}.report"


class Connected:
    """One account's adapter behind its quota."""

    def __init__(self, account: Account, ports: Ports) -> None:
        token = account.token()
        secret = token.reveal() if token is not None else ""
        self.outside = Outside(account.api_url or "", *_credentials(account.provider, secret))
        self.adapter = _adapter(account.provider, self.outside, ports)
        self.clock, self.budget = ports.clock, Budget(*QUOTAS[account.provider])

    async def within(self, work: Work, call: Call) -> Result:
        """Call when the quota allows it; who is throttled asks this account alone to wait."""
        if (no := await self._turn()) is not None:
            return no
        result = await work(call)
        if isinstance(result, NotYet) and result.after is not None:
            self.budget.pause(self._now(), result.after / SECOND)
        return result

    async def _turn(self) -> NotYet | None:
        """Wait for a call of the quota, for a while; what to say where there is none by then."""
        waited = 0.0
        while wait := self.budget.wait(self._now()):
            if wait > PATIENCE:  # the account has asked for it
                return NotYet("quota", int(wait * SECOND))
            if waited > PATIENCE:
                return NotYet("quota")
            await asyncio.sleep(wait)
            waited += wait
        self.budget.spend(1)
        return None

    def _now(self) -> float:
        return self.clock() / SECOND


class Reports:
    """Finds the account's adapter. One that is not connected is a person's matter."""

    def __init__(self, accounts: Mapping[str, Connected]) -> None:
        self._accounts = accounts

    async def perform(self, call: Call) -> Result:
        """Tell the channel, within its quota."""
        return await self._with(call, lambda adapter: adapter.perform)

    async def ask(self, call: Call) -> Result:
        """Ask the channel, within its quota."""
        return await self._with(call, lambda adapter: adapter.ask)

    async def _with(self, call: Call, work: Callable[[Adapter], Work]) -> Result:
        account = self._accounts.get(report_of(call).account)
        if account is None:
            return Rejected("channel-not-connected", "Give the account's api_url and api_token.")
        return await account.within(work(account.adapter), call)

    async def close(self) -> None:
        """Close all connections."""
        for account in self._accounts.values():
            await account.outside.close()


def kinds(ports: Ports) -> Sequence[EffectKind]:
    """Return the effects of this service."""
    found = []
    for provider, (per_second, burst) in QUOTAS.items():
        accounts = {
            name: Connected(account, ports)
            for name, account in ports.settings.channels.items()
            if account.provider == provider and account.api_url
        }
        reports, many = Reports(accounts), max(1, len(accounts))
        found.append(
            EffectKind(
                kind_of(provider), reports, tell, "repeat" if provider == "standard" else "ask",
                provider, honoured=DAY if provider == "standard" else 0, attempts=ATTEMPTS,
                per_second=per_second * many, burst=burst * many, several=True,
            )
        )  # fmt: skip
    return found


def _credentials(
    provider: Provider, secret: str
) -> tuple[Mapping[str, str], tuple[str, str] | None]:
    match provider:
        case "shopify":
            return {"X-Shopify-Access-Token": secret}, None
        case "woocommerce":
            user, _, password = secret.partition(":")
            return {}, (user, password)
        case "standard":
            return {"Authorization": f"Bearer {secret}"}, None
        case _:
            assert_never(provider)


def _adapter(provider: Provider, outside: Outside, ports: Ports) -> Adapter:
    match provider:
        case "shopify":
            return ShopifyReports(outside, ports.clock)
        case "woocommerce":
            return WooCommerceReports(outside, ports.clock)
        case "standard":
            return StandardReports(outside, ports.clock)
        case _:
            assert_never(provider)
