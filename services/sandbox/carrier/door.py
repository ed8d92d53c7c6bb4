"""An EasyPost-shaped carrier over HTTP: authentication, faults, signed tracking events, books."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiohttp import web
from msgspec import json

from services.sandbox.books import Books
from services.sandbox.carrier import commands, reports, signing
from services.sandbox.carrier.addresses import Refused
from services.sandbox.carrier.config import Settings
from services.sandbox.carrier.provider import Provider
from services.sandbox.hooks import Hook
from services.sandbox.process import hang_up
from services.sandbox.provider_door import Teller, admitted, answer

Json = dict[str, Any]
_BROKEN = Refused(500, "INTERNAL_SERVER_ERROR", "An unexpected error occurred.")
_LIMITED = Refused(429, "RATE_LIMITED", "Too many requests; try again later.")


class Door:
    """What the process serves."""

    def __init__(self, settings: Settings, books: Books, provider: Provider, target: str) -> None:
        self._settings, self._books, self._provider = settings, books, provider
        self._target = target
        self._buying: set[str] = set()
        self._teller = Teller(settings, provider, self._sign)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/books", self.books)
        app.router.add_get("/progress", self.progress)
        app.router.add_post("/clock", self.clock)
        app.router.add_post("/handovers", self.handovers)
        app.router.add_post("/v2/shipments", self.create)
        app.router.add_get("/v2/shipments/{id}", self.shipment)
        app.router.add_post("/v2/shipments/{id}/buy", self.buy)
        app.router.add_post("/v2/shipments/{id}/refund", self.refund)
        app.router.add_post("/v2/trackers", self.track)
        app.router.add_get("/v2/trackers", self.trackers)
        app.router.add_get("/v2/trackers/{id}", self.tracker)
        return app

    async def work(self) -> None:
        await self._teller.work(self._target, self._books)

    async def close(self) -> None:
        """Nothing is in flight that the books do not know."""

    def finish(self) -> None:
        self._books.close()

    def _sign(self, hook: Hook) -> dict[str, str]:
        return signing.headers(self._settings.webhook_secret, hook.path, hook.body, time.time())

    async def create(self, request: web.Request) -> web.StreamResponse:
        given = await self._given(request)
        wanted = given.get("shipment")
        reference = str(wanted.get("reference") or "") if isinstance(wanted, dict) else ""
        return await self._post(
            request, "create", reference, lambda: (201, self._provider.create(given))
        )

    async def buy(self, request: web.Request) -> web.StreamResponse:
        given, number = await self._given(request), request.match_info["id"]
        if number in self._buying:
            text = "A purchase of this shipment is in progress."
            return _refusal(Refused(422, "SHIPMENT.PURCHASE.IN_PROGRESS", text))
        self._buying.add(number)
        try:
            subject = self._reference(number)
            return await self._post(
                request, "buy", subject, lambda: (200, self._provider.buy(number, given))
            )
        finally:
            self._buying.discard(number)

    async def refund(self, request: web.Request) -> web.StreamResponse:
        number = request.match_info["id"]
        return await self._post(
            request,
            "refund",
            self._reference(number),
            lambda: (200, self._provider.give_back(number)),
        )

    async def track(self, request: web.Request) -> web.StreamResponse:
        wanted = (await self._given(request)).get("tracker")
        code = str(wanted.get("tracking_code") or "") if isinstance(wanted, dict) else ""
        return await self._post(request, "track", code, lambda: (200, self._by_code(code)))

    async def shipment(self, request: web.Request) -> web.StreamResponse:
        number = request.match_info["id"]
        return self._get(
            request,
            lambda now: self._provider.parcels.shown(
                commands.found(self._provider.parcels, number), now
            ),
        )

    async def trackers(self, request: web.Request) -> web.StreamResponse:
        code = request.query.get("tracking_code", "")
        return self._get(request, lambda _: {"trackers": [self._by_code(code)], "has_more": False})

    async def tracker(self, request: web.Request) -> web.StreamResponse:
        parcels, wanted = self._provider.parcels, request.match_info["id"]
        number = parcels.by_tracker.get(wanted, "")
        return self._get(request, lambda now: parcels.tracker(commands.found(parcels, number), now))

    def _by_code(self, code: str) -> Json:
        parcels = self._provider.parcels
        parcel = commands.found(parcels, parcels.by_code.get(code, ""))
        return parcels.tracker(parcel, self._provider.clock.now())

    def _reference(self, number: str) -> str:
        parcel = self._provider.parcels.by_id.get(number)
        return (parcel.reference or number) if parcel else ""

    async def _given(self, request: web.Request) -> Json:
        with suppress(ValueError):
            return json.decode(await request.read(), type=Json)
        return {}

    def _admit(self, request: web.Request) -> None:
        if not admitted(request, self._settings.api_key):
            raise Refused(401, "APIKEY.INACTIVE", "This api key is no longer active.")

    def _get(self, request: web.Request, find: Callable[[float], Json]) -> web.StreamResponse:
        try:
            self._admit(request)
            self._teller.fall_due()
            return answer(200, find(self._provider.clock.now()))
        except Refused as refused:
            return _refusal(refused)

    async def _post(
        self,
        request: web.Request,
        action: str,
        subject: str,
        act: Callable[[], tuple[int, Json]],
    ) -> web.StreamResponse:
        try:
            self._admit(request)
            self._teller.fall_due()
            fault = self._provider.meets(action, subject)
            if fault == "limited":
                raise _LIMITED
            if fault == "error":
                raise _BROKEN
            if fault == "unheard":
                return hang_up(request)
            if fault == "slow":
                await asyncio.sleep(self._settings.faults.slow_seconds)
            status, body = act()
            self._teller.fall_due()
            if fault == "error_after":
                raise _BROKEN
        except Refused as refused:
            self._provider.calls[f"{action}:{refused.status}"] += 1
            return _refusal(refused)
        self._provider.calls[f"{action}:{status}"] += 1
        return hang_up(request) if fault == "lost" else answer(status, body)

    async def books(self, _: web.Request) -> web.Response:
        self._teller.fall_due()
        return answer(200, reports.books(self._provider) | {"hooks": self._teller.report()})

    async def progress(self, _: web.Request) -> web.Response:
        told = {
            "now": self._provider.clock.now(),
            "under_way": self._provider.parcels.under_way(),
        }
        return answer(200, told | self._teller.report())

    async def handovers(self, request: web.Request) -> web.Response:
        """`{"tracking_codes": […]}`: parcels that the warehouse gave to the driver."""
        try:
            asked = json.decode(await request.read(), type=dict[str, list[str]])
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        return answer(200, {"taken": self._provider.hand_over(asked.get("tracking_codes", []))})

    async def clock(self, request: web.Request) -> web.Response:
        await self._teller.set_clock(request)
        return await self.progress(request)


def _refusal(refused: Refused) -> web.Response:
    return answer(refused.status, refused.body)
