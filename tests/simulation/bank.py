"""The payment provider: the sandbox's own account, asked by the product's own adapters."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode
from zlib import crc32

import msgspec

from libs.effects.http import Answered, NoAnswer
from services.sandbox.stripe import form, keys
from services.sandbox.stripe.account import Turn
from services.sandbox.stripe.config import Settings
from services.sandbox.stripe.provider import BROKEN, LIMITED, Call, Provider
from services.sandbox.stripe.refusals import Refused
from tests.simulation.loop import VirtualLoop
from tests.simulation.wire import Books, Clock, Wire

ACCOUNT = "card"
DAY = 86_400
Json = dict[str, Any]
NEEDED = frozenset({
    "payment_intent.amount_capturable_updated", "payment_intent.succeeded",
    "payment_intent.payment_failed", "payment_intent.canceled", "charge.succeeded",
    "charge.captured", "charge.refunded", "charge.expired", "refund.failed", "refund.updated",
    "charge.dispute.created", "charge.dispute.updated", "charge.dispute.funds_withdrawn",
    "charge.dispute.closed",
})  # fmt: skip


_CLOSED = Refused(
    400, "invalid_request_error", "charge_not_refundable", "This card has been closed."
)


class Bank:
    """The account; `tell` takes each event that its endpoint asked for.

    In some worlds it says of no authorisation until when it can be captured; in some, it sends
    nothing back to some cards, however often it is asked: they are closed.
    """

    def __init__(self, loop: VirtualLoop, seed: int, tell: Callable[[Json], None]) -> None:
        settings = Settings(
            api_key="key", webhook_secret="secret", account=ACCOUNT, seed=seed,
            authorisation_seconds=7 * DAY, short_share=0.2, short_seconds=2 * 3600,
        )  # fmt: skip
        books: Any = Books()
        clock: Any = Clock(loop)
        self._loop = loop
        self.provider = Provider(settings, books, clock)
        self.watch: Callable[[], None] = lambda: None
        self._says_ends = seed % 4 > 0
        self._seed = seed
        self.silent_till = 0  # until then it does what it is asked, and no answer comes back
        self._tell, self._requests = tell, 0

    @property
    def silent(self) -> bool:
        """Say whether its answers are lost."""
        return self._loop.now < self.silent_till

    @property
    def intents(self) -> list[Json]:
        return list(self.provider.account.objects["payment_intent"].values())

    def fall_due(self) -> None:
        """Do what time has brought."""
        self._told(self.provider.fall_due())

    def unasked(self, act: Callable[[Turn], str]) -> str:
        """Let somebody do what nobody here asked for."""
        turn = Turn(self.provider.account, self.provider.clock.now())
        did = act(turn)
        self._told(self.provider._done(turn))
        return did

    def next_due(self) -> int | None:
        """Return when time brings something next, in microseconds."""
        due = self.provider.account._due
        return due[0][0] * 1_000_000 if due else None

    def _told(self, events: Sequence[Json]) -> None:
        for event in events:
            if event["type"] in NEEDED:
                self._tell(self._said(event))
        self.watch()

    def _said(self, body: Json) -> Json:
        return body if self._says_ends else _without_end(body)

    def post(self, path: str, body: str, key: str, fault: str) -> Answered:
        """Answer a form under its key, as the sandbox's door does."""
        self._requests += 1
        self.fall_due()
        call = Call(path, form.parse(body), key, keys.fingerprint(path, body), str(self._requests))
        try:
            kept = self.provider.keys.begin(key, call.request, self.provider.clock.now())
            if kept is not None:
                return _answer(kept.status, self._said(kept.body), replayed=True)
        except Refused as refused:
            return _answer(refused.status, refused.body)
        try:
            if fault == "limited":
                return _answer(429, LIMITED)
            if call.path == "/v1/refunds" and self._closed(str(call.given["payment_intent"])):
                raise _CLOSED
            met: Any = fault or None
            status, found, events = self.provider.perform(call, met)
        except Refused as refused:
            return _answer(refused.status, refused.body)
        finally:
            self.provider.keys.end(key)
        self._told(events)
        return _answer(status, self._said(found))

    def _closed(self, intent: str) -> bool:
        """Say whether the card is closed; somebody at the bank's own pages knows another way."""
        return self._seed % 3 > 0 and crc32(f"{self._seed}/{intent}".encode()) % 4 > 0

    def get(self, path: str, query: str, fault: str) -> Answered:
        """Answer a question."""
        self.fall_due()
        if fault:
            return _answer(429 if fault == "limited" else 500, BROKEN)
        try:
            return _answer(200, self._said(self.provider.answer(path, form.parse(query))))
        except Refused as refused:
            return _answer(refused.status, refused.body)


def _without_end(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_end(one) for one in value]
    if isinstance(value, dict):
        return {k: _without_end(v) for k, v in value.items() if k != "capture_before"}
    return value


def _answer(status: int, body: Json, *, replayed: bool = False) -> Answered:
    headers = {"idempotent-replayed": "true"} if replayed else {}
    return Answered(status, headers, msgspec.json.decode(msgspec.json.encode(body)))


class Client:
    """Stands for the HTTP client of the product."""

    def __init__(self, bank: Bank, wire: Wire) -> None:
        self._bank, self._wire = bank, wire

    def knows(self, account: str) -> bool:
        return account == ACCOUNT

    def statement(self, account: str) -> str:
        del account
        return ""

    async def post(
        self, account: str, path: str, given: Sequence[tuple[str, str]], key: str
    ) -> Answered:
        del account
        body = urlencode(given)
        return await self._answered(
            f"POST {path}", lambda fault: self._bank.post(path, body, key, fault)
        )

    async def get(self, account: str, path: str, query: Sequence[tuple[str, str]] = ()) -> Answered:
        del account
        text = urlencode(query)
        return await self._answered(f"GET {path}", lambda fault: self._bank.get(path, text, fault))

    async def _answered(self, what: str, act: Callable[[str], Answered]) -> Answered:
        answer: Answered = await self._wire.ask(what, act)
        if self._bank.silent:
            raise NoAnswer("ServerDisconnectedError")
        return answer

    async def close(self) -> None:
        """There is nothing to give back."""
