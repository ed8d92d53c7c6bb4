"""A payment, and the intake that understands what Stripe tells of it unasked."""

import json
from collections.abc import Sequence
from typing import Any

from libs.contracts import payments
from libs.effects.kinds import Confirmed
from libs.replay.memory import MemoryRows
from libs.runtime.ports import InboxRow, Interpreted, Ports
from libs.runtime.settings import Settings
from services.payments import calls
from services.payments.commands import Terms
from services.payments.intake import PaymentsIntake
from services.payments.read_model import INTENTS
from services.payments.telling import tell
from tests.unit.memory import folded
from tests.unit.payments.samples import (
    HOUR,
    NOW,
    ORDER,
    STREAM,
    Payment,
    line,
)

MUGS = line("a", 2, 1000)
SETTINGS = Settings.model_validate(
    {
        "payments": {"card": {"provider": "stripe"}},
        "channels": {"shop": {"provider": "standard", "custody": "us", "payments": "card"}},
    }
)


class Intents(MemoryRows[Any]):
    """The rows of intents; they are `behind` by so many of the payment's events."""

    def __init__(self, payment: Payment) -> None:
        super().__init__(lambda: folded(INTENTS, payment.log[: len(payment.log) - self.behind]))
        self.behind = 0

    async def caught_up(self, seconds: float = 1.0) -> bool:
        del seconds
        return not self.behind


class Told:
    """A payment, and the intake that understands Stripe's events about it."""

    def __init__(self, terms: Terms | None = None, *, live: bool = True) -> None:
        self.payment = Payment(terms, live=live)
        none: Any = None
        self.now, self.rows = NOW + HOUR, Intents(self.payment)
        ports = Ports(SETTINGS, lambda: self.now, none, none, none, lambda _: self.rows)
        self.intake = PaymentsIntake(ports)
        self.strange: list[tuple[str, Any]] = []

    async def event(
        self, kind: str, body: dict[str, Any], at: int = NOW
    ) -> Interpreted | Exception:
        [told] = await self.events((kind, body, at))
        return told

    async def events(
        self, *given: tuple[str, dict[str, Any], int]
    ) -> Sequence[Interpreted | Exception]:
        """Have several understood together, at the second look, and taken one after another."""
        for _ in range(2):
            found = await self.intake.interpret([_row(*one) for one in given])
        for told in found:
            for stream, command in () if isinstance(told, Exception) else told.work:
                if stream == STREAM:
                    self.payment.tell(command)
                else:
                    self.strange.append((stream, command))
        return found

    def intent(self, **fields: Any) -> dict[str, Any]:
        asked = self.payment.last(payments.PaymentAuthorisationRequested)
        return {
            "id": "pi_0", "object": "payment_intent", "amount": asked.amount, "currency": "gbp",
            "status": "requires_capture", "amount_capturable": asked.amount, "amount_received": 0,
            "latest_charge": "ch_0",
            "metadata": {"lonja_order": ORDER, "lonja_intent": asked.intent_id},
        } | fields  # fmt: skip

    def charge(self, **fields: Any) -> dict[str, Any]:
        asked = self.payment.last(payments.PaymentAuthorisationRequested)
        end = {"card": {"capture_before": END // 1_000_000}, "type": "card"}
        return {
            "id": "ch_0", "object": "charge", "amount": asked.amount, "amount_captured": 0,
            "captured": False, "currency": "gbp", "payment_intent": "pi_0",
            "metadata": {"lonja_order": ORDER, "lonja_intent": asked.intent_id},
            "payment_method_details": end,
        } | fields  # fmt: skip

    def answer(self, status: Any) -> None:
        """Let Stripe answer the authorisation; what is to be confirmed has no end yet."""
        [(name, effect)] = self.payment.calls.items()
        self.payment.provider.call(name, calls.decode(effect.request))
        done = status == "authorised"
        said = calls.Authorised(
            status, "pi_0", "ch_0", 1000, "GBP", END if done else None, mandate=done
        )
        told = tell(self.payment.call(effect), Confirmed(said), NOW)
        self.payment.calls.clear()
        self.payment.tell(told)


def _row(kind: str, body: dict[str, Any], at: int) -> InboxRow:
    event = {"id": "evt_1", "type": kind, "created": at // 1_000_000, "data": {"object": body}}
    return InboxRow(1, "stripe", "card", "evt_1", kind, at, json.dumps(event).encode(), "")


END = NOW + 7 * 24 * HOUR


def sent_back(told: Told, **fields: Any) -> dict[str, Any]:
    [refund] = told.payment.state.refunds
    return {
        "id": "re_1", "object": "refund", "amount": 1000, "currency": "gbp", "status": "failed",
        "payment_intent": "pi_0", "charge": "ch_0", "failure_reason": "lost_or_stolen_card",
        "metadata": {"lonja_order": ORDER, "lonja_refund": refund},
    } | fields  # fmt: skip
