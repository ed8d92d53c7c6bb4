"""A carrier in the test: EasyPost's shapes over HTTP, with answers that can be lost on purpose."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from aiohttp import web

LABELS = "https://labels.invalid/"  # whoever has an address behind it can read the buyer's
LOST = frozenset({"buy-answer-lost", "create-answer-lost"})


class Carrier:
    """Keeps shipments and says what it sold; `faults` are used up one by one."""

    def __init__(self) -> None:
        self.shipments: dict[str, dict[str, Any]] = {}
        self.sold: dict[str, int] = defaultdict(int)
        self.faults: list[str] = []
        self.addresses: list[dict[str, str]] = []
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/v2/shipments", self._create)
        app.router.add_get("/v2/shipments/{id}", self._read)
        app.router.add_post("/v2/shipments/{id}/buy", self._buy)
        app.router.add_post("/v2/shipments/{id}/refund", self._refund)
        app.router.add_get("/v2/trackers/{id}", self._tracker)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def _fault(self, *among: str) -> str:
        return self.faults.pop(0) if self.faults and self.faults[0] in among else ""

    async def _create(self, request: web.Request) -> web.Response:
        asked = (await request.json())["shipment"]
        self.addresses.append(asked["to_address"])
        match self._fault("address-refused", "create-answer-lost"):
            case "address-refused":
                error = {"code": "ADDRESS.VERIFY.FAILURE", "message": "12 Secret Street is unknown"}
                return web.json_response({"error": error}, status=422)
            case "create-answer-lost":
                return web.Response(status=502)
        name = f"shp_{len(self.shipments)}"
        self.shipments[name] = {
            "id": name, "object": "Shipment", "reference": asked["reference"],
            "postage_label": None, "tracking_code": None, "refund_status": None,
            "rates": [
                {"id": f"rate_{name}_1", "carrier": "DHL", "service": "Express", "rate": "11.20",
                 "currency": "GBP", "delivery_days": 1},
                {"id": f"rate_{name}_2", "carrier": "RoyalMail", "service": "First", "rate": "4.50",
                 "currency": "GBP", "delivery_days": 2},
            ],
        }  # fmt: skip
        return web.json_response(self.shipments[name], status=201)

    async def _buy(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        shipment = self.shipments[name]
        fault = self._fault("buy-answer-lost", "buy-fails")
        if fault == "buy-fails":
            return web.Response(status=500)
        if shipment["postage_label"] is not None:
            error = {"code": "SHIPMENT.POSTAGE.EXISTS", "message": "exists"}
            return web.json_response({"error": error}, status=422)
        rate = (await request.json())["rate"]["id"]
        chosen = next(one for one in shipment["rates"] if one["id"] == rate)
        self.sold[name] += 1
        shipment |= {
            "postage_label": {"id": "pl", "label_url": f"{LABELS}{name}.pdf"},
            "tracking_code": f"TRACK-{name}", "selected_rate": chosen,
            "tracker": {"id": f"trk_{name}", "object": "Tracker"},
        }  # fmt: skip
        if fault == "buy-answer-lost":
            return web.Response(status=504)
        return web.json_response(shipment)

    async def _read(self, request: web.Request) -> web.Response:
        found = self.shipments.get(request.match_info["id"])
        if found is None:
            return web.json_response({"error": {"code": "NOT_FOUND"}}, status=404)
        return web.json_response(found)

    async def _refund(self, request: web.Request) -> web.Response:
        shipment = self.shipments[request.match_info["id"]]
        shipment["refund_status"] = "submitted"
        return web.json_response(shipment)

    async def _tracker(self, request: web.Request) -> web.Response:
        return web.json_response(
            tracker(request.match_info["id"].removeprefix("trk_"), "in_transit")
        )


def tracker(name: str, status: str, ago: timedelta = timedelta()) -> dict[str, Any]:
    """A tracker as EasyPost shows it, with a name that must not be kept."""
    at = (datetime.now(UTC) - ago).isoformat()
    return {
        "id": f"trk_{name}", "object": "Tracker", "tracking_code": f"TRACK-{name}",
        "status": status, "status_detail": "arrived_at_destination", "signed_by": "M SECRETPERSON",
        "carrier": "RoyalMail", "updated_at": at,
        "tracking_details": [
            {"object": "TrackingDetail", "status": status, "datetime": at,
             "message": "Left with SECRETPERSON"}
        ],
    }  # fmt: skip
