"""What each kind of shop is told over its own API: once, whatever the shop does to the caller.

The shops are the sandbox's own desks behind HTTP in this process; a fault strikes one call, once.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from libs.contracts.channels import ChannelReportRequested
from libs.contracts.common import ExternalLineQuantity
from libs.effects.kinds import Absent, Confirmed, EffectKind, NotYet, Rejected, Result, Unknown
from libs.effects.policy import step
from libs.eventsourcing.states import pack
from libs.runtime.ports import Ports
from libs.runtime.settings import Settings
from libs.security.vault.memory import MemoryVault
from libs.store.store import Call
from services.channels.outbound import shopify_queries
from services.channels.outbound.kinds import SECOND, Connected, Reports, kind_of, kinds
from services.sandbox.admin import graphql, quota
from services.sandbox.admin.door import AdminDoor
from services.sandbox.chance import Fault
from services.sandbox.config import Admin
from services.sandbox.retail.content import Content
from tests.unit.sandbox.desks import PLAN, Shop, plain

NOW = 1_780_000_000_000_000
ACCOUNTS = {"shopify": "shopify-uk", "woocommerce": "woo-uk", "standard": "store-uk"}
TOKENS = {"shopify-uk": "shpat_1", "woo-uk": "ck_1:cs_1", "store-uk": "token"}
# The first part of a fault's subject: the call that tells, and the call that only looks.
TELLS = {
    ("shopify", "dispatch"): "fulfillmentCreate", ("shopify", "cancellation"): "refundCreate",
    ("shopify", "whole"): "orderCancel", ("woocommerce", "dispatch"): "put:",
    ("woocommerce", "cancellation"): "put:", ("woocommerce", "whole"): "put:cancelled",
    ("standard", "dispatch"): "fulfilments", ("standard", "cancellation"): "cancellations",
    ("standard", "whole"): "cancellations",
}  # fmt: skip
LOOKS = {"shopify": "order", "woocommerce": "get"}
PROVIDERS = pytest.mark.parametrize("provider", list(ACCOUNTS))
KINDS = pytest.mark.parametrize("kind", ["dispatch", "cancellation", "whole"])


class Desks:
    """The three shops, our adapters to them, and the plan of faults: one for each subject."""

    def __init__(self, shop: Shop, url: str) -> None:
        self.shop, self.url, self.faults = shop, url, dict[str, Fault]()
        shop.desk.meets = self._meets  # type: ignore[method-assign]
        channels = {
            name: {
                "provider": provider,
                "api_url": f"{url}/shops/{name}",
                "api_token": TOKENS[name],
            }
            for provider, name in ACCOUNTS.items()
        }
        none: Any = None
        settings = Settings.model_validate({"channels": channels})
        self.now = NOW
        ports = Ports(settings, lambda: self.now, MemoryVault(), none, none, none)
        self.ports, self.accounts = ports, settings.channels
        self.kinds = {one.name: one for one in kinds(ports)}

    def _meets(self, subject: str) -> Fault | None:
        return self.faults.pop(subject, None)

    def strikes(self, provider: str, what: str, content: Content, fault: Fault) -> None:
        self.faults[f"{ACCOUNTS[provider]}:{what}:{content.number}"] = fault

    def kind(self, provider: str) -> EffectKind:
        return self.kinds[kind_of(provider)]

    def told(self, provider: str) -> tuple[list[Any], list[Any]]:
        """Return the shop's own books: dispatches and cancellations, nothing of them twice."""
        books = self.shop.desk.told(ACCOUNTS[provider])
        assert books["told_twice"] == []
        return books["dispatches"], books["cancellations"]

    async def attempt(self, provider: str, call: Call) -> Result:
        """Try once as the worker does."""
        kind = self.kind(provider)
        match step(kind, call, NOW):
            case "perform":
                work = kind.adapter.perform
            case "ask":
                work = kind.adapter.ask
            case "queue":
                return Unknown("queue")
        try:
            return await work(call)
        except aiohttp.ClientError:  # the connection broke after something was sent
            return Unknown("fault")

    async def through(self, provider: str, report: ChannelReportRequested) -> list[Result]:
        """Try until it is settled; return each attempt's result."""
        found: list[Result] = []
        call = Call("e1", kind_of(provider), "order-x", pack(report), 1, 1, 0, NOW)
        while not found or not isinstance(found[-1], Confirmed | Rejected):
            assert len(found) < 6, found
            found.append(await self.attempt(provider, call))
            self.now += 10 * SECOND  # the worker waits before it tries again
            doubt = call.doubt_since or NOW if isinstance(found[-1], Unknown) else call.doubt_since
            if isinstance(found[-1], Absent):
                doubt = 0
            call = msgspec.structs.replace(call, attempt=call.attempt + 1, doubt_since=doubt)
        return found


