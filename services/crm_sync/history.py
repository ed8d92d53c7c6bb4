"""A person's orders and timeline, joined when they are asked for. Reads rows, changes nothing."""

import asyncio
import heapq
from collections.abc import Sequence

from libs.runtime.ports import Ports, Rows
from libs.web.pages import cursor_of, place
from services.crm_sync import read_model, timeline, views
from services.crm_sync.identity import Person, everything

NEWEST = 500  # orders whose events a timeline merges
AT_ONCE = 8  # questions to the database


class History:
    """Shows persons."""

    def __init__(self, ports: Ports) -> None:
        self.orders: Rows[read_model.OrderRow] = ports.rows(read_model.ORDERS)
        self.facts: Rows[timeline.TimelineRow] = ports.rows(timeline.TIMELINE)

    async def orders_of(self, person: Person) -> list[read_model.OrderRow]:
        """Return a person's orders, each once, the newest first."""
        found: dict[str, read_model.OrderRow] = {}
        for subject in person.subjects:
            async for row in everything(self.orders, read_model.ORDERS.key, subject=subject):
                known = found.get(row.order_id)
                if known is None or row.revision > known.revision:
                    found[row.order_id] = row
        return sorted(found.values(), key=lambda row: (-row.placed_at, row.order_id))

    async def shown(
        self, person: Person, suggested: Sequence[tuple[str, read_model.NamedRow]] = ()
    ) -> views.CustomerOut:
        """Show a person with the sums of their orders."""
        orders = await self.orders_of(person)
        totals: dict[str, int] = {}
        for row in orders:
            totals[row.currency] = totals.get(row.currency, 0) + row.total_minor
        return views.CustomerOut(
            customer_id=person.customer_id,
            members=tuple(map(_member, person.members)),
            links=_links(person),
            suggestions=tuple(
                views.SuggestionOut(
                    customer_id=other.customer_id, member=member, kind=other.kind,
                    index=other.index,
                )
                for member, other in suggested
            ),
            orders=len(orders),
            last_order_at=orders[0].placed_at if orders else None,
            total_minor=dict(sorted(totals.items())),
            erased=all(row.forgotten for row in person.members),
        )  # fmt: skip

    async def timeline(self, person: Person, cursor: str | None, limit: int) -> views.TimelineOut:
        """Merge the facts of a person's newest orders behind a cursor, oldest first."""
        orders = [row.order_id for row in (await self.orders_of(person))[:NEWEST]]
        at, event_id = place(cursor, tuple[int, str]) or (0, "")
        slots = asyncio.Semaphore(AT_ONCE)

        async def facts(order: str) -> list[timeline.TimelineRow]:
            async with slots:
                return await self.facts.find(
                    order_id=order, after=(order, at, event_id), limit=limit + 1
                )

        found: dict[tuple[int, str], list[timeline.TimelineRow]] = {}
        for rows in await asyncio.gather(*map(facts, sorted(orders))):
            for row in rows:
                found.setdefault((row.at, row.event_id), []).append(row)
        chosen = heapq.nsmallest(limit, found)
        following = cursor_of(*chosen[-1]) if len(found) > limit else None
        return views.TimelineOut(
            customer_id=person.customer_id,
            facts=tuple(_fact(found[key]) for key in chosen),
            cursor=following,
        )


def _fact(rows: Sequence[timeline.TimelineRow]) -> views.FactOut:
    one = rows[0]
    return views.FactOut(
        at=one.at, event_id=one.event_id, service=one.service, what=one.what, code=one.code,
        reference=one.reference, amount_minor=one.amount_minor, currency=one.currency,
        order_ids=tuple(row.order_id for row in rows),
    )  # fmt: skip


def _member(row: read_model.CustomerRow) -> views.MemberOut:
    return views.MemberOut(
        customer_id=row.customer_id, subject=row.subject, account=row.account, guest=row.guest,
        erased=row.forgotten,
    )  # fmt: skip


def _links(person: Person) -> tuple[views.LinkOut, ...]:
    by_index: dict[str, list[read_model.NamedRow]] = {}
    for link in person.links:
        by_index.setdefault(link.index, []).append(link)
    return tuple(
        views.LinkOut(
            index=index, kind=links[0].kind, by=links[0].by,
            members=tuple(link.customer_id for link in links),
        )
        for index, links in sorted(by_index.items())
        if len(links) > 1
    )  # fmt: skip
