"""Opens a checkout of our own store: links, seals, and records it as a tentative order."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from libs.contracts import common
from libs.runtime.ports import Ports, Told
from libs.values.ids import short
from libs.web.problems import Problem
from libs.web.writes import Write, carry_out
from services.channels import commands
from services.channels.adapters.parsing import ChannelDataError
from services.channels.checkout import Checkout, CheckoutAnswer, order_of
from services.channels.intake import terms_of, with_expiry
from services.channels.links import Links
from services.channels.process import linked, listings_of
from services.channels.sealing import Sealer

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Checkouts:
    """The own store's way in: everything it sells must be linked, or it is refused."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._links = Links(ports)
        self._sealer = Sealer(ports.vault)

    async def open(self, account: str, body: Checkout, write: Write) -> CheckoutAnswer:
        """Record the checkout; the same idempotency key is the same order."""
        external_id = "chk_" + short(account, write.key)

        async def judged() -> Sequence[Told]:
            order = await self._order(account, external_id, body)
            return [(commands.order_stream(account, external_id), commands.RecordOrder(order))]

        answer = await carry_out(self._ports.commands, write, judged)
        order_id = "ord_" + short(account, external_id)
        return CheckoutAnswer(order_id=order_id, external_id=external_id, token=answer.token)

    async def _order(self, account: str, external_id: str, body: Checkout) -> common.Order:
        """Return the sealed order, to hold its units till the account's hold ends. Raises Problem.

        All that it sells must be linked.
        """
        ports = self._ports
        terms = ports.settings.channels.get(account)
        if terms is None or terms.provider != "standard":
            raise Problem("not-found", "There is no such store.")
        now = ports.clock()
        placed_at = (_EPOCH + timedelta(microseconds=now)).isoformat()
        try:
            whole = order_of(body, external_id, placed_at, terms_of(account, terms))
        except ChannelDataError as error:
            raise Problem("invalid-request", f"The checkout does not fit: {error}.") from error
        known = await self._links.find(listings_of(whole.order))
        missing = sorted(
            one.channel_sku or one.listing_id for one, link in known.items() if not link
        )
        if missing:
            raise Problem("listing-not-linked", f"Nobody has linked {', '.join(missing[:5])}.")
        whole = with_expiry(replace(whole, order=linked(whole.order, known)), terms, now)
        (sealed,) = await self._sealer.seal([whole])
        return sealed.order