@pytest.fixture
async def desks(tmp_path: Path) -> AsyncIterator[Desks]:
    async with serving(tmp_path) as made:
        yield made


@asynccontextmanager
async def serving(folder: Path, **admin: Any) -> AsyncIterator[Desks]:
    shop = Shop(folder)
    app = web.Application()
    AdminDoor(shop.engine, Admin(tokens=TOKENS, **admin), shop.echoes).routes(app)
    async with TestServer(app) as server:
        made = Desks(shop, str(server.make_url("")).rstrip("/"))
        try:
            yield made
        finally:
            for kind in made.kinds.values():
                assert isinstance(kind.adapter, Reports)
                await kind.adapter.close()


def lines_of(provider: str, content: Content, units: Sequence[int] = ()) -> tuple[Any, ...]:
    """Return the order's lines by the shop's ids, with all their units or as many as are said."""
    first = {"shopify": int(content.number) * 10_000, "woocommerce": int(content.number) * 1_000}
    wanted = units or [one.quantity for one in content.lines]
    return tuple(
        ExternalLineQuantity(
            external_line_id=str(first[provider] + one.id)
            if provider in first
            else f"line_{one.id}",
            quantity=count,
        )
        for one, count in zip(content.lines, wanted, strict=False)
        if count
    )


def report(provider: str, content: Content, kind: str = "dispatch", **fields: Any) -> Any:
    """Return a report of all of an order: `whole` is a cancellation of it, `cancellation` a line."""
    number = content.number
    external = {
        "shopify": str(4_500_000_000_000 + int(number)), "woocommerce": number,
        "standard": f"ord_{number}",
    }[provider]  # fmt: skip
    one_line = [content.lines[0].quantity, *(0 for _ in content.lines[1:])]
    given: dict[str, Any] = {
        "entity": "main", "occurred_at": NOW, "account": ACCOUNTS[provider], "provider": provider,
        "external_id": external, "order_id": "ord_x", "report_id": "r1", "subject": "s1",
        "kind": "dispatch" if kind == "dispatch" else "cancellation",
        "lines": lines_of(provider, content, one_line if kind == "cancellation" else ()),
        "whole": kind != "cancellation", "reason": "out-of-stock", "due_by": NOW,
        "carrier": "RoyalMail", "tracking_code": "T1", "tracking_url": None,
    }  # fmt: skip
    return ChannelReportRequested(**(given | fields))


def ids(found: Sequence[Any]) -> list[str]:
    return [type(one).__name__ for one in found]


@PROVIDERS
@KINDS
async def test_a_shop_is_told_at_once_and_a_repeat_changes_nothing(
    desks: Desks, provider: str, kind: str
) -> None:
    told = report(provider, plain(ACCOUNTS[provider]), kind)
    for _ in range(2):
        assert ids(await desks.through(provider, told)) == ["Confirmed"]
    dispatches, cancellations = desks.told(provider)
    expected = (1, 0) if kind == "dispatch" else (0, 1)
    assert (len(dispatches), len(cancellations)) == expected


