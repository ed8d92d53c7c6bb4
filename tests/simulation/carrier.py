"""The carrier: the sandbox's own parcels and journeys, asked by the product's own adapters."""

from collections.abc import Callable
from typing import Any

from libs.effects.http import NoAnswer
from libs.effects.kinds import Confirmed, NotYet, Rejected, Result, Unknown
from services.fulfilment import easypost_words as words
from services.sandbox.carrier import commands
from services.sandbox.carrier.addresses import Refused
from services.sandbox.carrier.config import Fates, Settings
from services.sandbox.carrier.provider import Provider
from tests.simulation.loop import VirtualLoop
from tests.simulation.wire import Books, Clock, Wire

ACCOUNT = "post"
Json = dict[str, Any]


class Carrier:
    """All parcels; `tell` takes each event. A parcel travels once it was handed over."""

    def __init__(self, loop: VirtualLoop, seed: int, tell: Callable[[Json], None]) -> None:
        settings = Settings(
            api_key="key", webhook_secret="secret", account=ACCOUNT, seed=seed,
            pickup="on_handover",
            fates=Fates(lost=0.06, failed=0.06, returned=0.06, retried=0.1, late=0.1),
        )  # fmt: skip
        books: Any = Books()
        clock: Any = Clock(loop)
        self.provider = Provider(settings, books, clock)
        self.watch: Callable[[], None] = lambda: None
        self.streets: dict[str, str] = {}  # by the carrier's number of a parcel
        self._tell = tell

    def hand_over(self, code: str) -> None:
        """Take a parcel from the warehouse."""
        self.provider.hand_over([code])

    def fall_due(self) -> None:
        """Scan what is due to be scanned."""
        for event in self.provider.fall_due():
            self._tell(event)

    def next_due(self) -> int | None:
        """Return when something is scanned next, in microseconds."""
        due = self.provider.parcels._due
        return due[0][0] * 1_000_000 if due else None

    def answer(self, method: str, path: str, body: Json, fault: str) -> Result:
        """Answer a request, in the words of the product's HTTP client."""
        self.fall_due()
        if fault == "limited":
            return NotYet("throttled")
        if fault == "error" or (fault and method == "GET"):
            return Unknown("carrier-500")
        try:
            found = self._act(method, path.split("/"), body)
        except Refused as refused:
            code = words.error_code(refused.body)
            return Unknown("carrier-500") if fault else Rejected(code, refused.status)
        self.watch()
        return Unknown("carrier-500") if fault else Confirmed(found)

    def _act(self, method: str, path: list[str], body: Json) -> Json:
        parcels = self.provider.parcels
        match method, path:
            case "POST", ["shipments"]:
                made = self.provider.create(body)
                self.streets[made["id"]] = body["shipment"]["to_address"]["street1"]
                return made
            case "POST", ["shipments", number, "buy"]:
                return self.provider.buy(number, body)
            case "POST", ["shipments", number, "refund"]:
                return self.provider.give_back(number)
            case "GET", ["shipments", number]:
                now = self.provider.clock.now()
                return parcels.shown(commands.found(parcels, number), now)
            case "GET", ["trackers", number]:
                found = commands.found(parcels, parcels.by_tracker.get(number, ""))
                return parcels.tracker(found, self.provider.clock.now())
            case _:
                raise LookupError(f"{method} {path}")


class Account:
    """Stands for the product's HTTP account."""

    def __init__(self, carrier: Carrier, wire: Wire) -> None:
        self._carrier, self._wire = carrier, wire

    async def call(self, method: str, path: str, body: Any = None) -> Result:
        try:
            result: Result = await self._wire.ask(
                f"{method} {path}",
                lambda fault: self._carrier.answer(method, path, body or {}, fault),
            )
        except NoAnswer:
            return Unknown("carrier-silent")
        return result
