"""The door for a provider's events: what is not signed, fresh, small or JSON does not get in."""

import json
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from libs.runtime.ports import Ports
from libs.runtime.settings import Settings
from libs.security.secrets import Secret
from libs.security.signing import sign_stripe
from libs.telemetry.metrics import DELIVERIES
from libs.telemetry.tracing import trace_id
from libs.web.app import build_app
from services.payments.api import routes
from tests.unit.channels.memory import call
from tests.unit.memory import deliveries
from tests.unit.payments.samples import NOW

OLD, NEW = Secret("whsec_old"), Secret("whsec_new")
SETTINGS = Settings.model_validate(
    {
        "limits": {"webhook_bytes": 2048},
        "server": {"tokens": {"a-token": "operator"}},
        "payments": {"card": {"provider": "stripe", "webhook_secrets": ["whsec_new", "whsec_old"]}},
    }
)
LONG_AGO = NOW - 72 * 3600 * 10**6  # as long as Stripe repeats an event, with a new signed time
PATH = "/payments/webhooks/stripe/card"
EVENT = json.dumps({"id": "evt_1", "type": "charge.captured", "note": "ñ"}, indent=2).encode()


async def nothing() -> None:
    """Gauges are brought up to date by services that run."""


class Inbox:
    """Keeps what got in, by its key."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}

    async def accept(self, **given: Any) -> int | None:
        known = LONG_AGO if given["key"] in self.kept else None
        self.kept.setdefault(given["key"], given)
        return known


async def post(
    body: bytes, secret: Secret = NEW, *, path: str = PATH, signed: bytes | None = None,
    at: int = NOW, inbox: Inbox | None = None, **headers: str,
) -> tuple[int, Any]:  # fmt: skip
    none: Any = None
    ports = Ports(SETTINGS, lambda: NOW, none, none, inbox or Inbox(), lambda _: none)
    app = build_app(SETTINGS.server, [routes(ports)], CollectorRegistry(), nothing, dict)
    given = sign_stripe(secret, body if signed is None else signed, now=at) | headers
    status, answer = await call(app, "POST", path, body, given)
    return status, answer


async def test_an_event_is_kept_once_by_its_id_under_either_secret_and_without_a_token() -> None:
    inbox = Inbox()
    assert await post(EVENT, inbox=inbox) == (200, {"status": "accepted"})
    again = EVENT.replace(b"charge.captured", b"charge.expired")
    assert await post(again, OLD, inbox=inbox) == (200, {"status": "known"})
    assert {key: one["topic"] for key, one in inbox.kept.items()} == {"evt_1": "charge.captured"}
    assert inbox.kept["evt_1"]["body"] == EVENT


async def test_deliveries_are_counted_by_their_answer_and_a_strangers_account_has_no_name() -> None:
    DELIVERIES.clear()
    inbox = Inbox()
    for _ in range(2):
        await post(EVENT, inbox=inbox)
    await post(EVENT, Secret("other"))
    await post(EVENT, path="/payments/webhooks/stripe/none")
    await post(b"not json")
    assert deliveries() == {
        ("payments", "card", "accepted"): 1, ("payments", "card", "known"): 1,
        ("payments", "card", "bad-signature"): 1, ("payments", "unknown", "bad-signature"): 1,
        ("payments", "card", "malformed-json"): 1,
    }  # fmt: skip


async def test_a_senders_trace_goes_on_and_what_is_no_trace_does_not_get_in() -> None:
    inbox, trace = Inbox(), "4bf92f3577b34da6a3ce929d0e0e4736"
    await post(EVENT, inbox=inbox, traceparent=f"00-{trace}-00f067aa0ba902b7-01")
    other = EVENT.replace(b"evt_1", b"evt_2")
    await post(other, inbox=inbox, traceparent="ada@example.com")
    assert trace_id(inbox.kept["evt_1"]["trace"]) == trace
    assert trace_id(inbox.kept["evt_2"]["trace"])


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ({"body": EVENT, "secret": Secret("other")}, 401, "bad-signature"),
        ({"body": EVENT, "signed": EVENT + b" "}, 401, "bad-signature"),
        ({"body": EVENT, "path": "/payments/webhooks/stripe/none"}, 401, "bad-signature"),
        ({"body": EVENT, "path": "/payments/webhooks/shopify/card"}, 401, "bad-signature"),
        ({"body": EVENT, "at": NOW - 301_000_000}, 400, "stale-delivery"),
        ({"body": EVENT, "at": NOW + 301_000_000}, 400, "stale-delivery"),
        ({"body": b"x" * 4096}, 413, "body-too-large"),
        ({"body": b"not json"}, 400, "malformed-json"),
        ({"body": b"[" * 500 + b"]" * 500}, 400, "malformed-json"),
        ({"body": b'{"type": "charge.captured"}'}, 400, "malformed-json"),
        ({"body": b'{"id": "", "type": "x"}'}, 400, "malformed-json"),
        ({"body": b'{"id": 7}'}, 400, "malformed-json"),
        ({"body": EVENT, "Content-Encoding": "gzip"}, 415, "content-encoding-not-supported"),
    ],
)
async def test_what_is_not_an_event_of_the_account_does_not_get_in(
    given: dict[str, Any], status: int, code: str
) -> None:
    inbox = Inbox()
    answered, problem = await post(inbox=inbox, **given)
    assert (answered, problem["code"]) == (status, code)
    assert not inbox.kept
