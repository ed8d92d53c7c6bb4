"""Accounting over HTTP: the ledger's balances and entries, stock at cost, and what waits."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from libs.runtime.ports import Ports, Told
from libs.web.pages import Cursor, cursor_of, place
from libs.web.problems import Problem
from libs.web.writes import After, WriteRequest, carry_out, caught_up
from services.accounting import chart, commands, views
from services.accounting.company import Companies, business_date
from services.accounting.process import cost_stream, sale_stream
from services.accounting.read_model import ACCOUNTS, ENTRIES, QUEUES, STOCK_VALUES, QueueRow

Limit = Annotated[int, Query(ge=1, le=500)]
Subject = Annotated[str, Path(min_length=1, max_length=120)]
Code = Annotated[str, Path(pattern="^[a-z-]{1,60}$")]
_SUMS = ("debits", "credits", "functional_debits", "functional_credits")
_SCANNED = 5_000  # entries that one request for an account looks through


def routes(ports: Ports, companies: Companies) -> APIRouter:
    """Return the routes under /accounting."""
    router = APIRouter(prefix="/accounting", tags=["accounting"])
    _ledger(router, ports)
    _stock(router, ports)
    _queues(router, ports, companies)
    return router


def _ledger(router: APIRouter, ports: Ports) -> None:
    balances, entries = ports.rows(ACCOUNTS), ports.rows(ENTRIES)

    @router.get("/accounts")
    async def accounts() -> tuple[views.AccountOut, ...]:
        """Show the chart of accounts."""
        return tuple(views.AccountOut.model_validate(one) for one in chart.ACCOUNTS)

    @router.get("/trial-balance")
    async def trial_balance(
        entity: str | None = None, currency: str | None = None, after: After = None, *,
        dimensions: bool = False,
    ) -> views.TrialBalances:  # fmt: skip
        """Show each account's sums by company and currency; by dimension too, where asked for."""
        by = ["entity", "currency", "functional_currency", "account"]
        rows = await caught_up(balances, after)
        among = {"entity": [entity]} if entity is not None else {}
        sums = await rows.totals(by + ["dimension"] * dimensions, _SUMS, **among)
        return views.trial_balances(sums, currency)

    @router.get("/entries")
    async def find(
        source: str | None = None, order_id: str | None = None, sku: str | None = None,
        account: str | None = None, cursor: str | None = None, limit: Limit = 50,
        after: After = None,
    ) -> views.EntryPage:  # fmt: skip
        """List entries, by the event that they come from, by order, SKU, account."""
        if account is not None and account not in chart.BY_NUMBER:
            raise Problem("invalid-request", "There is no such account; see /accounting/accounts.")
        wanted = {"source_event": source, "order_id": order_id, "sku": sku}
        equal: dict[str, Any] = {k: v for k, v in wanted.items() if v is not None}
        rows, found, looked = await caught_up(entries, after), list[views.EntryOut](), 0
        while True:
            page = await rows.find(after=(cursor,) if cursor else None, limit=limit, **equal)
            for row in page:
                if len(found) == limit:
                    return views.EntryPage(entries=tuple(found), cursor=cursor)
                cursor = row.entry_id
                if account is None or any(line[0] == account for line in row.lines):
                    found.append(views.entry_out(row))
            looked += len(page)
            if len(page) < limit:
                return views.EntryPage(entries=tuple(found), cursor=None)
            if len(found) == limit or looked >= _SCANNED:
                return views.EntryPage(entries=tuple(found), cursor=cursor)


def _stock(router: APIRouter, ports: Ports) -> None:
    values = ports.rows(STOCK_VALUES)

    @router.get("/stock-values")
    async def stock_values(
        entity: str = ports.settings.stock_company, sku: str | None = None,
        cursor: str | None = None, limit: Limit = 100, after: After = None,
    ) -> views.StockValues:  # fmt: skip
        """List a company's units at cost, by SKU."""
        equal = {"entity": entity} | ({"sku": sku} if sku is not None else {})
        rows = await caught_up(values, after)
        found = await rows.find(
            after=(entity, cursor) if cursor else None, limit=limit, **equal
        )  # fmt: skip
        following = found[-1].sku if len(found) == limit else None
        shown = tuple(map(views.stock_value_out, found))
        return views.StockValues(stock_values=shown, cursor=following)


def _queues(router: APIRouter, ports: Ports, companies: Companies) -> None:
    queues = ports.rows(QUEUES)

    @router.get("/queues")
    async def queue(
        code: str | None = None, cursor: Cursor = None, limit: Limit = 100, after: After = None
    ) -> views.Queues:  # fmt: skip
        """Show what waits to be posted: why, since when, how much, and who does what."""
        rows = await caught_up(queues, after)
        equal = {"code": code} if code is not None else {}
        behind = place(cursor, tuple[str, str, str])
        found = await rows.find(after=behind, limit=limit, **equal)
        counts = await rows.totals(("code",))
        last = found[-1] if len(found) == limit else None
        return views.Queues(
            waiting={str(key[0]): sums[0] for key, sums in sorted(counts.items())},
            rows=tuple(views.queue_out(row, ports.clock()) for row in found),
            cursor=cursor_of(last.subject, last.code, last.source_event) if last else None,
        )

    @router.post("/queues/{subject:path}/{code}/settle")
    async def settle(
        subject: Subject, code: Code, body: views.SettleIn, write: WriteRequest
    ) -> views.Done:
        """Say what a posting waits for, or leave its fact out; what waited is posted."""

        async def judged() -> Sequence[Told]:
            row = await queues.get(subject, code, body.source_event)
            if row is None or code == "order-unknown":
                raise Problem("posting-not-held", "Nothing like this waits for a person.")
            return [_settlement(row, body, ports.clock(), companies)]

        answer = await carry_out(ports.commands, write, judged)
        return views.Done(subject=subject, events=answer.events, token=answer.token)


def _settlement(
    row: QueueRow, body: views.SettleIn, at: int, companies: Companies
) -> tuple[str, commands.SettlePosting | commands.SettleCost]:
    company = companies.of(row.entity)
    day = business_date(at, company)
    if row.sku is not None:
        cost = commands.SettleCost(
            row.entity, row.sku, row.source_event, body.value, company.currency, day, body.by, at
        )
        return cost_stream(row.entity, row.sku), cost
    posting = commands.SettlePosting(
        row.subject, row.code, row.source_event, body.value, body.by, day, at
    )
    return sale_stream(row.subject), posting
