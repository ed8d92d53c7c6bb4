"""Erasure over HTTP: its plan is shown first, and only the plan that was shown is carried out."""

from collections.abc import Sequence
from typing import Literal

from fastapi import APIRouter

from libs.runtime.ports import Ports, Rows, Told
from libs.security.vault.vault import DAY
from libs.web.problems import Problem
from libs.web.writes import After, WriteRequest, carry_out, caught_up
from services.crm_sync import commands, read_model, views
from services.crm_sync.erasing import years_after
from services.crm_sync.history import History
from services.crm_sync.identity import Identity, Person, everything
from services.crm_sync.views import CustomerId

ANSWER_DAYS = 30  # of the month that the law gives
RETAINED = (
    "orders, payments, shipments and entries: without a person, for ever",
    "what stands on invoices: sealed, under its own key, until that key's date",
    "copies of the database: until their own retention ends they hold wrapped keys",
)
State = Literal["planned", "requested", "completed"]


class Erasures:
    """Plans erasures and follows them."""

    def __init__(self, ports: Ports) -> None:
        self.ports, self.identity, self.history = ports, Identity(ports), History(ports)
        self.rows: Rows[read_model.ErasureRow] = ports.rows(read_model.ERASURES)
        self.contacts: Rows[read_model.ContactRow] = ports.rows(read_model.CONTACTS)

    async def last_order(self, person: Person) -> int:
        """Return when the newest order was placed, 0 where there is none."""
        orders = await self.history.orders_of(person)
        return orders[0].placed_at if orders else 0

    async def open(self) -> list[views.PendingOut]:
        """Return what was asked and is not done, the nearest deadline first."""
        rows = [row async for row in everything(self.rows, read_model.ERASURES.key, erased=False)]
        return [
            views.PendingOut(
                subject=row.subject, customer_id=row.customer_id, requested_at=row.requested_at,
                answer_by=row.answer_by, by=row.by, owner="privacy",
                next_action=_NEXT["requested"],
            )
            for row in sorted(rows, key=lambda row: (row.answer_by, row.subject))
        ]  # fmt: skip

    async def shown(self, customer_id: str) -> views.ErasureOut:
        """Return the plan, and how far it is."""
        person = await self.identity.known(customer_id)
        found = [await self.rows.get(subject) for subject in person.subjects]
        rows = [row for row in found if row is not None]
        settings, now = self.ports.settings, self.ports.clock()
        years = settings.privacy.statutory_years
        until = years_after(await self.last_order(person) or now, years)
        left = sorted(set(person.subjects) - {row.subject for row in rows if row.erased})
        asked = len(rows) == len(person.subjects)
        state: State = "completed" if not left else "requested" if asked else "planned"
        keys = [views.KeyOut(subject=s, clearance="contact", action="destroy") for s in left]
        keys += [
            views.KeyOut(subject=s, clearance="statutory", action="keep", until=until) for s in left
        ]
        dates = [row.retained_until for row in rows if row.retained_until is not None]
        return views.ErasureOut(
            customer_id=person.customer_id, state=state, subjects=person.subjects,
            keys=tuple(keys), read_models=await self._scrubbed(person), retained=RETAINED,
            raw_deliveries_until=now + settings.limits.inbox_days * DAY,
            requested_at=min((row.requested_at for row in rows), default=None),
            answer_by=min((row.answer_by for row in rows), default=None),
            retained_until=max(*dates, until) if dates else None, owner="privacy",
            next_action=_NEXT[state],
        )  # fmt: skip

    async def _scrubbed(self, person: Person) -> tuple[views.ScrubOut, ...]:
        sealed = evidence = 0
        for member in person.members:
            row = await self.contacts.get(member.subject)
            sealed += row is not None and row.contact is not None
            named = everything(
                self.identity.named, read_model.NAMED.key, customer_id=member.customer_id
            )
            evidence += len([link async for link in named])
        return (
            views.ScrubOut(read_model="customer_contacts", rows=sealed, what="sealed contact"),
            views.ScrubOut(read_model="customer_evidence", rows=evidence, what="blind indexes"),
        )


# A subject that evidence joins behind an erasure makes it planned again; a merge by hand cannot.
_NEXT = {
    "planned": "show the plan to whoever asked, then request the erasure",
    "requested": "wait for the vault; look at the effects of crm_sync if it takes long",
    "completed": "tell whoever asked",
}


def add(router: APIRouter, ports: Ports) -> None:
    """Add the routes of erasure."""
    erasures = Erasures(ports)

    @router.get("/erasures")
    async def pending() -> list[views.PendingOut]:
        """List erasures that were asked for and are not done, the nearest deadline first."""
        return await erasures.open()

    @router.get("/{customer_id}/erasure")
    async def plan(customer_id: CustomerId, after: After = None) -> views.ErasureOut:
        """Show what an erasure would do, or did: subjects, keys, rows, what is kept until when."""
        await caught_up(erasures.rows, after)
        return await erasures.shown(customer_id)

    @router.post("/{customer_id}/erasure", status_code=202)
    async def erase(
        customer_id: CustomerId, body: views.ErasureIn, write: WriteRequest
    ) -> views.Done:
        """Carry out the plan that was shown. 409 plan-changed where there is more by now."""

        async def judged() -> Sequence[Told]:
            person = await erasures.identity.known(customer_id)
            if set(body.subjects) != set(person.subjects):
                raise Problem("plan-changed", "The customer has other subjects by now: plan again.")
            now = ports.clock()
            command = commands.RequestErasure(
                entity=person.entity, customer_id=customer_id, subjects=body.subjects,
                last_order_at=await erasures.last_order(person), by=body.by,
                answer_by=now + ANSWER_DAYS * DAY, at=now,
            )  # fmt: skip
            return [(commands.erasure_stream(customer_id), command)]

        return views.done(customer_id, await carry_out(ports.commands, write, judged))
