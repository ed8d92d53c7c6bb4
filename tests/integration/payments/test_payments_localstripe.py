"""Our requests are taken and its answers understood by localstripe, a Stripe of somebody else.

It knows manual capture and signs its events; it ignores Idempotency-Key and has no disputes.
"""

import asyncio
import base64
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from msgspec.structs import replace

from libs.effects.kinds import Absent, Confirmed, Rejected
from libs.runtime import clock
from libs.security.secrets import Secret
from libs.security.webhooks import verify
from libs.store.store import Call
from services.payments import calls
from services.payments.stripe_client import Access, StripeClient
from services.payments.stripe_effects import stripe_kinds
from tests.integration.payments.localstripe import installed, localstripe
from tests.unit.payments.samples import NOW, ORDER, STREAM

pytestmark = [pytest.mark.timeout(240)]
KEY = "sk_test_12345"


def call(request: calls.Request, name: str) -> Call:
    return Call(name, "", STREAM, calls.encode(request), 1, 1, 0, NOW)


@pytest.fixture(scope="module")
def there() -> None:
    why = installed()
    if why:
        pytest.skip(f"localstripe cannot be had: {why}")


@pytest.mark.usefixtures("there")
async def test_a_payment_goes_from_authorisation_to_refund() -> None:
    async with localstripe() as url:
        client = StripeClient({"card": Access(url, Secret(KEY))})
        kinds: dict[str, Any] = {
            one.name.partition(".")[2]: one.adapter for one in stripe_kinds(client, clock.now)
        }
        wanted = calls.Authorise(ORDER, "pay_1", "card", 1000, "GBP", "pm_card_visa",
                                 off_session=False, keep_method=False)  # fmt: skip
        try:
            done = await kinds["authorise"].perform(call(wanted, "e1"))
            assert isinstance(done, Confirmed), done
            answer = done.answer
            assert (answer.status, answer.amount, answer.currency) == ("authorised", 1000, "GBP")
            found = await kinds["authorise"].ask(call(wanted, "e1"))
            assert isinstance(found, Confirmed)
            assert found.answer.provider_intent == answer.provider_intent
            assert await kinds["authorise"].ask(call(wanted, "never")) == Absent()

            capture = calls.Capture(ORDER, "cap_1", "card", answer.provider_intent, 1000, "GBP",
                                    final=True)  # fmt: skip
            assert await kinds["capture"].ask(call(capture, "e2")) == Absent()
            captured = await kinds["capture"].perform(call(capture, "e2"))
            assert isinstance(captured, Confirmed), captured
            assert captured.answer == calls.Done(answer.reference, 1000, "GBP")
            assert isinstance(await kinds["capture"].ask(call(capture, "e2")), Confirmed)

            refund = calls.Refund(ORDER, "ref_1", "card", answer.provider_intent, 300, "GBP")
            assert await kinds["refund"].ask(call(refund, "e3")) == Absent()
            back = await kinds["refund"].perform(call(refund, "e3"))
            assert isinstance(back, Confirmed), back
            assert (back.answer.amount, back.answer.currency) == (300, "GBP")
            assert await kinds["refund"].ask(call(refund, "e3")) == back

            second = await kinds["authorise"].perform(call(wanted, "e4"))
            void = calls.Void(ORDER, "pay_2", "card", second.answer.provider_intent)
            assert await kinds["void"].ask(call(void, "e5")) == Absent()
            assert await kinds["void"].perform(call(void, "e5")) == Confirmed()
            assert await kinds["void"].ask(call(void, "e5")) == Confirmed()

            poor = replace(wanted, method="pm_card_chargeCustomerFail")
            declined = await kinds["authorise"].perform(call(poor, "e6"))
            assert isinstance(declined, Rejected), declined
            assert declined.answer.word == "card_declined"
        finally:
            await client.close()


@pytest.mark.usefixtures("there")
async def test_its_signed_events_are_verified_over_the_raw_bytes() -> None:
    got: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()

    async def take(request: web.Request) -> web.Response:
        await got.put((dict(request.headers), await request.read()))
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        async with localstripe() as url, aiohttp.ClientSession() as http:
            login = "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()
            config = {"url": hook, "secret": "whsec_x", "events": ["payment_intent.succeeded"]}
            async with http.post(f"{url}/_config/webhooks/one", json=config,
                                 headers={"Authorization": login}) as answer:  # fmt: skip
                assert answer.status == 200
            client = StripeClient({"card": Access(url, Secret(KEY))})
            made = await client.post("card", "/v1/payment_intents", [
                ("amount", "700"), ("currency", "gbp"), ("confirm", "true"),
                ("payment_method", "pm_card_visa"), ("metadata[lonja_order]", ORDER),
            ], "k")  # fmt: skip
            await client.close()
            assert made.status == 200
            headers, body = await asyncio.wait_for(got.get(), 30)
            assert b"\n" in body, "indented: only the raw bytes verify"
            verify("stripe", [Secret("whsec_x")], headers, body, clock.now())
    finally:
        await runner.cleanup()