@PROVIDERS
@KINDS
@pytest.mark.parametrize("fault", ["lost", "error_after"])
async def test_what_was_done_though_its_answer_was_lost_is_told_once(
    desks: Desks, provider: str, kind: str, fault: Fault
) -> None:
    content = plain(ACCOUNTS[provider])
    what = TELLS[provider, kind]
    if (provider, kind) == ("woocommerce", "dispatch"):
        what = "put:completed"
    desks.strikes(provider, what, content, fault)
    found = await desks.through(provider, report(provider, content, kind))
    first, *rest = ids(found)
    if provider == "woocommerce" and fault == "lost":
        # The client repeats a PUT by itself on a connection that it had: nothing is told twice.
        assert (first, rest) == ("Confirmed", [])
        assert len(desks.told(provider)[kind != "dispatch"]) == 1
        return
    assert first == "Unknown"
    # Units that Shopify takes off by refundCreate are told again under their key, not looked for.
    keyed = (provider, kind) == ("shopify", "cancellation")
    assert rest == (["Absent", "Confirmed"] if keyed else ["Confirmed"])
    assert not desks.faults, "the fault has struck"
    dispatches, cancellations = desks.told(provider)
    assert len(dispatches) + len(cancellations) == 1


@PROVIDERS
@pytest.mark.parametrize("fault", ["unheard", "error"])
async def test_what_was_never_done_is_asked_for_first_and_then_told(
    desks: Desks, provider: str, fault: Fault
) -> None:
    content = plain(ACCOUNTS[provider])
    what = "put:completed" if provider == "woocommerce" else TELLS[provider, "dispatch"]
    desks.strikes(provider, what, content, fault)
    found = ids(await desks.through(provider, report(provider, content)))
    if provider == "woocommerce" and fault == "unheard":
        assert found == ["Confirmed"]  # the client has repeated the PUT by itself
        assert len(desks.told(provider)[0]) == 1
        return
    # Our own store honours its key for a day: there the call is simply repeated.
    asked = ["Absent"] if provider in LOOKS else []
    assert found == ["Unknown", *asked, "Confirmed"]
    assert len(desks.told(provider)[0]) == 1


@PROVIDERS
async def test_a_throttled_call_has_had_no_effect_and_is_tried_again(
    desks: Desks, provider: str
) -> None:
    content = plain(ACCOUNTS[provider])
    what = "put:completed" if provider == "woocommerce" else TELLS[provider, "dispatch"]
    desks.strikes(provider, what, content, "limited")
    first, second = await desks.through(provider, report(provider, content))
    assert isinstance(first, NotYet)
    assert first.code == "throttled"
    assert first.after is not None
    assert isinstance(second, Confirmed)
    assert len(desks.told(provider)[0]) == 1


@PROVIDERS
async def test_a_shop_that_throttles_is_left_alone_for_as_long_as_it_asked_and_no_other_is(
    desks: Desks, provider: str
) -> None:
    asked: list[str] = []

    async def throttled(call: Call) -> Result:
        asked.append(call.id)
        return NotYet("throttled", 3600 * SECOND)

    async def told(call: Call) -> Result:
        asked.append(call.id)
        return Confirmed()

    assert desks.kind(provider).several
    account = desks.accounts[ACCOUNTS[provider]]
    one, other = Connected(account, desks.ports), Connected(account, desks.ports)
    call = Call("e", kind_of(provider), "order-x", b"", 1, 1, 0, NOW)
    assert await one.within(throttled, call) == NotYet("throttled", 3600 * SECOND)
    waits = await one.within(told, call)
    assert isinstance(waits, NotYet)
    assert waits.code == "quota"
    assert 3600 <= (waits.after or 0) / SECOND < 3602
    assert await other.within(told, call) == Confirmed()
    assert len(asked) == 2
    desks.now += (waits.after or 0) + SECOND
    assert await one.within(told, call) == Confirmed()


