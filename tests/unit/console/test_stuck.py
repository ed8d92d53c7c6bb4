"""What waits, from every service's own route, in one list: overdue first, then the money."""

import re
import shlex
from collections import defaultdict
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel

from libs.cli.errors import Stop
from services.accounting import views as accounting
from services.channels import report_api as channels
from services.channels.report_rows import ReportRow
from services.console import steps
from services.console.cli.stuck import age_text, elsewhere, explained, find_order
from services.console.http import Refusal
from services.console.queues import Waiting, beside, everything, grouped
from services.crm_sync import views as customers
from services.fulfilment import standing
from services.fulfilment import views as fulfilment
from services.orders import standing as orders
from services.orders import views as order_views
from services.payments import standing as waits
from services.payments import views as payments

NOW = 1_780_000_000_000_000
HOUR = 3_600_000_000


class Services:
    """Routes that answer with what the services' own views say, page after page."""

    def __init__(self) -> None:
        self.pages: dict[str, list[Any]] = {}
        self.asked: dict[str, int] = defaultdict(int)

    async def get(self, path: str, **query: str) -> Any:
        name = f"{path}?{query['state']}" if "state" in query else path
        if not any(known.partition("?")[0] == path for known in self.pages):
            raise Refusal(404, "not-found", "There is nothing here.")
        pages = self.pages.get(name, [{"orders": [], "cursor": None}])
        page = pages[int(query.get("cursor", 0))]
        self.asked[name] += 1
        return page


def shown(view: Any) -> Any:
    return view.model_dump(mode="json")


def order(name: str, decide_by: int | None = NOW - HOUR, **fields: Any) -> Any:
    row = orders.OrderRow(
        order_id=name, state="waiting", reason="cancellation-asked", owner="fulfilment",
        next_action="stop the parcel, or say that it has left", since=NOW - 30 * HOUR,
        decide_by=decide_by, value_at_risk_minor=500, currency="GBP", **fields,
    )  # fmt: skip
    return shown(order_views.order_out(row))


def parcel(name: str, deadline: int | None, value: int = 900) -> fulfilment.QueueEntry:
    waiting = fulfilment.WaitingOut(
        reason="label-in-doubt", owner="operations", since=NOW - HOUR, deadline=deadline,
        next_action="decide: bought or not-bought", value_at_risk_minor=value, currency="GBP",
    )  # fmt: skip
    return fulfilment.QueueEntry(kind="shipment", id=name, waiting=waiting)


@pytest.fixture
def services() -> Services:
    asked = Services()
    queue = orders.QueueRow(NOW - HOUR, NOW + HOUR, 40)
    asked.pages["/orders?waiting"] = [
        {"orders": [order("ord_1", queues={"payment-in-doubt": queue})], "cursor": "1"},
        {"orders": [order("ord_2", None)], "cursor": None},
    ]
    delayed = payments.WaitOut(
        order_id="ord_3", what="clearance", subject="s1", reason="units-not-required",
        owner="operations", next_action="release it, or stop the parcel", at_risk_minor=7000,
        currency="GBP", since=NOW - 2 * HOUR, deadline=NOW + HOUR,
    )  # fmt: skip
    asked.pages["/payments/queues"] = [shown(payments.Queues(items=[delayed], more=False))]
    pages = (([parcel("shp_1", NOW + HOUR)], "1"), ([parcel("shp_2", NOW - 1)], None))
    asked.pages["/fulfilment/queues"] = [
        shown(fulfilment.QueuePage(entries=tuple(rows), cursor=cursor)) for rows, cursor in pages
    ]
    posting = accounting.QueueOut(
        subject="ord_5", code="cost-unknown", source_event="e1", entity="main", order_id=None,
        sku="MUG", owner="accounting", next_action="say the cost", amount=0, currency="GBP",
        units=2, since=NOW - 9 * HOUR, deadline=NOW - HOUR, overdue=True,
    )  # fmt: skip
    asked.pages["/accounting/queues"] = [
        shown(accounting.Queues(waiting={"cost-unknown": 1}, rows=(posting,), cursor=None))
    ]
    report = channels.ReportView(
        report_id="rep_1", account="shop", external_id="1", order_id="ord_6", kind="dispatch",
        subject="s1", state="refused", requested_at=NOW - HOUR, due_by=NOW + HOUR, ended_at=None,
        attempts=1, answer="", code="not-fulfillable", late=False,
        next_action="look in the shop, then decide: retry, or confirmed",
    )  # fmt: skip
    asked.pages["/channels/reports"] = [[shown(report)]]
    erasure = customers.PendingOut(
        subject="sub_7", customer_id="cus_7", requested_at=NOW - 2 * HOUR, answer_by=NOW + HOUR,
        by="desk", owner="privacy", next_action="wait for the vault",
    )  # fmt: skip
    asked.pages["/customers/erasures"] = [[shown(erasure)]]
    return asked


