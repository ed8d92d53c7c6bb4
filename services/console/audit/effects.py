"""P3, between a service's work list and its topic: what became of a call that was given up.

A call that nobody tries any more keeps its row, whatever a person finds out and says of it
afterwards; that is told by the topic alone.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from services.console.audit.record import Finding, Record

# Event that asks for a call -> what the call is about, and the events that tell what became of it.
OUTCOMES: Mapping[str, tuple[str, frozenset[str]]] = {
    "PaymentAuthorisationRequested": (
        "intent_id", frozenset({"PaymentAuthorised", "PaymentActionRequired", "PaymentDeclined"}),
    ),
    "PaymentCaptureRequested": (
        "capture_id", frozenset({"PaymentCaptured", "PaymentCaptureFailed"}),
    ),
    "PaymentVoidRequested": ("intent_id", frozenset({"PaymentVoided", "AuthorisationExpired"})),
    "RefundRequested": ("refund_id", frozenset({"RefundMade", "RefundFailed"})),
    # A quote binds nobody: asking anew, or for nothing any more, ends it.
    "LabelRequested": (
        "shipment_id",
        frozenset({
            "LabelQuoted", "LabelBought", "LabelRefused", "LabelRequested", "ShipmentCancelled",
        }),
    ),
    "LabelQuoted": ("label_id", frozenset({"LabelBought", "LabelRefused"})),
    "LabelVoidRequested": ("label_id", frozenset({"LabelVoided"})),
    "ChannelReportRequested": (
        "report_id", frozenset({"ChannelReportConfirmed", "ChannelReportRefused"}),
    ),
}  # fmt: skip
QUESTIONS = frozenset({"TrackingAsked"})  # changes nothing outside, answered or not

_ENDS: Mapping[str, tuple[str, ...]] = {
    outcome: tuple(name for name, (_, ends) in OUTCOMES.items() if outcome in ends)
    for outcome in {one for _, ends in OUTCOMES.values() for one in ends}
}


class EffectsCheck:
    """Calls by the event that asked for them, and whether their outcome was told since."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str, str], set[str]] = {}  # stream, asked, subject -> events
        self._known: set[str] = set()  # events whose calls are known, and calls that a topic names

    def see(self, record: Record) -> None:
        """Note what was asked for, and what is known of it; both are of one stream."""
        data = record.data
        if record.type == "PaymentOutcomeResolved":
            self._known.add(data["effect_id"])
        for asked in _ENDS.get(record.type, ()):
            subject = data[OUTCOMES[asked][0]]
            self._known |= self._open.pop((record.stream, asked, subject), set())
        if record.type in OUTCOMES:
            name = (record.stream, record.type, data[OUTCOMES[record.type][0]])
            self._open.setdefault(name, set()).add(record.id)
        elif record.type in QUESTIONS:
            self._known.add(record.id)

    def known(self, effect: str, cause: str) -> bool:
        """Say whether it was told what became of a call; `cause` is the event that asked for it."""
        return effect in self._known or cause in self._known

    def findings(self) -> Iterable[Finding]:
        """Return nothing: a call is judged with the row of it."""
        return ()

    def figures(self) -> Mapping[str, Any]:
        """Return how many calls were asked for whose outcome was, and was not, told."""
        unknown = sum(map(len, self._open.values()))
        return {"told": len(self._known), "not_told": unknown}
