"""P3: the stock account is inventory's units at cost, at every version of their stream."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from services.console.audit.record import Finding, Record

STOCK = "1400"  # the account of the chart whose dimension is a SKU
Item = tuple[str, str]  # company, SKU


class ValuedCheck:
    """Units by inventory, and what accounting says of them."""

    def __init__(self, settled: int) -> None:
        self._settled = settled
        self._units: dict[Item, int] = defaultdict(int)
        # By version of inventory's stream: units (and when), and where that was read.
        self._moves: dict[Item, dict[int, tuple[int, int, str]]] = defaultdict(dict)
        self._valued: dict[Item, dict[int, tuple[int, str]]] = defaultdict(dict)
        self._account: dict[Item, int] = defaultdict(int)  # in the company's own currency
        self._found: list[Finding] = []

    def see(self, record: Record) -> None:
        """Take in units that move, entries of the stock account, and what units are worth."""
        data = record.data
        match record.type:
            case "StockReceived" | "StockAdjusted":
                self._moved(record, data["quantity"])
            case "StockCounted":
                self._moved(record, data["difference"])
            case "StockShipped":
                self._moved(record, -data["quantity"])
            case "EntryPosted":
                for line in data["lines"]:
                    if line["account"] == STOCK:
                        own = line["functional_debit"] - line["functional_credit"]
                        self._account[data["entity"], line["dimension"]] += own
            case "StockValued":
                item = data["entity"], data["sku"]
                self._valued[item][data["source_version"]] = data["units"], record.place
                if self._account[item] != data["value"]:
                    text = f"{STOCK} has {self._account[item]}, the units are worth {data['value']}"
                    self._found.append(_finding("stock-account-differs", item, text, record.place))
            case _:
                return

    def _moved(self, record: Record, units: int) -> None:
        if units:
            item = record.data["entity"], record.data["sku"]
            self._units[item] += units
            self._moves[item][record.version] = self._units[item], record.at, record.place

    def findings(self) -> Iterable[Finding]:
        """Return the first of each item: an account that differs, other units, units not valued."""
        first: dict[str, Finding] = {}
        for one in self._found:
            first.setdefault(one.subject, one)
        yield from first.values()
        for item in self._moves.keys() | self._valued.keys():
            yield from self._compared(item)

    def _compared(self, item: Item) -> Iterable[Finding]:
        moves, valued = self._moves.get(item, {}), self._valued.get(item, {})
        for version, (units, place) in sorted(valued.items()):
            here = moves[version][0] if version in moves else "nothing"
            if here != units:
                text = f"{units} are valued at version {version}, inventory has {here} there"
                yield _finding("units-valued-otherwise", item, text, place)
                return
        last = max(valued, default=0)
        for version, (_, at, place) in sorted(moves.items()):
            if version > last and at <= self._settled:
                text = f"version {version} of its stream has no cost"
                yield _finding("units-not-valued", item, text, place)
                return

    def figures(self) -> Mapping[str, Any]:
        """Return how many items there are, and what they are worth by company."""
        worth: dict[str, int] = defaultdict(int)
        for (entity, _), amount in self._account.items():
            worth[entity] += amount
        return {"items": len(self._valued), "worth_minor": dict(sorted(worth.items()))}


def _finding(code: str, item: Item, text: str, place: str) -> Finding:
    return Finding("P3", code, " ".join(item), text, (place,))
