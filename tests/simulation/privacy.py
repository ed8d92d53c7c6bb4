"""Buyers who want to be forgotten, and what of whom nobody may find anywhere (P8)."""

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from libs.contracts import crm_sync
from libs.security.vault.memory import MemoryVault
from services.crm_sync import commands
from services.crm_sync.read_model import CustomerRow
from tests.simulation.broker import Broker
from tests.simulation.clerks import Clerks
from tests.simulation.instance import Durable
from tests.simulation.projector import Tables
from tests.simulation.shops import Order
from tests.simulation.units import expect

DAY = 86_400_000_000  # microseconds


class Privacy:
    """Wishes to be forgotten, and a ledger of what became of them."""

    def __init__(
        self, rng: Random, clerks: Clerks, tables: Mapping[str, Tables], vault: MemoryVault
    ) -> None:
        self.rng, self.clerks, self.tables, self.vault = rng, clerks, tables, vault
        self.coming = rng.choice((0, 0, 1, 2))
        self.asked: set[str] = set()
        self.gone: set[str] = set()

    def ask(self) -> str | None:
        """Let a buyer who is known want to be forgotten, whatever is on its way to them."""
        rows = [row for _, row in sorted(self.tables["crm_sync"]["customers"].items())
                if row.subject not in self.asked]  # fmt: skip
        if not self.coming or not rows:
            return None
        self.coming -= 1
        row: CustomerRow = self.rng.choice(rows)
        subjects = tuple(sorted(self._person(row)))
        return self.clerks.add(
            "crm_sync", commands.erasure_stream(row.customer_id),
            lambda _, now: commands.RequestErasure(
                row.entity, row.customer_id, subjects, now, "clerk", now + 30 * DAY, now
            ),
        )  # fmt: skip

    def _person(self, row: CustomerRow) -> set[str]:
        """Return the subjects that strong evidence makes one with a customer."""
        strong = [
            one
            for one in self.tables["crm_sync"]["customer_evidence"].values()
            if one.strength == "strong"
        ]
        shared = {one.index for one in strong if one.subject == row.subject}
        return {row.subject} | {one.subject for one in strong if one.index in shared}

    def note(self, event: Any) -> None:
        """Note one event of crm_sync: what is said to be gone must be gone by then."""
        match event:
            case crm_sync.ErasureRequested():
                self.asked.update(event.subjects)
            case crm_sync.ErasureCompleted():
                self.gone.update(event.subjects)
                self._destroyed()
            case _:
                return

    def _destroyed(self) -> None:
        keys: Any = self.vault.table
        for subject in sorted(self.gone):
            contact, law = (keys.rows.get((subject, of)) for of in ("contact", "statutory"))
            expect("P8", contact is None or contact.wrapped is None, f"{subject} can be read")
            kept = law is None or (law.wrapped is not None and subject in keys.retained)
            expect("P8", kept, f"what the law wants of {subject} is lost, or kept for ever")

    def rest(self) -> None:
        """At rest, who wanted to be forgotten is, and nothing names them any more."""
        self._destroyed()
        crm = self.tables["crm_sync"]
        expect("P7", self.asked == self.gone, f"{self.asked - self.gone} are never forgotten")
        for row in crm["customers"].values():
            known = row.subject in self.gone and not row.forgotten
            expect("P8", not known, f"{row.customer_id} is known, its subject was erased")
        for row in crm["customer_contacts"].values():
            shown = row.subject in self.gone and row.contact is not None
            expect("P8", not shown, f"the contact of {row.subject} is shown")
        for row in crm["customer_evidence"].values():
            expect("P8", row.subject not in self.gone, f"{row.index} names {row.subject}")


def nowhere(orders: list[Order], broker: Broker, homes: Mapping[str, Durable]) -> None:
    """No buyer's mail, phone or street stands in plain text in a log, a store or a call."""
    people = {one.now.content.person for one in orders}
    words = {word for one in people for word in (one.email, one.phone) if word}
    words |= {state.content.address.street for one in orders for state in one.states}
    kept = b"\0".join(_kept(broker, homes))
    for word in sorted(words):
        expect("P8", word.encode() not in kept, f"{word} stands in plain text")


def _kept(broker: Broker, homes: Mapping[str, Durable]) -> Iterator[bytes]:
    for log in broker.partitions.values():
        yield from (one.value for one in log)
    for home in homes.values():
        store = home.store
        yield from (event.data for lane in store.lanes for event in lane)
        yield from (effect.request for effect in store.effects.values())
        yield from (entry.delivery.body for entry in store.inbox)