async def test_every_services_queues_are_in_one_list_overdue_first(services: Services) -> None:
    found, silent, cut = await everything(services, NOW)
    assert not silent + cut
    assert [(one.service, one.subject, one.overdue) for one in found] == [
        ("fulfilment", "shp_2", True), ("orders", "ord_1", True), ("orders", "ord_2", True),
        ("accounting", "MUG", True), ("payments", "ord_3", False), ("fulfilment", "shp_1", False),
        ("orders", "ord_1", False), ("crm_sync", "cus_7", False), ("channels", "ord_6", False),
    ]  # fmt: skip
    for one in found:
        assert one.reason
        assert one.owner
        assert one.next_action
        assert one.since < NOW
    beside = found[6]
    assert (beside.reason, beside.at_risk_minor) == ("payment-in-doubt", 40)


async def test_a_list_that_is_cut_short_is_named(services: Services) -> None:
    services.pages["/payments/queues"][0]["more"] = True
    assert (await everything(services, NOW))[2] == ["payments"]
    services.pages["/channels/reports"][0] *= 500
    assert (await everything(services, NOW))[2] == ["channels", "payments"]


async def test_a_service_that_does_not_run_there_is_named(services: Services) -> None:
    del services.pages["/accounting/queues"]
    found, silent, _ = await everything(services, NOW)
    assert silent == ["accounting"]
    assert len(found) == 8


async def test_an_order_is_explained_with_what_waits_elsewhere_for_it_or_its_parcels(
    services: Services,
) -> None:
    found = await beside(services, NOW, {"ord_3", "shp_2"})
    assert [(one.service, one.subject) for one in found] == [
        ("fulfilment", "shp_2"), ("payments", "ord_3"),
    ]  # fmt: skip
    assert elsewhere(found[1]) == (
        "  payments: clearance: units-not-required, 70.00 GBP at risk;"
        " operations: release it, or stop the parcel"
    )
    assert not [path for path in services.asked if path.startswith("/orders")]


def test_an_order_that_waits_for_nothing_has_no_next_action() -> None:
    row = orders.OrderRow(order_id="ord_1", state="completed", currency="GBP")
    assert not [one for one in explained(shown(order_views.order_out(row))) if "next" in one]


async def test_a_parcel_is_explained_by_its_order_and_a_slip_of_the_pen_is_no_order() -> None:
    name, other = "ord_0123456789abcdef0123", "ord_0123456789abcdef0124"
    packed = standing.ShipmentRow(shipment_id="shp_1", orders={name: {"ln_1": 2}})
    row = order_views.order_out(orders.OrderRow(order_id=name))
    joined = msgspec.structs.replace(packed, orders={name: {"ln_1": 2}, other: {"ln_1": 1}})
    answers = {
        "/fulfilment/shipments/shp_1": shown(fulfilment.shipment_out(packed)),
        "/fulfilment/shipments/shp_2": shown(fulfilment.shipment_out(joined)),
        f"/orders/{name}": shown(row),
    }

    class Routes:
        async def get(self, path: str, **query: str) -> Any:
            return answers.get(path) or {"orders": [], "asked": query}

    assert (await find_order(Routes(), "shp_1"))["order_id"] == name
    with pytest.raises(Stop, match=f"several orders: {name}, {other}"):
        await find_order(Routes(), "shp_2")
    with pytest.raises(Stop, match="no order is called ord_slip"):
        await find_order(Routes(), "ord_slip")


async def test_what_is_refused_for_another_reason_is_not_taken_for_nothing(
    services: Services,
) -> None:
    async def forbidden(path: str, **query: str) -> Any:
        raise Refusal(401, "unauthorised", f"{path} {query}")

    services.get = forbidden  # type: ignore[method-assign]
    with pytest.raises(Refusal):
        await everything(services, NOW)


async def test_groups_with_something_overdue_come_first(services: Services) -> None:
    found, _, _ = await everything(services, NOW)
    groups = grouped(found)
    assert [(one[0].service, one[0].reason, len(one)) for one in groups] == [
        ("fulfilment", "label-in-doubt", 2), ("orders", "cancellation-asked", 2),
        ("accounting", "cost-unknown", 1), ("payments", "units-not-required", 1),
        ("orders", "payment-in-doubt", 1), ("crm_sync", "requested", 1),
        ("channels", "dispatch: not-fulfillable", 1),
    ]  # fmt: skip
    assert isinstance(groups[0][0], Waiting)


@pytest.mark.parametrize(
    ("micros", "text"),
    [(0, "0 s"), (59_000_000, "59 s"), (61_000_000, "1 min 1 s"), (HOUR, "1 h 0 min"),
     (49 * HOUR, "2 d 1 h"), (-5, "0 s")],
)  # fmt: skip
def test_an_age_is_said_in_its_two_largest_units(micros: int, text: str) -> None:
    assert age_text(micros) == text


