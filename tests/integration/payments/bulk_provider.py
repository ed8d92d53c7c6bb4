"""A model of Stripe at the client's seam: keys that live 24 hours, answers that get lost, books."""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any

import aiohttp
import msgspec

from libs.effects.http import Answered, NotReached

SECOND = 1_000_000  # microseconds
HOUR = 3600 * SECOND
KEY_LIVES = 24 * HOUR
SEARCH_LAG = 60 * SECOND
SLOT = 500_000  # microseconds: everything on the wire arrives in slots, so that turns have batches
LIMITED = Answered(429, {"retry-after": "2"}, None)
BROKEN = b'{"error":{"type":"api_error"}}'
UNEXPECTED = b'{"error":{"type":"invalid_request_error","code":"payment_intent_unexpected_state"}}'
DECLINED = b'{"error":{"type":"card_error","code":"card_declined","decline_code":"lost_card"}}'


class BulkStripe:
    """Takes the client's place. What a call meets is drawn once per key, so that it can last.

    `doubtful` of the keys meet a doubt: the answer is lost or later than the caller waits, a 500
    is stored before or after the effect, or for up to two days and a half no answer comes through.
    """

    def __init__(self, rng: Random, now: Any, doubtful: float) -> None:
        self.rng, self.now, self.doubtful = rng, now, doubtful
        self.intents: dict[str, dict[str, Any]] = {}
        self.by_effect: dict[str, list[str]] = {}
        self.of_order: dict[str, list[str]] = {}
        self.keys: dict[str, tuple[int, tuple[Any, ...], int, bytes]] = {}
        self.fates: dict[str, str] = {}
        self.silent_till: dict[str, int] = {}
        self.doubts: set[str] = set()
        self.most_at_once: dict[str, int] = {}
        self.captured: dict[str, int] = {}
        self.calls = 0

    def knows(self, _: str) -> bool:
        return True

    def statement(self, _: str) -> str:
        return ""

    async def close(self) -> None:
        """Nothing is kept open."""

    async def post(self, _: str, path: str, form: Sequence[Any], key: str) -> Answered:
        """Let the request travel by itself: the caller may be gone when it arrives."""
        self.calls += 1
        fate = self._fate(key, path)
        if fate == "unreachable" and self.rng.random() < 0.5:
            raise NotReached
        answer = asyncio.get_running_loop().create_future()
        self._later(self._travel(fate), self._arrived, answer, key, (path, *form), fate)
        got: Answered = await answer
        return got

    async def get(self, _: str, path: str, query: Sequence[Any] = ()) -> Answered:
        """Answered at once or not at all: while a key is silent, so is what asks after it."""
        await asyncio.sleep(0.5)
        search = path.endswith("/search")
        about = dict(query)["query"].split("'")[3] if search else path.split("/")[3]
        if self.rng.random() < 0.05 or self.now() < self.silent_till.get(about, 0):
            raise aiohttp.ServerDisconnectedError
        if not search:
            return self._answer(self.intents.get(about))
        found = [self.intents[name] for name in self.by_effect.get(about, ())]
        seen = [one for one in found if one["created"] + SEARCH_LAG <= self.now()]
        return self._answer({"data": seen})

    def _fate(self, key: str, path: str) -> str:
        if key not in self.fates:
            doubt = self.rng.random() < self.doubtful
            kinds = ("lost", "late", "500", "done-500", "silent", "dropped")
            calm = self.rng.choices(("", "429", "unreachable"), (97, 1, 2))[0]
            self.fates[key] = fate = self.rng.choice(kinds) if doubt else calm
            if doubt:
                self.doubts.add(key)
            if fate == "silent":
                about = path.split("/")[3:4] or [key]  # what one would ask after
                till = self.now() + self.rng.randrange(HOUR, 60 * HOUR)
                self.silent_till |= dict.fromkeys([key, *about], till)
        elif self.fates[key] not in {"silent", "500", "done-500"} and self.rng.random() < 0.6:
            self.fates[key] = ""
        return self.fates[key]

    def _travel(self, fate: str) -> int:
        slow = fate == "late" or self.rng.random() < 0.01
        return SLOT * (self.rng.randrange(62, 180) if slow else self.rng.randrange(1, 6))

    def _later(self, wait: int, what: Any, *given: Any) -> None:
        """Call on the next slot after so many microseconds."""
        loop = asyncio.get_running_loop()
        at = (self.now() + wait) // SLOT * SLOT
        loop.call_later(max(at - self.now(), 0) / SECOND, what, *given)

    def _arrived(
        self, answer: "asyncio.Future[Answered]", key: str, asked: tuple[Any, ...], fate: str
    ) -> None:
        said = None if fate == "dropped" else self._served(key, asked, fate)
        if fate == "silent" and self.now() < self.silent_till[key]:
            said = None
        if answer.done():
            return  # whoever asked has been killed or waits no longer
        if fate in {"lost", "dropped"}:
            answer.set_exception(aiohttp.ServerDisconnectedError())
        elif said is not None:
            answer.set_result(said)

    def _served(self, key: str, asked: tuple[Any, ...], fate: str) -> Answered:
        if fate == "429" and self.rng.random() < 0.5:
            return LIMITED
        held = self.keys.get(key)
        if held is not None and held[0] + KEY_LIVES > self.now():
            assert held[1] == asked, "another request under the same key"
            return _answered(held[2], held[3], replayed=True)
        status, body = (500, BROKEN) if fate == "500" else self._do(asked[0], dict(asked[1:]))
        if fate == "done-500":
            status, body = 500, BROKEN
        self.keys[key] = (self.now(), asked, status, body)
        return _answered(status, body)

    def _do(self, path: str, form: dict[str, str]) -> tuple[int, bytes]:
        if path == "/v1/payment_intents":
            return self._create(form)
        intent, action = self.intents[path.split("/")[3]], path.rsplit("/", 1)[1]
        if intent["status"] != "requires_capture":
            return 400, UNEXPECTED
        if action == "cancel":
            intent |= {"status": "canceled", "amount_capturable": 0}
        else:
            amount, order = int(form["amount_to_capture"]), intent["metadata"]["lonja_order"]
            assert amount <= intent["amount"]
            intent |= {"status": "succeeded", "amount_received": amount, "amount_capturable": 0}
            self.captured[order] = self.captured.get(order, 0) + amount
        return 200, msgspec.json.encode(intent)

    def _create(self, form: dict[str, str]) -> tuple[int, bytes]:
        effect, order = form["metadata[lonja_effect]"], form["metadata[lonja_order]"]
        if form["payment_method"] == "pm_lost":
            return 402, DECLINED
        name = f"pi_{len(self.intents)}"
        before = (self.now() + 7 * 24 * HOUR) // SECOND
        intent = {
            "id": name, "amount": int(form["amount"]), "currency": form["currency"],
            "amount_received": 0, "amount_capturable": int(form["amount"]),
            "status": "requires_capture", "created": self.now(),
            "metadata": {"lonja_effect": effect, "lonja_order": order},
            "latest_charge": {"id": f"ch_{name}", "payment_method_details": {
                "card": {"capture_before": before}}},
        }  # fmt: skip
        self.intents[name] = intent
        self.by_effect.setdefault(effect, []).append(name)
        self.of_order.setdefault(order, []).append(name)
        mine = [self.intents[one] for one in self.of_order[order]]
        live = sum(one["amount_received"] + one["amount_capturable"] for one in mine)
        self.most_at_once[order] = max(live, self.most_at_once.get(order, 0))
        return 200, msgspec.json.encode(intent)

    @staticmethod
    def _answer(found: Any) -> Answered:
        return _answered(200 if found else 404, msgspec.json.encode(found))


def _answered(status: int, body: bytes, *, replayed: bool = False) -> Answered:
    headers = {"idempotent-replayed": "true"} if replayed else {}
    return Answered(status, headers, msgspec.json.decode(body))
