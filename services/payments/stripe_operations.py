"""The calls to Stripe: what is sent, how it is read, how one asks what became of it.

Authorise: `POST /v1/payment_intents`, confirmed at once, captured later. Capture, void:
`/v1/payment_intents/{id}/capture|cancel`. Refund: `POST /v1/refunds`.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from libs.effects.http import Answered
from libs.effects.kinds import Absent, Confirmed, Rejected, Result, Unknown
from libs.store.store import Call
from services.payments import calls, stripe_answers
from services.payments.stripe_money import from_stripe, to_stripe

T = TypeVar("T")
_PAGES = 20  # of 100: the list has the newest first
Form = list[tuple[str, str]]
Get = Callable[[str, str, Any, Sequence[tuple[str, str]]], Awaitable[Any]]


class Operation(Protocol):
    """One kind of call."""

    def form(self, call: Call) -> tuple[str, str, Form]:
        """Return account, path and form."""
        ...

    def read(self, call: Call, answer: Answered) -> Result:
        """Read a success."""
        ...

    async def ask(self, call: Call, get: Get) -> Result:
        """Find out what became of earlier attempts."""
        ...


def read(answer: Answered, kind: type[T]) -> T | Unknown:
    """Read an object; nonsense is an unknown outcome."""
    try:
        return msgspec.convert(answer.body, kind)
    except msgspec.ValidationError:
        return Unknown("malformed-answer")


def _amount(request: calls.Authorise | calls.Capture | calls.Refund) -> str:
    return str(to_stripe(request.amount, request.currency))


def _metadata(call: Call, order_id: str, **more: str) -> list[tuple[str, str]]:
    names = {"lonja_order": order_id, "lonja_effect": call.id, **more}
    return [(f"metadata[{name}]", value) for name, value in names.items()]


class Authorise:
    """Sets money aside; `statement` gives what buyers of an account read on their statement."""

    def __init__(self, statement: Callable[[str], str]) -> None:
        self._statement = statement

    def form(self, call: Call) -> tuple[str, str, Form]:
        """Return account, path and form. A method is `pm_…`, or `cus_…/pm_…` with its customer."""
        request = calls.decode(call.request)
        assert isinstance(request, calls.Authorise)
        customer, _, method = request.method.rpartition("/")
        form = [
            ("amount", _amount(request)), ("currency", request.currency.lower()),
            ("capture_method", "manual"), ("confirm", "true"), ("payment_method", method),
            ("payment_method_types[]", "card"), ("expand[]", "latest_charge"),
            *_metadata(call, request.order_id, lonja_intent=request.intent_id),
        ]  # fmt: skip
        if statement := self._statement(request.holder):
            form.append(("statement_descriptor_suffix", statement))
        if customer:
            form.append(("customer", customer))
        if request.off_session:
            form.append(("off_session", "true"))
        elif customer and request.keep_method:
            form.append(("setup_future_usage", "off_session"))
        return request.holder, "/v1/payment_intents", form

    def read(self, call: Call, answer: Answered) -> Result:
        """Read the intent."""
        del call
        intent = read(answer, stripe_answers.Intent)
        return intent if isinstance(intent, Unknown) else stripe_answers.authorised(intent)

    async def ask(self, call: Call, get: Get) -> Result:
        """Look for the effect's id, which the intent carries: by search, else through the list."""
        request = calls.decode(call.request)
        query = [
            ("query", f"metadata['lonja_effect']:'{call.id}'"), ("limit", "10"),
            ("expand[]", "data.latest_charge"),
        ]  # fmt: skip
        found = await get(
            request.holder, "/v1/payment_intents/search", stripe_answers.Intents, query
        )
        if found == Unknown("not-answered"):  # some accounts have no search
            return await self._listed(call, request.holder, get)
        if not isinstance(found, stripe_answers.Intents):
            refusal: Result = found
            return refusal
        mine = _carrying(found, call)
        return stripe_answers.authorised(mine) if mine is not None else Absent()

    async def _listed(self, call: Call, account: str, get: Get) -> Result:
        """Look through the newest payment intents; beyond those nobody can tell."""
        query = [("limit", "100"), ("expand[]", "data.latest_charge")]
        last = ""
        for _ in range(_PAGES):
            more = [("starting_after", last)] if last else []
            found = await get(account, "/v1/payment_intents", stripe_answers.Intents, query + more)
            if not isinstance(found, stripe_answers.Intents):
                refusal: Result = found
                return refusal
            mine = _carrying(found, call)
            if mine is not None:
                return stripe_answers.authorised(mine)
            if not found.has_more or not found.data:
                return Absent()
            last = found.data[-1].id
        return Unknown("not-among-the-newest")