@pytest.mark.parametrize("provider", list(LOOKS))
@pytest.mark.parametrize("fault", ["limited", "error"])
async def test_a_question_that_fails_leaves_nothing_in_doubt(
    desks: Desks, provider: str, fault: Fault
) -> None:
    content = plain(ACCOUNTS[provider])
    desks.strikes(provider, LOOKS[provider], content, fault)
    found = ids(await desks.through(provider, report(provider, content)))
    assert found == ["NotYet", "Confirmed"]


async def test_shopifys_empty_bucket_says_when_to_come_back(tmp_path: Path) -> None:
    async with serving(tmp_path, points=1, points_per_second=50.0) as desks:
        call = Call(
            "e", "shopify.report", "order-x", pack(report("shopify", plain("shopify-uk"))), 1, 1, 0,
            NOW,
        )  # fmt: skip
        found = await desks.attempt("shopify", call)
        assert isinstance(found, NotYet)
        assert (found.code, found.after is not None and found.after > 0) == ("throttled", True)


async def test_a_question_that_costs_too_much_is_refused_as_shopify_does(desks: Desks) -> None:
    dear = shopify_queries.ORDERS[20].replace("first: 4)", "first: 50)").replace("25", "250")
    url = f"{desks.url}/shops/shopify-uk/admin/api/2026-07/graphql.json"
    body = {"query": dear, "variables": {"id": "gid://shopify/Order/1"}}
    headers = {"X-Shopify-Access-Token": TOKENS["shopify-uk"]}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json=body, headers=headers) as answer,
    ):
        [error] = (await answer.json())["errors"]
    assert error["extensions"]["code"] == "MAX_COST_EXCEEDED"


@PROVIDERS
async def test_a_part_then_the_rest(desks: Desks, provider: str) -> None:
    content = plain(ACCOUNTS[provider])
    one = lines_of(provider, content, [1])
    rest = lines_of(
        provider, content, [n.quantity - (n is content.lines[0]) for n in content.lines]
    )
    first = report(provider, content, lines=one, whole=False)
    second = report(provider, content, lines=rest, report_id="r2", subject="s2", tracking_code="T2")
    for told in (first, second):
        assert ids(await desks.through(provider, told)) == ["Confirmed"]
    dispatches, _ = desks.told(provider)
    assert [one["tracking"] for one in dispatches] == ["T1", "T2"]
    if provider != "woocommerce":  # its API tells parcels, not what is in them
        units = [sum(one["lines"].values()) for one in dispatches]
        assert units == [1, sum(one.quantity for one in content.lines) - 1]


async def test_an_order_too_long_for_the_small_question_is_asked_for_in_full(desks: Desks) -> None:
    changed = {one.number for one in PLAN.happenings if one.state.version > 1}
    content = next(
        one
        for one in PLAN.contents
        if one.account.name == "shopify-uk" and one.number not in changed and len(one.lines) > 30
        and all(line.kind == "goods" for line in one.lines)
    )  # fmt: skip
    assert ids(await desks.through("shopify", report("shopify", content))) == ["Confirmed"]
    [dispatch], _ = desks.told("shopify")
    assert len(dispatch["lines"]) == len(content.lines)
    calls = desks.shop.desk.calls["shopify-uk"]
    assert (calls["order:200"], calls["fulfillmentCreate:200"]) == (2, 1)


def test_a_question_costs_shopify_little_and_never_more_than_it_allows() -> None:
    costs = [
        quota.cost(graphql.parse(query, {"id": "gid://shopify/Order/1"}))
        for query in shopify_queries.ORDERS.values()
    ]
    assert costs[0] <= 50
    assert max(costs) <= quota.MOST


