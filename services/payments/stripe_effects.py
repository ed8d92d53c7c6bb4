"""The calls to Stripe as effects: done once whatever is lost, and found out where it is unknown.

A key is honoured for 24 hours, stored failures included: so a doubt repeats the call, asks where
the answer is a stored failure, and asks once the key's time is nearly over.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from libs.effects.http import NoAnswer, NotReached
from libs.effects.kinds import (
    Absent,
    EffectKind,
    NotYet,
    Rejected,
    Result,
    Unknown,
)
from libs.store.store import Call
from services.payments import calls, stripe_answers
from services.payments.folding import NEVER
from services.payments.stripe_client import StripeClient, replayed
from services.payments.stripe_money import TOO_FINE, takes
from services.payments.stripe_operations import (
    Authorise,
    Capture,
    Operation,
    Refund,
    Void,
    read,
)
from services.payments.telling import tell

HOUR = 3_600_000_000  # microseconds
HONOURED = 22 * HOUR  # a key lives 24 hours; what is unknown then is asked for before it ends
ATTEMPTS = 60  # with pauses that grow to an hour: a day of them, and then a person
SEARCHED = 120_000_000  # microseconds after which a search has seen what was done
T = TypeVar("T")


class StripeAdapter:
    """Carries out one kind of call."""

    def __init__(
        self, operation: Operation, client: StripeClient, clock: Callable[[], int]
    ) -> None:
        self.operation, self.client, self.clock = operation, client, clock

    async def perform(self, call: Call) -> Result:
        """Make the call under its key; a stored failure is looked into."""
        request = calls.decode(call.request)
        if not self.client.knows(request.holder):
            return NotYet("payments-account-missing")
        if not isinstance(request, calls.Void) and not takes(request.amount, request.currency):
            return Rejected(TOO_FINE, calls.Refusal(final=True))
        if isinstance(request, calls.Refund) and request.again:
            found = await self.ask(call)  # a person may be wrong about what was never done
            if not isinstance(found, Absent):
                return found
        try:
            answer = await self.client.post(*self.operation.form(call), key=call.id)
        except NotReached:
            return NotYet("unreachable")
        except NoAnswer as error:
            return Unknown(f"connection-{error}".lower()[:60])
        result = stripe_answers.understood(answer, self.clock())
        if result is None:
            return self.operation.read(call, answer)
        if answer.status >= 500 and replayed(answer):
            return await self._stored(call, result)
        if isinstance(result, Rejected) and _suspicious(result):
            found = await self.ask(call)
            return result if isinstance(found, Absent) else found
        return result

    async def _stored(self, call: Call, result: Result) -> Result:
        """Find out what a stored failure has done: the same key will never say more."""
        if self.clock() < max(call.doubt_since, call.planned_at) + SEARCHED:
            return result
        found = await self.ask(call)
        return Rejected(NEVER) if isinstance(found, Absent) else found

    async def close(self) -> None:
        """Give connections back."""
        await self.client.close()

    async def ask(self, call: Call) -> Result:
        """Find out what became of earlier attempts."""
        return await self.operation.ask(call, self.get)

    async def get(
        self, account: str, path: str, kind: type[T], query: Sequence[tuple[str, str]]
    ) -> T | Result:
        """Ask for an object; what is not an object of this kind is a result."""
        try:
            answer = await self.client.get(account, path, query)
        except NotReached:
            return Unknown("unreachable")
        except NoAnswer:
            return Unknown("connection")
        result = stripe_answers.understood(answer, self.clock())
        if result is not None:
            return Unknown(result.code if isinstance(result, Unknown) else "not-answered")
        return read(answer, kind)


def _suspicious(refusal: Rejected) -> bool:
    """Say whether a refusal may mean that it is done already."""
    answer = refusal.answer
    return isinstance(answer, calls.Refusal) and answer.word == "payment_intent_unexpected_state"


def stripe_kinds(
    client: StripeClient, clock: Callable[[], int], per_second: float = 90.0
) -> list[EffectKind]:
    """Return the kinds of effect that Stripe carries out, all within one budget of calls."""
    operations: dict[str, Operation] = {
        "authorise": Authorise(client.statement),
        "capture": Capture(),
        "void": Void(),
        "refund": Refund(),
    }
    return [
        EffectKind(
            f"stripe.{name}", StripeAdapter(operation, client, clock), tell, "repeat", "stripe",
            honoured=HONOURED, attempts=ATTEMPTS, timeout=30.0, per_second=per_second,
            burst=max(1, int(per_second)),
        )
        for name, operation in operations.items()
    ]  # fmt: skip
