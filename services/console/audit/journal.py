"""P4: every entry balances, and so does the whole, per company and currency."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from services.console.audit.record import Finding, Record

# Accounts of the chart: tax payable, whose dimension is the rate, and what sales come to.
TAX = "2200"
FIRST_OF_SALES, LAST_OF_SALES = "4000", "4900"


class JournalCheck:
    """Sums of debits and credits, in the entry's currency and in the company's own."""

    def __init__(self) -> None:
        self.debits: dict[tuple[str, str], int] = defaultdict(int)
        self.credits: dict[tuple[str, str], int] = defaultdict(int)
        self._accounts: dict[str, int] = defaultdict(int)  # credits less debits
        self._tax: dict[str, int] = defaultdict(int)  # the same of the tax account, by rate
        self._sources: dict[tuple[str, str, str, str | None], Record] = {}
        self._found: list[Finding] = []
        self.entries = 0

    def see(self, record: Record) -> None:
        """Add up an entry."""
        if record.type != "EntryPosted":
            return
        data = record.data
        self.entries += 1
        for debit, credit in (("debit", "credit"), ("functional_debit", "functional_credit")):
            left = sum(line[debit] for line in data["lines"])
            right = sum(line[credit] for line in data["lines"])
            if left != right:
                text = f"{debit}s {left}, {credit}s {right}"
                self._say("entry-does-not-balance", data["entry_id"], text, record)
        key = (data["entity"], data["currency"])
        self.debits[key] += sum(line["debit"] for line in data["lines"])
        self.credits[key] += sum(line["credit"] for line in data["lines"])
        for line in data["lines"]:
            self._accounts[line["account"]] += line["credit"] - line["debit"]
            if line["account"] == TAX:
                self._tax[line["dimension"]] += line["credit"] - line["debit"]
            if min(line["debit"], line["credit"]) < 0 or (line["debit"] and line["credit"]):
                self._say("entry-line-malformed", data["entry_id"], str(line), record)
            own = line["functional_debit"], line["functional_credit"]
            theirs = line["debit"], line["credit"]
            if data["currency"] == data["functional_currency"] and own != theirs:
                text = f"{theirs} {data['currency']} are converted to {own}"
                self._say("entry-converted-otherwise", data["entry_id"], text, record)
        # A parcel may hold several orders; each has its own part of it.
        source = (data["source_event"], data["kind"], data["reference"], data["order_id"])
        if source in self._sources:
            text = f"{data['source_type']} {data['source_event']} is posted twice"
            self._say("posted-twice", data["entry_id"], text, record)
        self._sources[source] = record

    def _say(self, code: str, subject: str, text: str, record: Record) -> None:
        self._found.append(Finding("P4", code, subject, text, (record.place,)))

    def findings(self) -> Iterable[Finding]:
        """Return entries that do not balance or stand twice, and companies whose whole does not."""
        yield from self._found
        for key, debits in self.debits.items():
            if debits != self.credits[key]:
                text = f"debits {debits}, credits {self.credits[key]}"
                yield Finding("P4", "trial-balance-differs", " ".join(key), text)

    def figures(self) -> Mapping[str, Any]:
        """Return entries and sums by currency."""
        return {
            "entries": self.entries,
            "net_sales_minor": sum(
                units
                for number, units in self._accounts.items()
                if FIRST_OF_SALES <= number <= LAST_OF_SALES
            ),
            "tax_minor": dict(sorted(self._tax.items())),
            "debits_minor": {" ".join(key): units for key, units in sorted(self.debits.items())},
            "credits_minor": {" ".join(key): units for key, units in sorted(self.credits.items())},
        }