def _carrying(found: stripe_answers.Intents, call: Call) -> stripe_answers.Intent | None:
    mine = [one for one in found.data if one.metadata.get("lonja_effect") == call.id]
    return mine[0] if mine else None


class Capture:
    """Captures what is set aside; what it leaves is released."""

    def form(self, call: Call) -> tuple[str, str, Form]:
        """Return account, path and form; what is not captured is released."""
        request = calls.decode(call.request)
        assert isinstance(request, calls.Capture)
        form = [("amount_to_capture", _amount(request)), ("expand[]", "latest_charge")]
        if not request.final:
            form.append(("final_capture", "false"))
        return request.holder, f"/v1/payment_intents/{request.provider_intent}/capture", form

    def read(self, call: Call, answer: Answered) -> Result:
        """Read the intent: what was received is what was captured."""
        request = calls.decode(call.request)
        assert isinstance(request, calls.Capture)
        intent = read(answer, stripe_answers.Intent)
        if isinstance(intent, Unknown):
            return intent
        return stripe_answers.captured(intent, request.amount) or Unknown("not-captured")

    async def ask(self, call: Call, get: Get) -> Result:
        """Look at the intent."""
        request = calls.decode(call.request)
        assert isinstance(request, calls.Capture)
        intent = await get(
            request.holder, f"/v1/payment_intents/{request.provider_intent}",
            stripe_answers.Intent, [("expand[]", "latest_charge")],
        )  # fmt: skip
        if not isinstance(intent, stripe_answers.Intent):
            refusal: Result = intent
            return refusal
        return stripe_answers.captured(intent, request.amount) or Absent()


class Void:
    """Gives back what is set aside."""

    def form(self, call: Call) -> tuple[str, str, Form]:
        """Return account, path and form."""
        request = calls.decode(call.request)
        assert isinstance(request, calls.Void)
        path = f"/v1/payment_intents/{request.provider_intent}/cancel"
        return request.holder, path, []

    def read(self, call: Call, answer: Answered) -> Result:
        """Read the intent."""
        del call
        intent = read(answer, stripe_answers.Intent)
        return intent if isinstance(intent, Unknown) else self._standing(intent)

    async def ask(self, call: Call, get: Get) -> Result:
        """Look at the intent."""
        request = calls.decode(call.request)
        assert isinstance(request, calls.Void)
        intent = await get(
            request.holder, f"/v1/payment_intents/{request.provider_intent}",
            stripe_answers.Intent, (),
        )  # fmt: skip
        if not isinstance(intent, stripe_answers.Intent):
            refusal: Result = intent
            return refusal
        return self._standing(intent)

    @staticmethod
    def _standing(intent: stripe_answers.Intent) -> Result:
        match intent.status:
            case "canceled":
                return Confirmed()
            case "succeeded":
                return Rejected("captured-already", calls.Refusal("succeeded", final=True))
            case _:
                return Absent()


class Refund:
    """Sends captured money back."""

    def form(self, call: Call) -> tuple[str, str, Form]:
        """Return account, path and form."""
        request = calls.decode(call.request)
        assert isinstance(request, calls.Refund)
        form = [("payment_intent", request.provider_intent), ("amount", _amount(request))]
        form += _metadata(call, request.order_id, lonja_refund=request.refund_id)
        return request.holder, "/v1/refunds", form

    def read(self, call: Call, answer: Answered) -> Result:
        """Read the refund; a pending one is on its way."""
        del call
        found = read(answer, stripe_answers.Refunded)
        return found if isinstance(found, Unknown) else self._standing(found)

    async def ask(self, call: Call, get: Get) -> Result:
        """List the intent's refunds: ours carries our id, whichever call it was."""
        request = calls.decode(call.request)
        assert isinstance(request, calls.Refund)
        query = [("payment_intent", request.provider_intent), ("limit", "100")]
        found = await get(request.holder, "/v1/refunds", stripe_answers.Refunds, query)
        if not isinstance(found, stripe_answers.Refunds):
            refusal: Result = found
            return refusal
        mine = [one for one in found.data if one.metadata.get("lonja_refund") == request.refund_id]
        if request.again:  # what failed is known to have failed, and is why it is asked for again
            mine = [one for one in mine if not one.undone]
        return self._standing(mine[0]) if mine else Absent()

    @staticmethod
    def _standing(found: stripe_answers.Refunded) -> Result:
        if found.undone:
            return Rejected("refund-failed", calls.Refusal(found.status or "", final=True))
        currency = found.currency.upper()
        return Confirmed(calls.Done(found.id, from_stripe(found.amount, currency), currency))
