"""What the audit found of a run, in the report's words: money, ledger, tax, confirmations. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

Figures = Mapping[str, Any]


class Outcome(msgspec.Struct, frozen=True):
    """The audit's figures, by check, and its findings as sentences."""

    figures: Figures
    findings: Sequence[str] = ()


def additions(outcome: Outcome) -> dict[str, Any]:
    """Return the parts of the report that come from the topics and the outside books."""
    figures = outcome.figures
    journal, reports = figures.get("journal", {}), figures.get("reports", {})
    return {
        "payments": {
            "by_holder": by_holder(figures),
            "double_charges": sum(
                one.get("double_charges", 0) for one in books(figures).values()
            ),
        },
        "ledger": {
            "entries": journal.get("entries", 0),
            "debits_minor": by_currency(journal.get("debits_minor", {})),
            "credits_minor": by_currency(journal.get("credits_minor", {})),
            "net_sales_minor": journal.get("net_sales_minor", 0),
        },
        "tax_minor": dict(journal.get("tax_minor", {})),
        "channel_confirmations": {
            name: reports.get(name, 0) for name in ("due", "confirmed", "late")
        },
    }  # fmt: skip


def books(figures: Figures) -> dict[str, Figures]:
    """Return the outside books by the name of each."""
    return {
        name.removeprefix("books "): found
        for name, found in figures.items()
        if name.startswith("books ") and found
    }


def by_holder(figures: Figures) -> dict[str, dict[str, int]]:
    """Return what each holder has by us, in doubt, and by its own books, minor units."""
    names = ("captured_minor", "unknown_minor", "books_minor")
    return {
        found["holder"]: {name: found[name] for name in names}
        for _, found in sorted(books(figures).items())
        if "holder" in found and any(found[name] for name in names)
    }


def owed(outcome: Outcome, holder: str) -> int:
    """Return what a shop owes its buyers by its own books, minor units."""
    found = books(outcome.figures).values()
    return sum(one.get("owed_minor", 0) for one in found if one.get("holder") == holder)


def by_currency(sums: Mapping[str, int]) -> dict[str, int]:
    """Return sums by company and currency as sums by currency."""
    found: dict[str, int] = {}
    for name, amount in sums.items():
        currency = name.rpartition(" ")[2]
        found[currency] = found.get(currency, 0) + amount
    return found


def labels_bought_twice(outcome: Outcome) -> int:
    """Return how many parcels the carrier sold two labels for."""
    found: int = books(outcome.figures).get("carrier", {}).get("bought_twice", 0)
    return found
