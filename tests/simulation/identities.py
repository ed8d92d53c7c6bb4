"""Persons who say that two customers are one, or are not, and whom evidence must not name (P8)."""

from collections.abc import Mapping
from random import Random
from typing import Any

from libs.contracts import crm_sync
from services.crm_sync import commands
from services.crm_sync.commands import Named, customer_stream, evidence_stream, hand_index
from services.crm_sync.read_model import CustomerRow, NamedRow
from tests.simulation.clerks import Clerks
from tests.simulation.projector import Tables
from tests.simulation.units import expect


class Identities:
    """Wishes to join and to part customers, and a ledger of what became of them."""

    def __init__(self, rng: Random, clerks: Clerks, tables: Mapping[str, Tables]) -> None:
        self.rng, self.clerks, self.tables = rng, clerks, tables
        self.coming = rng.choice((0, 1, 2, 4))
        self.parted: set[tuple[str, str]] = set()  # evidence and the customer that it must not name
        self.joined: dict[str, set[str]] = {}  # by hand: evidence to customers
        self.gone: set[str] = set()

    def act(self) -> str | None:
        """Let somebody join two customers, or part two whom evidence makes one."""
        if not self.coming:
            return None
        told = self._part() or self._join()
        self.coming -= told is not None
        return told

    def _part(self) -> str | None:
        found: dict[str, list[NamedRow]] = {}
        for _, row in sorted(self.tables["crm_sync"]["customer_evidence"].items()):
            if row.strength == "strong":
                found.setdefault(row.index, []).append(row)
        shared = [rows for rows in found.values() if len(rows) > 1]
        if not shared or self.rng.random() < 0.4:
            return None
        one, other = self.rng.sample(self.rng.choice(shared), 2)
        return self.clerks.add(
            "crm_sync", customer_stream(other.customer_id),
            lambda _, now: commands.UnmergeCustomer(
                "main", one.customer_id, other.customer_id, (other.index,), "clerk", "wish", now
            ),
        )  # fmt: skip

    def _join(self) -> str | None:
        rows: list[CustomerRow] = [
            row for _, row in sorted(self.tables["crm_sync"]["customers"].items())
            if row.subject and not row.forgotten
        ]  # fmt: skip
        if len(rows) < 2:
            return None
        one, other = (
            Named(row.customer_id, row.subject, row.account) for row in self.rng.sample(rows, 2)
        )
        index = hand_index(one.customer_id, other.customer_id, str(self.coming))
        return self.clerks.add(
            "crm_sync", evidence_stream(index),
            lambda _, now: commands.MergeByHand("main", index, one, other, "clerk", now),
        )  # fmt: skip

    def note(self, event: Any) -> None:
        """Note one event of crm_sync."""
        match event:
            case crm_sync.CustomersUnmerged(merged_id=name, indexes=indexes):
                self.parted |= {(index, name) for index in indexes}
            case crm_sync.SubjectSeen(index=index, customer_id=name) if commands.by_hand(index):
                self.joined.setdefault(index, set()).add(name)
            case crm_sync.CustomerForgotten(customer_id=name):
                self.gone.add(name)
            case _:
                return

    def rest(self) -> None:
        """At rest, who was parted is not named, and who was joined by hand is, but for those."""
        rows = self.tables["crm_sync"]["customer_evidence"].values()
        named = {(row.index, row.customer_id) for row in rows}
        wrong = sorted(self.parted & named)
        expect("P8", not wrong, f"{wrong} were parted, and are named")
        for index, names in self.joined.items():
            for name in sorted(names - self.gone):
                known = (index, name) in named | self.parted
                expect("P1", known, f"{index} does not name {name}, whom somebody joined")
