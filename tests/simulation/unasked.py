"""What somebody did at the bank unasked is known here in the end, or a person is asked (P3, P7)."""

from collections import defaultdict
from typing import Any

from libs.eventsourcing.states import unpack
from services.payments.read_model import PaymentRow
from services.payments.state import PaymentState
from tests.simulation.bank import ACCOUNT
from tests.simulation.dashboard import Dashboard
from tests.simulation.journal import Journal
from tests.simulation.money import Money
from tests.simulation.projector import Tables
from tests.simulation.units import expect


def heard(money: Money, journal: Journal, tables: Tables) -> None:
    """Compare the bank's own books with payments and the ledger. Raises Broken."""
    rows: dict[Any, PaymentRow] = tables["payments"]
    _to_the_penny(money, rows)
    _disputes(money.dashboard, journal, rows)
    told = {row.provider_reference for row in tables["payment_disagreements"].values()}
    for name in money.dashboard.strangers:
        expect("P7", name in told, f"nobody was told of {name}")


def _to_the_penny(money: Money, rows: dict[Any, PaymentRow]) -> None:
    for order, found in money.sums().items():
        waits = {wait.what for wait in rows[order,].waits} if (order,) in rows else set()
        if waits & {"outcome", "disagreement"}:
            continue
        for what, ours in (("captured", money.captured), ("refunded", money.refunded)):
            known = ours[order, ACCOUNT]
            expect("P3", known == found[what], f"{order}: {what} {found[what]}, known {known}")


def _disputes(dashboard: Dashboard, journal: Journal, rows: dict[Any, PaymentRow]) -> None:
    states = [unpack(PaymentState, row.folded) for row in rows.values()]
    known = {name: seen.word for one in states for name, seen in one.disputes.items()}
    open_: dict[str, int] = defaultdict(int)
    for name, (intent, how, amount) in dashboard.disputes.items():
        expect("P3", known.get(name) == how, f"{name} is {how}, known as {known.get(name)}")
        open_[dashboard.order(intent)] += amount if how == "open" else 0
    for order in sorted(journal.disputed.keys() | open_.keys()):
        held, posted = open_[order], journal.disputed[order]
        expect("P3", held == posted, f"{held} of {order} are disputed, by the ledger {posted}")
