"""Parcels: no line leaves beyond its quantity, each leaves once, each label is bought once."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from services.console.audit.record import Finding, Record


class ParcelsCheck:
    """Parcels from fulfilment's events, beside what orders say was ordered."""

    def __init__(self) -> None:
        self._ordered: dict[tuple[str, str], int] = {}
        self._again: dict[tuple[str, str], int] = defaultdict(int)  # units that a person sent anew
        self._sent: dict[tuple[str, str], int] = defaultdict(int)
        self._dispatched: dict[str, list[Record]] = defaultdict(list)
        self.labels: dict[str, Record] = {}  # our label id
        self._labels_of: dict[str, list[Record]] = defaultdict(list)  # shipment
        self._voided: set[str] = set()
        self.returned: set[str] = set()  # the carrier's names of labels that are given back
        self.tracked: dict[str, set[str]] = defaultdict(set)  # order -> tracking codes told

    def see(self, record: Record) -> None:
        """Take in what is ordered, bought and sent."""
        data = record.data
        match record.type:
            case "OrderPlaced" | "OrderAmended":
                for line in data["order"]["lines"]:
                    name = (data["order_id"], line["line_id"])
                    self._ordered[name] = max(self._ordered.get(name, 0), line["quantity"])
            case "OrderDecisionTaken" if data["decision"] == "reship":
                for line in data["lines"]:
                    self._again[data["order_id"], line["line_id"]] += line["quantity"]
            case "LabelBought":
                self.labels[data["label_id"]] = record
                self._labels_of[data["shipment_id"]].append(record)
            case "LabelVoidRequested":
                self.returned.add(data["provider_shipment"])
            case "LabelVoided":
                self._voided.add(data["label_id"])
            case "ShipmentDispatched":
                self._dispatched[data["shipment_id"]].append(record)
                for row in data["rows"]:
                    self._sent[row["order_id"], row["line_id"]] += row["quantity"]
                    if data["tracking_code"]:
                        self.tracked[row["order_id"]].add(data["tracking_code"])
            case _:
                return

    def findings(self) -> Iterable[Finding]:
        """Return parcels that left twice, lines sent beyond their quantity, labels bought twice."""
        for shipment, records in self._dispatched.items():
            if len(records) > 1:
                places = tuple(one.place for one in records)
                yield Finding("P1", "sent-twice", shipment, f"{len(records)} hand-overs", places)
        for name, units in self._sent.items():
            ordered, again = self._ordered.get(name, 0), self._again.get(name, 0)
            if units > ordered + again:
                text = f"{units} sent of {ordered} ordered and {again} sent anew on {name[1]}"
                yield Finding("P2", "sent-beyond-order", name[0], text)
        for shipment, records in self._labels_of.items():
            live = [one for one in records if one.data["label_id"] not in self._voided]
            if len(live) > 1:
                places = tuple(one.place for one in live)
                yield Finding("P1", "label-bought-twice", shipment, f"{len(live)} labels", places)

    def figures(self) -> Mapping[str, Any]:
        """Return parcels and labels."""
        return {"dispatched": len(self._dispatched), "labels_bought": len(self.labels)}
