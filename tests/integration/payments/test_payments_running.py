"""Payments on the real broker and database, with a Stripe that keeps books and loses answers."""

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from libs.contracts import fulfilment, orders
from libs.eventsourcing.decider import Decider
from libs.runtime import clock
from libs.runtime.commands import TurnCommands
from libs.runtime.host import Host
from libs.runtime.ports import Service
from libs.runtime.settings import Settings
from libs.security.secrets import Secret
from libs.security.signing import sign_stripe
from libs.stack.stack import Servers
from services.payments.service import SERVICE
from tests.support import eventually
from tests.unit.channels.memory import call
from tests.unit.memory import AsgiClient
from tests.unit.payments.samples import ORDER, line, packed, required
from tests.unit.payments.stripe import Stripe, stripe

pytestmark = [pytest.mark.timeout(240), pytest.mark.stack]
SECRET = "whsec_test"


class Say(msgspec.Struct, frozen=True, tag=True):
    """Publish this event."""

    kind: str
    data: bytes


class Said(msgspec.Struct, frozen=True):
    """Nothing is remembered."""


def speaker(name: str, category: str, module: Any) -> Service:
    """A service that publishes what it is told to: the neighbours of payments in these tests."""

    def decide(command: Say, state: Said) -> list[Any]:
        del state
        return [msgspec.json.decode(command.data, type=getattr(module, command.kind))]

    decider: Decider[Say, Said, Any] = Decider(
        category=category, commands=Say, state=Said, initial=Said(), decide=decide,
        evolve=lambda state, _: state,
    )  # fmt: skip
    return Service(name=name, contracts=module.CONTRACTS, deciders=(decider,))


@dataclass
class System:
    host: Host
    books: Stripe

    async def say(self, service: str, stream: str, event: Any) -> None:
        running = self.host.running[service]
        commands = TurnCommands(service, running.loop, running.store)
        command = Say(type(event).__name__, msgspec.json.encode(event))
        await commands.execute(stream, command, key=uuid.uuid4().hex, request=b"")

    async def payment(self, order_id: str = ORDER) -> Any:
        answer = await AsgiClient(self.host.app).get(f"/payments/{order_id}")
        return answer.json() if answer.status_code == 200 else {"standing": "", "cleared": []}

    async def stands(self, standing: str, order_id: str = ORDER) -> Any:
        async def there() -> Any:
            found = await self.payment(order_id)
            return found if found["standing"] == standing else None

        return await eventually(there, 60)

    async def types(self, stream: str) -> list[str]:
        rows = await self.host.running["payments"].pool.fetch(
            "SELECT type FROM events WHERE stream_id = $1 ORDER BY version", stream
        )
        return [row[0].rpartition(".")[2] for row in rows]


@asynccontextmanager
async def system(servers: Servers, folder: Path, prefix: str) -> AsyncIterator[System]:
    async with stripe() as books:
        database = f"t{uuid.uuid4().hex[:8]}_"
        settings = Settings.model_validate(
            {
                "topic_prefix": prefix, "database_prefix": database,
                "payments": {"card": {"provider": "stripe", "api_url": books.url,
                                      "api_key": "sk_test", "webhook_secrets": [SECRET]}},
                "channels": {"shop": {"provider": "standard", "custody": "us",
                                      "payments": "card"}},
            }
        )  # fmt: skip
        services = [
            speaker("orders", "order", orders), speaker("fulfilment", "shipment", fulfilment), SERVICE
        ]  # fmt: skip
        try:
            async with Host(services, servers, settings, folder) as host:
                yield System(host, books)
        finally:
            admin = await asyncpg.connect(servers.postgres)
            for name in ("vault", "orders", "fulfilment", "payments"):
                await admin.execute(f"DROP DATABASE IF EXISTS {database}{name} WITH (FORCE)")
            await admin.close()


async def test_an_order_is_paid_and_its_parcel_cleared_once_though_answers_are_lost(
    servers: Servers, tmp_path: Path, topic_prefix: str
) -> None:
    async with system(servers, tmp_path, topic_prefix) as run:
        run.books.fates = ["lost"]
        await run.say("orders", f"order-{ORDER}", required(line("a", 2, 1000), charges=99))
        await run.stands("authorised")
        run.books.fates = ["lost", "429"]
        await run.say("fulfilment", "shipment-s1", packed("s1", ("a", 2)))
        found = await run.stands("captured")
        assert (found["captured_minor"], found["unknown_minor"]) == (1099, 0)
        await eventually(lambda: _cleared(run), 30)
        assert await run.types(f"payment-{ORDER}") == [
            "PaymentExpected", "PaymentAuthorisationRequested", "PaymentOutcomeUnknown",
            "PaymentOutcomeResolved", "PaymentAuthorised", "PaymentCaptureRequested",
            "ClearanceDelayed", "PaymentOutcomeUnknown", "ClearanceDelayed",
            "PaymentOutcomeResolved", "PaymentCaptured", "ShipmentCleared",
        ]  # fmt: skip
        assert (len(run.books.intents), run.books.captured) == (1, 1099)
        [holder] = (await AsgiClient(run.host.app).get("/payments/holders")).json()
        assert (holder["holder"], holder["captured_minor"], holder["state"]) == (
            "card",
            1099,
            "made",
        )


async def _cleared(run: System) -> bool:
    cleared: list[str] = (await run.payment())["cleared"]
    return cleared == ["s1"]


async def test_a_signed_event_is_taken_once_and_the_unknown_waits_in_a_queue(
    servers: Servers, tmp_path: Path, topic_prefix: str
) -> None:
    async with system(servers, tmp_path, topic_prefix) as run:
        intent = {"id": "pi_foreign", "amount": 500, "currency": "gbp", "status": "succeeded",
                  "amount_received": 500, "metadata": {}}  # fmt: skip
        event = {"id": "evt_1", "object": "event", "type": "payment_intent.succeeded",
                 "created": 1_780_000_000, "data": {"object": intent}}  # fmt: skip
        body = json.dumps(event, indent=2).encode()
        path = "/payments/webhooks/stripe/card"
        headers = sign_stripe(Secret(SECRET), body, now=clock.now())
        assert await call(run.host.app, "POST", path, body, headers) == (
            200,
            {"status": "accepted"},
        )
        assert (await call(run.host.app, "POST", path, body, headers))[1] == {"status": "known"}
        status, problem = await call(run.host.app, "POST", path, body + b" ", headers)
        assert (status, problem["code"]) == (401, "bad-signature")
        late = sign_stripe(Secret(SECRET), body, now=clock.now() - 301_000_000)
        assert (await call(run.host.app, "POST", path, body, late))[1]["code"] == "stale-delivery"

        async def queued() -> Any:
            return (await AsgiClient(run.host.app).get("/payments/queues")).json()["items"]

        [wait] = await eventually(queued, 60)
        assert (wait["reason"], wait["at_risk_minor"], wait["owner"]) == (
            "payment-unknown", 500, "operations",
        )  # fmt: skip
        settle = {"holder": "card", "provider_reference": "pi_foreign", "decision": "a till's own"}
        done = await AsgiClient(run.host.app).post("/payments/disagreements/settle", settle, "k1")
        assert done.status_code == 200
        gone = await AsgiClient(run.host.app).post(f"/payments/{ORDER}/decisions",
                                                   {"decision": "retry"}, "k2")  # fmt: skip
        assert (gone.status_code, gone.json()["code"]) == (404, "payment-not-found")

        async def empty() -> bool:
            return not await queued()

        await eventually(empty, 30)
