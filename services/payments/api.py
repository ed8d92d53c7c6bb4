"""The HTTP edge of payments: deliveries and decisions in, rows out. Decides nothing."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from libs.contracts import common
from libs.runtime.ports import Ports
from libs.runtime.settings import Settings
from libs.web.problems import Problem
from libs.web.writes import After, WriteRequest, Written, caught_up, tell, written
from services.payments import commands, views
from services.payments.commands import HOUR, Terms, disagreement_stream, payment_stream
from services.payments.read_model import CAPTURES, DISAGREEMENTS, PAYMENTS
from services.payments.webhooks import door

_PAGE = 500
_MOST_WAITING = 5_000
STANDINGS = frozenset(common.symbols_PaymentStanding)
OrderId = Annotated[str, Path(pattern="^ord_[0-9a-f]{20}$")]
Limit = Annotated[int, Query(ge=1, le=_PAGE)]


def terms(settings: Settings) -> Mapping[str, Terms]:
    """Return the terms by channel account; those without an account to charge have the defaults."""
    found: dict[str, Terms] = {}
    for name, channel in settings.channels.items():
        if channel.payments is None:
            found[name] = Terms()
            continue
        account = settings.payments[channel.payments]
        found[name] = Terms(
            channel.payments, account.second_parcel, account.authorisation_expiry,
            account.expiry_margin_hours * HOUR, account.accept_risk_minor,
            account.authorisation_hours * HOUR,
        )  # fmt: skip
    return found


def routes(ports: Ports) -> APIRouter:
    """Return the routes under /payments."""
    router = APIRouter(prefix="/payments", tags=["payments"])
    webhooks = door(ports)

    @router.post("/webhooks/{provider}/{account}")
    async def webhook(provider: str, account: str, request: Request) -> Response:
        """Take in a provider's event: 200 once it is stored; what it means is found out later."""
        return await webhooks.take(provider, account, request)

    _reads(router, ports)
    _writes(router, ports)
    return router


def _reads(router: APIRouter, ports: Ports) -> None:
    payments, captures = ports.rows(PAYMENTS), ports.rows(CAPTURES)
    disagreements = ports.rows(DISAGREEMENTS)

    @router.get("")
    async def find(
        standing: str | None = None, cursor: str | None = None, limit: Limit = 50,
        after: After = None,
    ) -> views.PaymentPage:  # fmt: skip
        """List payments, by standing."""
        if standing is not None and standing not in STANDINGS:
            raise Problem("invalid-request", f"A standing is one of {', '.join(STANDINGS)}.")
        equal = {} if standing is None else {"standing": standing}
        rows = await caught_up(payments, after)
        found = await rows.find(after=(cursor,) if cursor else None, limit=limit, **equal)
        following = found[-1].order_id if len(found) == limit else None
        return views.PaymentPage(items=[views.payment_out(row) for row in found], cursor=following)

    @router.get("/queues")
    async def queues(limit: Limit = 100, after: After = None) -> views.Queues:
        """List all that waits, the most money at risk first."""
        rows = await (await caught_up(payments, after)).find(limit=_MOST_WAITING, waiting=True)
        strange = await disagreements.find(limit=_MOST_WAITING, settled="")
        waiting = [views.wait_out(row, one) for row in rows for one in row.waits]
        waiting += [views.disagreement_out(row) for row in strange if row.order_id is None]
        waiting.sort(key=lambda one: (-one.at_risk_minor, one.since, one.subject))
        return views.Queues(items=waiting[:limit], more=len(waiting) > limit)

    @router.get("/holders")
    async def holders() -> list[views.HolderOut]:
        """Sum captures and refunds by holder, currency and state."""
        totals = await captures.totals(
            ("holder", "currency", "state"), ("amount_minor", "refunded_minor", "by_hand_minor")
        )
        return [
            views.HolderOut(
                holder=str(key[0]), currency=str(key[1]), state=str(key[2]), captures=count,
                captured_minor=captured, refunded_minor=refunded, by_hand_minor=by_hand,
            )
            for key, (count, captured, refunded, by_hand) in sorted(totals.items())
        ]  # fmt: skip

    @router.get("/{order_id}")
    async def one(order_id: OrderId, after: After = None) -> views.PaymentOut:
        """Show an order's payment as it stands."""
        row = await (await caught_up(payments, after)).get(order_id)
        if row is None:
            raise Problem("payment-not-found", "No order with this id has asked for a payment.")
        return views.payment_out(row)


def _writes(router: APIRouter, ports: Ports) -> None:
    payments, by_account = ports.rows(PAYMENTS), terms(ports.settings)

    @router.post("/{order_id}/decisions")
    async def decide(order_id: OrderId, body: views.DecisionIn, write: WriteRequest) -> Written:
        """Decide on a payment that waits."""
        row = await payments.get(order_id)
        command = commands.Decide(
            body.decision, "operator", body.reason, ports.clock(),
            by_account.get(row.account) if row is not None else None, body.effect_id,
            body.reference, body.refund_id,
        )  # fmt: skip
        return written(await tell(ports.commands, write, payment_stream(order_id), command))

    @router.post("/disagreements/settle")
    async def settle(body: views.SettleIn, write: WriteRequest) -> Written:
        """Say how something that a provider told of an unknown payment was settled."""
        command = commands.SettleDisagreement(body.decision, "operator", ports.clock())
        stream = disagreement_stream(body.holder, body.provider_reference)
        return written(await tell(ports.commands, write, stream, command))
