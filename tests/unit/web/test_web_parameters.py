"""A filter with a slip of the pen is refused, by every route; it is not passed over."""

import re

import pytest

from libs.web.tokens import OPEN
from tests.unit.memory import AsgiClient
from tests.unit.web.test_web_keys import Stored
from tests.unit.web.writes import WRITES, every_route

READS = sorted(
    path for path, operations in every_route(Stored()).openapi()["paths"].items()
    if "get" in operations and not path.startswith(OPEN)
)  # fmt: skip


@pytest.mark.parametrize("path", READS)
async def test_a_read_refuses_what_it_does_not_know(path: str) -> None:
    there = re.sub(r"\{\w+\}", "x", path)
    answer = await AsgiClient(every_route(Stored())).get(f"{there}?chanel=shop")
    told = answer.json()
    assert (answer.status_code, told["code"]) == (422, "unknown-parameter")
    assert "No parameter 'chanel' here" in told["detail"]


async def test_the_refusal_names_what_there_is() -> None:
    answer = await AsgiClient(every_route(Stored())).get("/orders?Channel=shop")
    assert "after, channel, cursor" in answer.json()["detail"]


async def test_a_write_refuses_it_too_and_changes_nothing() -> None:
    path, body = WRITES["/inventory/stock/{sku}/counts"]
    calls = Stored()
    answer = await AsgiClient(every_route(calls)).post(f"{path}?location=x", body, "key-1")
    assert answer.json()["code"] == "unknown-parameter"


async def test_a_delivery_may_carry_what_its_sender_likes() -> None:
    path = "/channels/webhooks/shopify/shop?from=gateway"
    answer = await AsgiClient(every_route(Stored())).post(path, {}, None)
    assert answer.json()["code"] == "bad-signature"
