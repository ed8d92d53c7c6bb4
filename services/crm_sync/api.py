"""crm_sync over HTTP: who is whom, what happened to them, and people's word on it.

Whatever is personal is in bodies, never in addresses; it is opened here and kept nowhere.
"""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query

from libs.runtime.ports import Ports, Told
from libs.web.pages import Cursor
from libs.web.problems import Problem
from libs.web.writes import After, WriteRequest, carry_out, caught_up
from services.crm_sync import commands, erasure_api, views
from services.crm_sync.contacts import Contacts
from services.crm_sync.history import History
from services.crm_sync.identity import Identity, Person
from services.crm_sync.views import CustomerId

Limit = Annotated[int, Query(ge=1, le=500)]


def routes(ports: Ports) -> APIRouter:
    """Return the routes under /customers."""
    router = APIRouter(prefix="/customers", tags=["customers"])
    erasure_api.add(router, ports)  # "/erasures" would be read as a customer's id behind the others
    _reads(router, ports)
    _writes(router, ports)
    return router


def _reads(router: APIRouter, ports: Ports) -> None:
    identity, history, contacts = Identity(ports), History(ports), Contacts(ports)

    @router.post("/lookup")
    async def lookup(wanted: views.Lookup) -> list[views.CustomerOut]:
        """Find customers by e-mail or phone; a read, so it takes no Idempotency-Key."""
        found = await identity.by_index(_indexes(ports, wanted))
        return [await history.shown(person) for person in found]

    @router.get("/{customer_id}")
    async def one(customer_id: CustomerId, after: After = None) -> views.CustomerOut:
        """Show a customer, by any of its ids: members, why they are one, who else it may be."""
        await caught_up(identity.named, after)
        await caught_up(identity.customers, after)
        person = await identity.known(customer_id)
        return await history.shown(person, await identity.suggestions(person))

    @router.get("/{customer_id}/timeline")
    async def timeline(
        customer_id: CustomerId,
        cursor: Cursor = None,
        limit: Limit = 100,
    ) -> views.TimelineOut:
        """Show what happened to a customer's orders over all services, oldest first."""
        return await history.timeline(await identity.known(customer_id), cursor, limit)

    @router.get("/{customer_id}/contact")
    async def contact(customer_id: CustomerId) -> views.ContactOut:
        """Open how to reach a customer; only operators may, and it is logged that they did."""
        return await contacts.opened(await identity.known(customer_id), "contact")

    @router.get("/{customer_id}/statutory")
    async def statutory(customer_id: CustomerId) -> views.ContactOut:
        """Open what stands on a customer's invoices, as long as the law keeps it."""
        return await contacts.opened(await identity.known(customer_id), "statutory")


def _indexes(ports: Ports, wanted: views.Lookup) -> list[str]:
    """Return where the wanted value would be: a relay's address is known per account."""
    found: list[str] = []
    given = (("email", wanted.email), ("phone", wanted.phone))
    for kind, value in given:
        index = ports.vault.blind_index(kind, value) if value else None  # type: ignore[arg-type]
        if index is not None:
            accounts = ports.settings.channels if kind == "email" else ()
            found += [index, *(commands.scoped(index, account) for account in accounts)]
    if not found:
        raise Problem("invalid-request", "Name an e-mail or a phone to look for.")
    return found


def _writes(router: APIRouter, ports: Ports) -> None:
    identity = Identity(ports)

    @router.post("/{customer_id}/merges", status_code=201)
    async def merge(
        customer_id: CustomerId, body: views.MergeIn, write: WriteRequest
    ) -> views.Done:
        """Say that two customers are one; it can be undone, and no order's reference moves.

        409 erasure-requested where one of them is to be forgotten, 410 subject-erased where it is.
        """

        async def judged() -> Sequence[Told]:
            first = await identity.known(customer_id)
            second = await identity.known(body.other_id)
            named = _named(first, customer_id), _named(second, body.other_id)
            if await identity.leaving(first) or await identity.leaving(second):
                text = "A customer is to be forgotten; join nobody to it."
                raise Problem("erasure-requested", text)
            index = commands.hand_index(customer_id, body.other_id, write.key)
            command = commands.MergeByHand(
                entity=first.entity, index=index, first=named[0], second=named[1], by=body.by,
                at=ports.clock(),
            )  # fmt: skip
            return [(commands.evidence_stream(index), command)]

        return views.done(customer_id, await carry_out(ports.commands, write, judged))

    @router.post("/{customer_id}/unmerges", status_code=201)
    async def unmerge(
        customer_id: CustomerId, body: views.UnmergeIn, write: WriteRequest
    ) -> views.Done:
        """Say that a member is somebody else; what made them one never does so again."""

        async def judged() -> Sequence[Told]:
            person = await identity.known(customer_id)
            command = commands.UnmergeCustomer(
                entity=person.entity, customer_id=customer_id, merged_id=body.merged_id,
                indexes=_shared(person, body.merged_id, body.indexes), by=body.by,
                reason=body.reason, at=ports.clock(),
            )  # fmt: skip
            return [(commands.customer_stream(body.merged_id), command)]

        return views.done(customer_id, await carry_out(ports.commands, write, judged))


def _named(person: Person, customer_id: str) -> commands.Named:
    row = next(row for row in person.members if row.customer_id == customer_id)
    if row.forgotten:
        raise Problem("subject-erased", "This customer was erased; nothing may join it again.")
    return commands.Named(row.customer_id, row.subject, row.account)


def _shared(person: Person, member: str, chosen: Sequence[str]) -> tuple[str, ...]:
    """Return the evidence by which a member and others are one, as far as it was chosen.

    Nothing where they are not: a repeated request is answered by what was stored under its key.
    """
    mine = {link.index for link in person.links if link.customer_id == member}
    others = {link.index for link in person.links if link.customer_id != member}
    shared = mine & others
    return tuple(sorted(shared & set(chosen) if chosen else shared))
