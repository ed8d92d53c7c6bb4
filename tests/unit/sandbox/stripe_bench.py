"""A Stripe-shaped account without HTTP, whose wall clock a test turns."""

from pathlib import Path
from typing import Any

from services.sandbox.books import Books
from services.sandbox.clock import Clock
from services.sandbox.stripe import form, keys
from services.sandbox.stripe.config import Settings
from services.sandbox.stripe.provider import Call, Provider

Json = dict[str, Any]
DAY = 86_400


class Bench:
    """A provider whose wall clock a test turns, with books that it can open again."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder, self.at = folder, 1_800_000_000.0
        given: Json = {"api_key": "sk", "webhook_secret": "whsec", "search_lag": 0} | settings
        self.settings = Settings(**given)
        self.events: list[Json] = []
        self.open()

    def open(self) -> None:
        self.books = Books(self.folder)
        self.provider = Provider(self.settings, self.books, Clock(wall=lambda: self.at))
        self.provider.start()

    def post(self, path: str, body: str = "", key: str | None = None) -> tuple[int, Json]:
        self.events += self.provider.fall_due()
        call = Call(path, form.parse(body), key, keys.fingerprint(path, body), "req_1")
        kept = self.provider.keys.begin(key, call.request, self.at) if key else None
        if kept is not None:
            return kept.status, kept.body
        try:
            status, found, events = self.provider.perform(call, self.provider.meets(call))
        finally:
            if key:
                self.provider.keys.end(key)
        self.events += events
        return status, found

    def get(self, path: str, query: str = "") -> Json:
        self.events += self.provider.fall_due()
        return self.provider.answer(path, form.parse(query))

    def authorised(self, amount: int = 2000, method: str = "pm_card_visa", more: str = "") -> Json:
        body = f"amount={amount}&currency=gbp&confirm=true&capture_method=manual"
        status, found = self.post(
            "/v1/payment_intents",
            f"{body}&payment_method={method}&metadata[lonja_order]=o1&metadata[lonja_intent]=i1{more}",
        )
        assert status == 200, found
        return found

    def told(self) -> list[str]:
        return [one["type"] for one in self.events]
