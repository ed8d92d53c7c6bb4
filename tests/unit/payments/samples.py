"""A payment with a provider of its own: statements, parcels, and calls that are answered in any way."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

from libs.contracts import common, fulfilment, orders
from libs.effects.kinds import Confirmed, Rejected, Unknown
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.process import Effect, Timer
from libs.eventsourcing.states import pack
from libs.store.store import Call
from services.payments import calls, commands, planning, process
from services.payments.commands import Terms
from services.payments.decider import PAYMENT
from services.payments.state import PaymentState
from services.payments.stripe_money import TOO_FINE, takes
from services.payments.telling import tell

NOW = 1_780_000_000_000_000
HOUR = 3_600_000_000
ORDER = "ord_0123456789abcdef0123"
STREAM = f"payment-{ORDER}"


def line(name: str, units: int, amount: int) -> common.LineAmount:
    return common.LineAmount(line_id=name, quantity=units, amount=amount)


def tender(kind: common.TenderKind, amount: int) -> common.Tender:
    return common.Tender(kind=kind, kind_word="", amount=amount, reference=None)


def required(
    *lines: common.LineAmount, revision: int = 1, charges: int = 0, total: int | None = None,
    **fields: Any,
) -> orders.PaymentRequired:  # fmt: skip
    amount = sum(one.amount for one in lines) + charges
    given: dict[str, Any] = {
        "entity": "main", "occurred_at": NOW, "order_id": ORDER, "revision": revision,
        "account": "shop", "provider": "standard", "custody": "us", "funds": "none",
        "currency": "GBP", "amount": amount, "total": amount if total is None else total,
        "lines": lines, "charges_amount": charges, "tenders": (), "method": "pm_card_visa",
        "subject": "s", "decide_by": NOW + 48 * HOUR,
    }  # fmt: skip
    return orders.PaymentRequired(**(given | fields))


def packed(name: str, *units: tuple[str, int]) -> fulfilment.ShipmentPacked:
    rows = tuple(
        common.ShipmentRow(order_id=ORDER, line_id=line_id, quantity=n) for line_id, n in units
    )
    return fulfilment.ShipmentPacked(
        entity="main", occurred_at=NOW, shipment_id=name, location="main", rows=rows, units=(),
        weight_grams=None, by="system",
    )  # fmt: skip


def stopped(name: str, *units: tuple[str, int]) -> fulfilment.DispatchStopped:
    rows = tuple(
        common.ShipmentRow(order_id=ORDER, line_id=line_id, quantity=n) for line_id, n in units
    )
    return fulfilment.DispatchStopped(
        entity="main", occurred_at=NOW, shipment_id=name, order_id=ORDER, rows=rows, units=(),
        reason="cancelled",
    )  # fmt: skip


def enveloped(event: Any, version: int, service: str, at: int = NOW) -> Envelope[Any]:
    return Envelope(event, "", f"id-{service}-{version}", STREAM, version, at, service, 0, version,
                    "")  # fmt: skip


class Provider:
    """A provider's books: what is set aside, captured and sent back, by its own rules."""

    def __init__(self, prefix: str = "pi") -> None:
        self.prefix = prefix
        self.intents: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, int] = {}
        self.sent_back: dict[str, Confirmed] = {}
        self.by_key: dict[str, Any] = {}
        self.decline: tuple[str, bool] | None = None
        self.refuses_refunds = False
        self.mandate = False
        self.expires: int | None = None
        self.requests: list[calls.Request] = []

    @property
    def captured(self) -> int:
        return sum(one["received"] for one in self.intents.values())

    @property
    def refunded(self) -> int:
        return sum(self.refunds.values())

    def call(self, key: str, request: calls.Request) -> Any:
        """Do it once per key; the same key gives the same answer."""
        if key not in self.by_key:
            self.requests.append(request)
            self.by_key[key] = self._do(key, request)
        return self.by_key[key]

    def _do(self, key: str, request: calls.Request) -> Any:
        if not isinstance(request, calls.Void) and not takes(request.amount, request.currency):
            return Rejected(TOO_FINE, calls.Refusal(final=True))
        match request:
            case calls.Authorise():
                if self.decline is not None:
                    return Rejected(self.decline[0], calls.Refusal("word", self.decline[1]))
                name = f"{self.prefix}_{len(self.intents)}"
                self.intents[name] = {"amount": request.amount, "received": 0, "open": True}
                return Confirmed(calls.Authorised("authorised", name, "ch", request.amount,
                                                  request.currency, self.expires, self.mandate))  # fmt: skip
            case calls.Capture():
                intent = self.intents[request.provider_intent]
                if not intent["open"] or request.amount > intent["amount"]:
                    return Rejected("authorisation-expired", calls.Refusal("expired"))
                intent["received"], intent["open"] = request.amount, False
                reference = "ch_" + request.provider_intent
                return Confirmed(calls.Done(reference, request.amount, request.currency))
            case calls.Void():
                intent = self.intents[request.provider_intent]
                if intent["received"]:
                    return Rejected("captured-already", calls.Refusal("succeeded"))
                intent["open"] = False
                return Confirmed()
            case calls.Refund() if request.again and request.refund_id in self.sent_back:
                return self.sent_back[request.refund_id]
            case calls.Refund() if self.refuses_refunds:
                return Rejected("balance-insufficient", calls.Refusal("insufficient_balance"))
            case calls.Refund():
                intent = self.intents[request.provider_intent]
                assert (
                    intent["received"] >= self.refunded_of(request.provider_intent) + request.amount
                )
                self.refunds[f"{request.provider_intent}/{key}"] = request.amount
                done = Confirmed(calls.Done("re_" + key, request.amount, request.currency))
                self.sent_back[request.refund_id] = done
                return done

    def by_hand(self, name: str, amount: int) -> None:
        """Send back what somebody asks for in the provider's dashboard."""
        self.refunds[f"{name}/by-hand-{len(self.refunds)}"] = amount

    def refunded_of(self, name: str) -> int:
        return sum(n for key, n in self.refunds.items() if key.startswith(f"{name}/"))


