"""The calls to Stripe over real HTTP: what is sent, what each answer means, how a doubt ends."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from libs.effects.http import Answered
from libs.effects.kinds import Absent, Confirmed, EffectKind, NotYet, Rejected, Result, Unknown
from libs.effects.policy import wait
from libs.security.secrets import Secret
from libs.store.store import Call
from services.payments import calls, stripe_answers
from services.payments.folding import NEVER
from services.payments.stripe_client import VERSION, Access, StripeClient
from services.payments.stripe_effects import SEARCHED, stripe_kinds
from tests.unit.payments.samples import NOW, ORDER, STREAM
from tests.unit.payments.stripe import Stripe, stripe

AUTHORISE = calls.Authorise(ORDER, "pay_1", "card", 1000, "GBP", "pm_card_visa", False, False)
CAPTURE = calls.Capture(ORDER, "cap_1", "card", "pi_1", 600, "GBP", final=True)
VOID = calls.Void(ORDER, "pay_1", "card", "pi_1")
REFUND = calls.Refund(ORDER, "ref_1", "card", "pi_1", 200, "GBP")


def call(request: calls.Request, name: str = "effect-1") -> Call:
    return Call(name, "", STREAM, calls.encode(request), 1, 1, 0, NOW)


class Outside:
    """The adapters, one Stripe, and a clock."""

    def __init__(
        self, books: Stripe, kinds: dict[str, EffectKind], move: Callable[[int], None]
    ) -> None:
        self.books, self.kinds, self.move = books, kinds, move

    def adapter(self, request: calls.Request) -> Any:
        return self.kinds[f"stripe.{type(request).__name__.lower()}"].adapter

    async def perform(self, request: calls.Request, name: str = "effect-1") -> Result:
        result: Result = await self.adapter(request).perform(call(request, name))
        return result

    async def ask(self, request: calls.Request, name: str = "effect-1") -> Result:
        result: Result = await self.adapter(request).ask(call(request, name))
        return result


@asynccontextmanager
async def outside() -> AsyncIterator[Outside]:
    now = [NOW]
    async with stripe() as books:
        client = StripeClient({"card": Access(books.url, Secret("sk_test"), "LONJA")})
        kinds = {one.name: one for one in stripe_kinds(client, lambda: now[0])}
        try:
            yield Outside(books, kinds, lambda by: now.__setitem__(0, now[0] + by))
        finally:
            await client.close()


async def test_a_payment_from_authorisation_to_refund() -> None:
    async with outside() as out:
        done = await out.perform(AUTHORISE)
        assert isinstance(done, Confirmed)
        assert isinstance(done.answer, calls.Authorised)
        assert (done.answer.status, done.answer.provider_intent) == ("authorised", "pi_1")
        assert (done.answer.amount, done.answer.currency) == (1000, "GBP")
        assert done.answer.capture_before is not None
        captured = await out.perform(CAPTURE, "effect-2")
        assert captured == Confirmed(calls.Done("ch_1", 600, "GBP"))
        assert await out.perform(REFUND, "effect-3") == Confirmed(calls.Done("re_1", 200, "GBP"))
        path, key, form = out.books.posts[0]
        assert (path, key) == ("/v1/payment_intents", "effect-1")
        assert form["metadata[lonja_order]"] == ORDER
        assert form["metadata[lonja_effect]"] == "effect-1"
        assert form["statement_descriptor_suffix"] == "LONJA"
        assert {one["Stripe-Version"] for one in out.books.headers} == {VERSION}
        assert out.books.headers[0]["Authorization"] == "Bearer sk_test"


async def test_a_payment_in_kronur_is_the_same_money_on_both_sides() -> None:
    async with outside() as out:
        done = await out.perform(replace(AUTHORISE, amount=5000, currency="ISK"))
        assert isinstance(done, Confirmed)
        assert (done.answer.amount, done.answer.currency) == (5000, "ISK")
        captured = await out.perform(replace(CAPTURE, amount=4000, currency="ISK"), "effect-2")
        assert captured == Confirmed(calls.Done("ch_1", 4000, "ISK"))
        back = await out.perform(replace(REFUND, amount=1000, currency="ISK"), "effect-3")
        assert back == Confirmed(calls.Done("re_1", 1000, "ISK"))
        assert out.books.captured == 400_000


@pytest.mark.parametrize("request_", [AUTHORISE, CAPTURE, REFUND])
async def test_an_amount_that_stripe_has_no_units_for_is_refused_before_the_call(
    request_: Any,
) -> None:
    async with outside() as out:
        told = await out.perform(replace(request_, amount=5124, currency="KWD"))
        assert told == Rejected("amount-too-fine", calls.Refusal(final=True))
        assert out.books.posts == []


async def test_a_customers_own_method_carries_the_mandate() -> None:
    async with outside() as out:
        own = calls.Authorise(ORDER, "pay_1", "card", 1000, "GBP", "cus_1/pm_1", off_session=False,
                              keep_method=True)  # fmt: skip
        done = await out.perform(own)
        assert isinstance(done, Confirmed)
        assert done.answer.mandate
        form = out.books.posts[0][2]
        assert (form["customer"], form["payment_method"]) == ("cus_1", "pm_1")
        await out.perform(replace(own, off_session=True), "effect-2")
        assert out.books.posts[1][2]["off_session"] == "true"


@pytest.mark.parametrize("request_", [AUTHORISE, CAPTURE, VOID, REFUND])
@pytest.mark.parametrize("fate", ["lost", "drop"])
async def test_a_cut_line_is_unknown_and_the_same_key_does_it_once(
    request_: calls.Request, fate: str
) -> None:
    async with outside() as out:
        await _prepared(out, request_)
        out.books.fates = [fate]
        assert isinstance(await out.perform(request_), Unknown)
        assert isinstance(await out.perform(request_), Confirmed)
        assert len(out.books.intents) == 1
        assert len(out.books.refunds) == isinstance(request_, calls.Refund)
        assert isinstance(await out.ask(request_), Confirmed)


async def _prepared(out: Outside, request_: calls.Request) -> None:
    if not isinstance(request_, calls.Authorise):
        await out.perform(AUTHORISE, "before-1")
    if isinstance(request_, calls.Refund):
        await out.perform(CAPTURE, "before-2")


@pytest.mark.parametrize("request_", [AUTHORISE, CAPTURE, VOID, REFUND])
async def test_what_was_never_done_is_absent_when_asked(request_: calls.Request) -> None:
    async with outside() as out:
        await _prepared(out, request_)
        assert await out.ask(request_) == Absent()


@pytest.mark.parametrize("request_", [AUTHORISE, CAPTURE, REFUND])
async def test_a_stored_failure_is_looked_into(request_: calls.Request) -> None:
    async with outside() as out:
        await _prepared(out, request_)
        out.books.fates = ["done-500"]
        assert isinstance(await out.perform(request_), Unknown)
        assert isinstance(await out.perform(request_), Unknown), "a search may not know it yet"
        out.move(SEARCHED)
        assert isinstance(await out.perform(request_), Confirmed)
        assert len(out.books.intents) == 1


@pytest.mark.parametrize("request_", [AUTHORISE, CAPTURE, REFUND])
async def test_a_stored_failure_that_did_nothing_never_took_effect(request_: calls.Request) -> None:
    async with outside() as out:
        await _prepared(out, request_)
        out.books.fates = ["500"]
        assert isinstance(await out.perform(request_), Unknown)
        out.move(SEARCHED)
        assert await out.perform(request_) == Rejected(NEVER)


async def test_a_refund_that_was_given_up_is_looked_for_before_it_is_made_again() -> None:
    async with outside() as out:
        await _prepared(out, REFUND)
        out.books.fates = ["lost"]
        await out.perform(REFUND, "given-up")
        again = replace(REFUND, again=True)
        assert await out.perform(again, "new-key") == Confirmed(calls.Done("re_1", 200, "GBP"))
        assert len(out.books.refunds) == 1


async def test_a_refund_that_failed_later_is_made_anew_when_asked_for_again() -> None:
    async with outside() as out:
        await _prepared(out, REFUND)
        await out.perform(REFUND, "first")
        out.books.refunds[0]["status"] = "failed"
        failed = Rejected("refund-failed", calls.Refusal("failed", final=True))
        assert await out.ask(REFUND, "first") == failed
        again = replace(REFUND, again=True)
        for _ in range(2):
            assert await out.perform(again, "retry") == Confirmed(calls.Done("re_2", 200, "GBP"))
        assert [one["status"] for one in out.books.refunds] == ["failed", "succeeded"]


async def test_what_is_throttled_or_being_worked_on_comes_again() -> None:
    async with outside() as out:
        out.books.fates = ["429", "409"]
        assert await out.perform(AUTHORISE) == NotYet("throttled", 3_000_000)
        assert await out.perform(AUTHORISE) == NotYet("in-progress")
        assert isinstance(await out.perform(AUTHORISE), Confirmed)


async def test_a_decline_says_whether_another_try_can_help() -> None:
    async with outside() as out:
        poor = replace(AUTHORISE, method="pm_card_visa_chargeDeclinedInsufficientFunds")
        told = await out.perform(poor)
        assert told == Rejected("insufficient-funds", calls.Refusal("insufficient_funds"))


async def test_a_buyer_who_must_act_is_told() -> None:
    async with outside() as out:
        done = await out.perform(replace(AUTHORISE, method="pm_card_authenticationRequired"))
        assert isinstance(done, Confirmed)
        assert (done.answer.status, done.answer.amount) == ("action", 1000)


async def test_a_second_capture_or_void_finds_out_what_the_first_has_done() -> None:
    async with outside() as out:
        await out.perform(AUTHORISE)
        await out.perform(CAPTURE, "by-hand")
        assert isinstance(await out.perform(CAPTURE, "ours"), Confirmed)
        told = await out.perform(VOID, "void")
        assert told == Rejected("captured-already", calls.Refusal("succeeded", final=True))
        assert out.books.captured == 600


async def test_a_capture_of_what_has_ended_is_refused() -> None:
    async with outside() as out:
        await out.perform(AUTHORISE)
        await out.perform(VOID, "void")
        told = await out.perform(CAPTURE, "late")
        assert isinstance(told, Rejected)
        assert told.code == "authorisation-expired"


async def test_nobody_there_is_not_yet_and_an_unknown_account_waits() -> None:
    async with outside() as out:
        client = StripeClient({"card": Access("http://127.0.0.1:9", Secret("x"))})
        kinds = stripe_kinds(client, lambda: NOW)
        assert await kinds[0].adapter.perform(call(AUTHORISE)) == NotYet("unreachable")
        await client.close()
        other = replace(AUTHORISE, holder="gone")
        assert await out.perform(other) == NotYet("payments-account-missing")


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (500, None, "status-500"),
        (302, None, "status-302"),
        (400, None, "malformed-answer"),
        (400, {"error": {"type": "idempotency_error"}}, "idempotency-mismatch"),
    ],
)
def test_what_is_not_understood_is_unknown(status: int, body: Any, code: str) -> None:
    assert stripe_answers.understood(Answered(status, {}, body), NOW) == Unknown(code)


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_not_taken_is_tried_again(status: int) -> None:
    answer = Answered(status, {}, {})
    assert stripe_answers.understood(answer, NOW) == NotYet("provider-refuses-key")


def test_each_kind_repeats_for_less_than_a_key_lives_and_for_more_than_a_day_in_all() -> None:
    kinds = stripe_kinds(StripeClient({}), lambda: 0)
    assert {one.doubt for one in kinds} == {"repeat"}
    assert {one.honoured < 24 * 3_600_000_000 for one in kinds} == {True}
    assert {one.provider for one in kinds} == {"stripe"}
    pauses = [wait(replace(call(AUTHORISE), attempt=n)) for n in range(1, kinds[0].attempts)]
    assert sum(pauses) > 24 * 3_600_000_000