async def test_a_woocommerce_order_is_completed_with_its_last_parcel_only(desks: Desks) -> None:
    content = plain("woo-uk")
    part = report("woocommerce", content, lines=lines_of("woocommerce", content, [1]), whole=False)
    await desks.through("woocommerce", part)
    state = desks.shop.desk.reports("woo-uk", content.number)[-1].told
    assert state["status"] != "completed"
    await desks.through("woocommerce", report("woocommerce", content, report_id="r2"))
    assert desks.shop.desk.reports("woo-uk", content.number)[-1].told["status"] == "completed"


@PROVIDERS
async def test_the_rest_of_an_order_is_cancelled_after_a_parcel(
    desks: Desks, provider: str
) -> None:
    content = plain(ACCOUNTS[provider])
    first = [content.lines[0].quantity]
    rest = [0, *(one.quantity for one in content.lines[1:])]
    parcel = report(provider, content, lines=lines_of(provider, content, first), whole=False)
    ended = report(
        provider, content, "cancellation", lines=lines_of(provider, content, rest), rest=True,
        report_id="r2",
    )  # fmt: skip
    for told in (parcel, ended):
        assert ids(await desks.through(provider, told)) == ["Confirmed"]
    [_], [cancelled] = desks.told(provider)
    assert sum(cancelled["lines"].values()) == sum(rest)
    if provider == "woocommerce":
        last = desks.shop.desk.reports("woo-uk", content.number)[-1].told
        assert last["status"] == "completed"


@PROVIDERS
async def test_what_a_shop_refuses_is_refused(desks: Desks, provider: str) -> None:
    content = plain(ACCOUNTS[provider])
    nothing = report(provider, content)
    unknown = msgspec.structs.replace(
        nothing,
        external_id={"shopify": "1", "woocommerce": "1", "standard": "ord_1"}[provider],
    )
    [found] = await desks.through(provider, unknown)
    assert isinstance(found, Rejected)
    assert found.code == "refused-by-channel"
    call = Call("e", kind_of(provider), "order-x", pack(unknown), 2, 2, NOW - 1, NOW)
    assert isinstance(await desks.attempt(provider, call), Rejected), "asked for, it says so too"
    other = report(provider, content, account="nobody")
    [found] = await desks.through(provider, other)
    assert isinstance(found, Rejected)
    assert (found.code, desks.told(provider)) == ("channel-not-connected", ([], []))


async def test_an_order_of_which_something_left_is_not_cancelled_by_shopify(desks: Desks) -> None:
    content = plain("shopify-uk")
    part = report("shopify", content, lines=lines_of("shopify", content, [1]), whole=False)
    await desks.through("shopify", part)
    [found] = await desks.through("shopify", report("shopify", content, "whole", report_id="r2"))
    assert isinstance(found, Rejected)
    assert (found.code, found.answer) == ("refused-by-channel", "INVALID")


async def test_an_order_that_the_shop_cancelled_itself_is_confirmed(desks: Desks) -> None:
    for provider in ("shopify", "standard"):
        content = plain(ACCOUNTS[provider])
        told = report(provider, content, "whole")
        await desks.through(provider, told)
        again = msgspec.structs.replace(told, report_id="r9")
        assert ids(await desks.through(provider, again)) == ["Confirmed"]
        assert len(desks.told(provider)[1]) == 1


@PROVIDERS
async def test_a_shop_that_nobody_reaches_is_tried_again(tmp_path: Path, provider: str) -> None:
    async with serving(tmp_path) as desks:
        told = report(provider, plain(ACCOUNTS[provider]))
        call = Call("e", kind_of(provider), "order-x", pack(told), 1, 1, 0, NOW)
        gone = Desks(desks.shop, "http://127.0.0.1:1")
        for adapter in (gone.kind(provider).adapter,):
            found = await adapter.perform(call)
            assert isinstance(found, NotYet)
            assert found.code == "unreachable"
        for kind in gone.kinds.values():
            assert isinstance(kind.adapter, Reports)
            await kind.adapter.close()
