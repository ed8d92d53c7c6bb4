"""The events of one decision as they are told, and the state that they lead to. Pure."""

from typing import Any

from libs.contracts import payments
from services.payments.evolve import PaymentEvent, evolve
from services.payments.folding import disagreement
from services.payments.state import PaymentState

PERSON_WITHIN = 48 * 3_600_000_000  # microseconds that a person has for what waits for one


class Story:
    """What happens to a payment in one decision; `at` is its time, microseconds."""

    def __init__(self, state: PaymentState, at: int) -> None:
        self.state, self.at = state, at
        self.events: list[PaymentEvent] = []

    def tell(self, event: PaymentEvent) -> None:
        """Add what happened next."""
        self.events.append(event)
        self.state = evolve(self.state, event)

    def names(self, occurred_at: int | None = None) -> dict[str, Any]:
        """Return the fields that every event has."""
        at = self.at if occurred_at is None else occurred_at
        return {"entity": self.state.entity, "occurred_at": at, "order_id": self.state.order_id}

    def resolve(self, effect_id: str, subject: str, outcome: str, *, by: str = "provider") -> None:
        """Tell that a doubt has ended, whoever told what became of the call."""
        for name, doubt in sorted(self.state.doubts.items()):
            if name == effect_id or (subject and doubt.subject == subject):
                ended = outcome if by == "provider" else "a-person"
                self.tell(
                    payments.PaymentOutcomeResolved(
                        **self.names(), effect_id=name, what=doubt.what,
                        intent_id=intent_of(self.state, doubt.what, doubt.subject),
                        outcome=ended, since=doubt.since,
                    )
                )  # fmt: skip

    def disagree(
        self, code: str, holder: str, reference: str, amount: int, currency: str, expected: int,
        occurred_at: int | None = None,
    ) -> None:  # fmt: skip
        """Tell, once, that a provider says what does not fit; nothing else follows from it."""
        if disagreement(code, reference, amount, currency) in self.state.disagreed:
            return
        self.tell(
            payments.PaymentDisagreed(
                **self.names(occurred_at), holder=holder, provider_reference=reference, code=code,
                amount=amount, currency=currency, expected_amount=expected,
                expected_currency=self.state.currency, deadline=self.at + PERSON_WITHIN,
            )
        )  # fmt: skip


def intent_of(state: PaymentState, what: str, subject: str) -> str:
    """Return the intent that a call was about."""
    match what:
        case "capture":
            capture = state.captures.get(subject)
        case "refund":
            refund = state.refunds.get(subject)
            capture = None if refund is None else state.captures.get(refund.capture_id)
        case _:
            return subject
    return "" if capture is None else capture.intent_id
