"""Which customers are one: a walk over whom strong evidence names, made anew for each question.

It reads rows and changes nothing. The answer depends on the set of rows only, not on their order.
A merge by hand joins nobody to who is to be forgotten: it parts them, a moment later, for ever.
"""

from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

import msgspec

from libs.eventsourcing.projection import Key
from libs.runtime.ports import Ports, Rows
from libs.web.problems import Problem
from services.crm_sync import commands, read_model
from services.crm_sync.evidence_decider import COMMON

R = TypeVar("R", bound=msgspec.Struct)
PAGE = 500
LARGEST = 2_000  # customers that are one: beyond that a till's address joins strangers


class Person(msgspec.Struct, frozen=True):
    """Customers that are one, by their smallest id, and what makes them so."""

    customer_id: str
    members: tuple[read_model.CustomerRow, ...]
    links: tuple[read_model.NamedRow, ...]

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subjects whose keys seal what is known of this person."""
        return tuple(sorted(row.subject for row in self.members))

    @property
    def entity(self) -> str:
        """The company whose customer this is; of several, that of the smallest id."""
        return next((row.entity for row in self.members if row.entity), "main")


async def everything(
    rows: Rows[R], key: Sequence[str], **equal: str | int | bool
) -> AsyncIterator[R]:
    """Return all rows with these values, page by page."""
    after: Key | None = None
    while page := await rows.find(after=after, limit=PAGE, **equal):
        for row in page:
            yield row
        if len(page) < PAGE:
            return
        after = tuple(getattr(page[-1], name) for name in key)


class Identity:
    """Finds persons."""

    def __init__(self, ports: Ports) -> None:
        self.customers: Rows[read_model.CustomerRow] = ports.rows(read_model.CUSTOMERS)
        self.named: Rows[read_model.NamedRow] = ports.rows(read_model.NAMED)
        self.erasures: Rows[read_model.ErasureRow] = ports.rows(read_model.ERASURES)

    async def person(self, customer_id: str) -> Person | None:
        """Return the person that a customer is, by any of its ids; None for an unknown one."""
        first = await self.customers.get(customer_id)
        if first is None:
            return None
        members, links = {customer_id: first}, dict[Key, read_model.NamedRow]()
        waiting, read = [customer_id], set[str]()
        while waiting:
            for mine in await self._of(waiting.pop(), links):
                if mine in read:
                    continue
                read.add(mine)
                for link in await self._joined_by(mine):
                    links[link.index, link.customer_id] = link
                    if link.customer_id not in members:
                        members[link.customer_id] = await self._member(link)
                        waiting.append(link.customer_id)
                if len(members) > LARGEST:
                    raise Problem("identity-too-wide", "Evidence joins too many; part it first.")
        found = tuple(members[name] for name in sorted(members))
        ordered = tuple(links[key] for key in sorted(links))
        return Person(found[0].customer_id, found, ordered)

    async def _of(self, customer_id: str, links: dict[Key, read_model.NamedRow]) -> list[str]:
        found = []
        async for link in everything(self.named, read_model.NAMED.key, customer_id=customer_id):
            if link.strength == "strong":
                links[link.index, link.customer_id] = link
                found.append(link.index)
        return found

    async def _joined_by(self, index: str) -> list[read_model.NamedRow]:
        """Return whom evidence makes one; a merge by hand where they stay or go together."""
        named = everything(self.named, read_model.NAMED.key, index=index)
        links = [link async for link in named if link.strength == "strong"]
        if commands.by_hand(index):
            asked = [await self.erasures.get(link.subject) for link in links]
            if len({row and row.customer_id for row in asked}) > 1:
                return []
        return links

    async def leaving(self, person: Person) -> bool:
        """Say whether anybody of a person was asked to be forgotten."""
        asked = [await self.erasures.get(subject) for subject in person.subjects]
        return any(row is not None for row in asked)

    async def _member(self, link: read_model.NamedRow) -> read_model.CustomerRow:
        """Evidence may be ahead of the customer whom it names: two streams, two partitions."""
        known = await self.customers.get(link.customer_id)
        return known or read_model.CustomerRow(link.customer_id, link.subject, link.account)

    async def known(self, customer_id: str) -> Person:
        """Return a person. Raises Problem(customer-not-found)."""
        found = await self.person(customer_id)
        if found is None:
            raise Problem("customer-not-found", "There is no such customer.")
        return found

    async def by_index(self, indexes: Sequence[str]) -> list[Person]:
        """Return the persons whom any of these pieces of evidence names, each once."""
        found: dict[str, Person] = {}
        seen = set[str]()
        for index in indexes:
            async for link in everything(self.named, read_model.NAMED.key, index=index):
                person = None if link.customer_id in seen else await self.person(link.customer_id)
                if person is not None:
                    found[person.customer_id] = person
                    seen |= {row.customer_id for row in person.members}
        return [found[name] for name in sorted(found)]

    async def suggestions(self, person: Person) -> list[tuple[str, read_model.NamedRow]]:
        """Return customers who may be this person, by weak evidence that few others share."""
        own = {row.customer_id for row in person.members}
        found: dict[tuple[str, str], tuple[str, read_model.NamedRow]] = {}
        for member in sorted(own):
            async for mine in everything(self.named, read_model.NAMED.key, customer_id=member):
                if commands.by_hand(mine.index):
                    continue
                shared = await self.named.find(index=mine.index, limit=COMMON + 1)
                if len(shared) >= COMMON:
                    continue
                for other in shared:
                    if other.customer_id not in own:
                        found[other.customer_id, mine.index] = (member, other)
        return [found[key] for key in sorted(found)]
