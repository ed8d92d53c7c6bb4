"""Understands deliveries before the turn: adapter, links, sealing; nothing personal passes."""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from libs.runtime.ports import InboxRow, Interpreted, Ports
from libs.runtime.settings import Account
from services.channels.adapters import shopify, standard, woocommerce
from services.channels.adapters.neutral import Nothing, Terms, Understood, Whole
from services.channels.adapters.parsing import ChannelDataError, parse_json
from services.channels.links import Links
from services.channels.process import Known, Wanted, linked, listings_of, order_work, other_work
from services.channels.sealing import Sealer

ADAPTERS = {
    "shopify": shopify.understand,
    "woocommerce": woocommerce.understand,
    "standard": standard.understand,
}
_MINUTE = 60_000_000


def terms_of(name: str, account: Account) -> Terms:
    """Return what an adapter needs to know of an account."""
    return Terms(
        account=name,
        entity=account.entity,
        time_zone=account.time_zone,
        shortage=account.shortage,
        priority=account.priority,
        custody=account.custody,
    )


def with_expiry(whole: Whole, account: Account, at: int) -> Whole:
    """Give a tentative order the end of its hold, counted from when we heard of it."""
    if whole.order.commitment != "tentative":
        return whole
    return replace(
        whole, order=replace(whole.order, expires_at=at + account.hold_minutes * _MINUTE)
    )


class ChannelIntake:
    """Turns deliveries into commands; one look-up of links and of keys for a whole batch."""

    def __init__(self, ports: Ports) -> None:
        self._accounts: Mapping[str, Account] = ports.settings.channels
        self._links = Links(ports)
        self._sealer = Sealer(ports.vault)

    async def interpret(self, rows: Sequence[InboxRow]) -> Sequence[Interpreted | Exception]:
        """Read each delivery; a ChannelDataError in a place parks that delivery."""
        understood = [self._understand(row) for row in rows]
        whole = [one for one in understood if isinstance(one, Whole)]
        known = await self._links.find(wanted for one in whole for wanted in listings_of(one.order))
        sealed = iter(await self._sealer.seal(whole))
        told: set[Wanted] = set()
        return [
            self._interpreted(row, next(sealed) if isinstance(one, Whole) else one, known, told)
            for row, one in zip(rows, understood, strict=True)
        ]

    def _understand(self, row: InboxRow) -> Understood | Exception:
        account = self._accounts.get(row.account)
        if account is None or account.provider != row.provider:
            return ChannelDataError("account-unknown", row.account)
        try:
            body = parse_json(row.body)
            return ADAPTERS[row.provider](row.topic, body, terms_of(row.account, account))
        except Exception as error:  # a fault of the adapter parks the delivery, too
            return error

    def _interpreted(
        self, row: InboxRow, found: Understood | Exception, known: Known, told: set[Wanted]
    ) -> Interpreted | Exception:
        account = self._accounts.get(row.account)
        if account is None or isinstance(found, Exception):
            return found if isinstance(found, Exception) else ChannelDataError("account-unknown")
        if isinstance(found, Nothing):
            return Interpreted(f"{row.account}:-", (), found.reason)
        if not isinstance(found, Whole):
            work = other_work(found, row.account, account.entity, row.received_at)
            return Interpreted(f"{row.account}:{found.external_id}", work)
        order = linked(found.order, known)
        whole = with_expiry(replace(found, order=order), account, row.received_at)
        work = order_work(whole, _once(whole, known, told), row.received_at)
        return Interpreted(f"{row.account}:{order.external_id}", work)


def _once(whole: Whole, known: Known, told: set[Wanted]) -> Known:
    """Let one order of a batch record a link that the rule found; the others just use it."""
    found = {}
    for wanted in listings_of(whole.order):
        link = known[wanted]
        found[wanted] = replace(link, fresh=False) if link and wanted in told else link
        told.add(wanted)
    return found