@pytest.mark.parametrize(
    ("currency", "due", "risk"),
    [("GBP", "52.34 GBP", "0.40 GBP"), ("JPY", "5234 JPY", "40 JPY"), ("KWD", "5.234 KWD", "0.040 KWD")],
)  # fmt: skip
def test_an_order_is_explained_in_its_own_currencys_units(
    currency: str, due: str, risk: str
) -> None:
    row = orders.OrderRow(
        order_id="ord_1", state="waiting", currency=currency,
        payment=orders.PaymentRow(required_minor=5234, required_revision=1),
        queues={"payment-in-doubt": orders.QueueRow(NOW - HOUR, NOW + HOUR, 40)},
    )  # fmt: skip
    lines = explained(shown(order_views.order_out(row)))
    assert any(f"costs {due}, captured 0" in one for one in lines)
    assert f"  queue: payment-in-doubt, {risk} at risk" in lines


FORMS: dict[str, type[BaseModel]] = {
    "decisions": order_views.DecisionIn, "release": order_views.ReleaseIn,
    "cancellations": order_views.CancellationIn,
}  # fmt: skip


def test_every_next_action_of_an_order_that_a_word_says_is_a_call_that_orders_takes() -> None:
    for owner, action in {*orders._NEXT.values(), orders._RELEASE}:
        holds = {"hold_1": orders.HoldRow("fraud-review", "desk", "both", NOW)}
        row = orders.OrderRow(order_id="ord_1", next_action=action, owner=owner, holds=holds)
        calls = list(steps.for_order(shown(order_views.order_out(row))))
        words = r"\b(decide|accept|release|cancel)\b"
        assert bool(calls) == bool(re.search(words, action)), action
        for path, body, others in calls:
            for word in ("", *others):
                changed = dict(body) | ({"decision": word} if word else {})
                FORMS[path.rpartition("/")[2]].model_validate(changed)


async def test_what_another_service_is_told_by_a_word_is_a_call_that_it_takes(
    services: Services,
) -> None:
    calls = [call for one in (await everything(services, NOW))[0] for call in steps.elsewhere(one)]
    assert [(call.path, call.body["decision"], *call.others) for call in calls] == [
        ("/channels/reports/rep_1/decisions", "retry", "confirmed"),
    ]  # fmt: skip


WORDS: dict[str, tuple[type[BaseModel], list[str]]] = {
    "payments": (payments.DecisionIn, [action for _, action in (*waits._NEXT.values(), waits._DECLINED)]),
    "channels": (channels.Decision, [*channels._NEXT.values(), channels._CONNECT]),
    "fulfilment": (fulfilment.DecisionIn, [
        "decide: new-label (give it back, plan again) or keep (send it as it is)",
        "the carrier is asked for a day; then decide: given-back or not-given-back",
        "decide at the order: reship, refund or claim; or here: delivered", "pack it",
    ]),
}  # fmt: skip


@pytest.mark.parametrize("service", WORDS)
def test_every_word_that_is_offered_for_another_service_is_one_of_its_own(service: str) -> None:
    form, actions = WORDS[service]
    waiting = Waiting(service, "", "", "", "", "", 0, None, 0, "", False, "/decisions")
    found = 0
    for action in actions:
        for call in steps.elsewhere(msgspec.structs.replace(waiting, next_action=action)):
            for word in (call.body["decision"], *call.others):
                form.model_validate({"decision": word})
                found += 1
    assert found >= len(steps._ELSEWHERE[service])


def test_a_call_is_pasted_with_a_key_of_its_own_and_no_token_in_it() -> None:
    call = steps.Call("/orders/ord_1/decisions", {"decision": "retry"}, ("cancel",))
    text = steps.pasted(call, "http://127.0.0.1:8080", "key-1", token=True)
    line, _, others = text.partition("  # ")
    assert others == "or cancel"
    assert shlex.split(line) == [
        "curl", "http://127.0.0.1:8080/orders/ord_1/decisions",
        "-H", "Content-Type: application/json", "-H", "Idempotency-Key: key-1",
        "-H", "Authorization: Bearer $LONJA_TOKEN", "-d", '{"decision": "retry"}',
    ]  # fmt: skip


async def test_an_order_is_found_by_the_number_that_its_shop_shows_with_or_without_its_mark() -> (
    None
):
    rows = {"7": [{"order_id": "ord_1"}], "#8": [{"order_id": "ord_2"}]}

    class Shown:
        async def get(self, _: str, **query: str) -> Any:
            return {"orders": rows.get(query.get("display_number", ""), [])}

    for name, found in {"7": "ord_1", "#7": "ord_1", "8": "ord_2", "#8": "ord_2"}.items():
        assert (await find_order(Shown(), name))["order_id"] == found


def test_a_report_to_a_shop_that_is_not_connected_says_so() -> None:
    row = ReportRow(
        "rep_1", "shop", "shopify", "1", "ord_1", "dispatch", "shp_1", "refused", NOW, NOW + HOUR
    )
    assert "look in the shop" in channels._view(row, NOW).next_action
    row = msgspec.structs.replace(row, code="channel-not-connected")
    assert "api_token" in channels._view(row, NOW).next_action