class Payment:
    """The real decider, reactions and plans; calls wait until they are answered."""

    def __init__(self, terms: Terms | None = None, *, live: bool = True) -> None:
        self.terms = Terms("card") if terms is None else terms
        self.react = process.reacting_to_orders(lambda _: self.terms)
        self.state = PaymentState()
        self.events: list[Any] = []
        self.log: list[Envelope[Any]] = []
        self.calls: dict[str, Effect] = {}
        self.timers: dict[str, Timer] = {}
        self.provider = Provider()
        self.live = live
        self.now = NOW
        self._seen = 0

    def fact(self, *facts: Any) -> list[Any]:
        """Let facts arrive; with a live provider, calls are answered at once."""
        events: list[Any] = []
        for one in facts:
            self._seen += 1
            service = type(one).__module__.rpartition(".")[2]
            react = self.react if service == "orders" else process.react_to_fulfilment
            for _, command in react(enveloped(one, self._seen, service, self.now)):
                events += self.tell(command)
        return events

    def tell(self, command: Any) -> list[Any]:
        pack(command)
        told = list(PAYMENT.decide(command, self.state))
        self.state = reduce(PAYMENT.evolve, told, self.state)
        if not isinstance(command, commands.Decide):
            assert not PAYMENT.decide(command, self.state), command
        for event in told:
            self.events.append(event)
            envelope = enveloped(event, len(self.events), "payments", self.now)
            self.log.append(envelope)
            for item in planning.plan(envelope):
                if isinstance(item, Effect):
                    self.calls[item.id] = item
                else:
                    self.timers[item.id] = item
        return told + (self.answer_all() if self.live else [])

    def answer_all(self) -> list[Any]:
        told: list[Any] = []
        while self.calls:
            told += self.answer(next(iter(self.calls)))
        return told

    def answer(self, name: str, *, lost: bool = False, dropped: bool = False) -> list[Any]:
        """Answer a call; one whose answer is lost has been done, a dropped one has not been."""
        effect = self.calls[name]
        lost = lost or dropped
        result = None if dropped else self.provider.call(name, calls.decode(effect.request))
        if not lost:
            del self.calls[name]
        command = tell(self.call(effect), Unknown("timeout") if lost or result is None else result,
                       self.now)  # fmt: skip
        return self.tell(command) if command is not None else []

    def give_up(self, name: str) -> list[Any]:
        """Let the worker give a call up: nobody tries it any more."""
        call = self.call(self.calls.pop(name), self.now)
        command = tell(call, Unknown("attempts-used-up"), self.now)
        return self.tell(command) if command is not None else []

    def call(self, effect: Effect, doubt_since: int = 0) -> Call:
        return Call(effect.id, effect.kind, STREAM, effect.request, 1, 1, doubt_since, NOW)

    def due(self, until: int) -> list[Any]:
        """Let all timers up to this time come due."""
        told: list[Any] = []
        while ready := [t for t in self.timers.values() if t.due <= until]:
            one = min(ready, key=lambda t: t.due)
            del self.timers[one.id]
            self.now = max(self.now, one.due)
            told += self.tell(one.command)
        return told

    def types(self, since: int = 0) -> list[str]:
        return [type(event).__name__ for event in self.events[since:]]

    def last(self, kind: type[Any]) -> Any:
        return next(event for event in reversed(self.events) if isinstance(event, kind))

    def cleared(self) -> list[tuple[str, str, int]]:
        return [
            (e.shipment_id, e.basis, e.amount)
            for e in self.events
            if type(e).__name__ == "ShipmentCleared"
        ]


def names(events: Sequence[Any]) -> list[str]:
    return [type(event).__name__ for event in events]
