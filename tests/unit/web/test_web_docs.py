"""What is said of the HTTP API is true of every route, and can be read without a network."""

import functools
import re
from typing import Any

from fastapi import FastAPI

from libs.runtime.settings import Server
from libs.web.openapi import operations
from tests.unit.memory import AsgiClient
from tests.unit.web.writes import WRITES, every_route


@functools.cache
def app() -> FastAPI:
    nobody: Any = None
    return every_route(nobody)


def test_every_operation_says_in_a_sentence_what_it_does() -> None:
    summaries = [said["summary"] for _, _, said in operations(app().openapi())]
    assert all(re.fullmatch(r"[A-Z]\S* .*[^.]", one) for one in summaries), summaries
    assert len(set(summaries)) == len(summaries)


def test_every_operation_says_how_it_refuses_and_every_write_that_it_needs_a_key() -> None:
    schema = app().openapi()
    keyed = set()
    for _, path, said in operations(schema):
        assert {"4XX", "5XX"} <= said["responses"].keys()
        assert "422" not in said["responses"], "that is no shape of ours"
        open_to_all = path.startswith("/health/") or "/webhooks/" in path
        assert ("security" in said) != open_to_all, path
        if any(
            one["name"] == "idempotency-key" and one["required"]
            for one in said.get("parameters", ())
        ):
            keyed.add(path)
    assert keyed == set(WRITES)
    assert "HTTPValidationError" not in str(schema)


async def test_a_problem_is_of_the_shape_that_is_described() -> None:
    shape = app().openapi()["components"]["schemas"]["Problem"]
    for path in ("/orders/nobody", "/nothing"):
        told = (await AsgiClient(app()).get(path)).json()
        assert set(shape["required"]) <= told.keys() <= shape["properties"].keys()


async def test_the_documentation_names_every_operation_and_needs_no_network() -> None:
    answer = await AsgiClient(app()).get("/docs")
    text = answer.body.decode()
    assert answer.status_code == 200
    for method, path, said in operations(app().openapi()):
        assert f"<dt>{method.upper()} {path}</dt>" in text
        assert said["summary"].replace("'", "&#x27;").replace("`", "") in re.sub(
            "</?code>", "", text
        )
    assert "<code>Idempotency-Key</code>" in text
    assert "`" not in text
    decision = "decision (retry, backorder, cancel, reship, refund, claim, accept)"
    assert f"Header: Idempotency-Key<br>Body: {decision}, [reason], [shipment_id]" in text
    assert "Body: [lines {line_id, [quantity]}], [reason], [by (seller, buyer)]" in text
    before, _, after = text.partition("<script async")
    assert "https://" not in before
    assert after


async def test_what_the_documentation_takes_from_elsewhere_is_known_by_its_digest() -> None:
    text = (await AsgiClient(app()).get("/docs")).body.decode()
    assert len(re.findall(r"https://\S+@\d+\.\d+\.\d+/", text)) == text.count("https://") == 2
    assert len(set(re.findall(r'integrity ?= ?"(sha384-[\w+/]{64})"', text))) == 2


async def test_the_documentation_is_open_where_all_else_takes_a_token() -> None:
    nobody: Any = None
    client = AsgiClient(every_route(nobody, Server(tokens={"secret": "operator"})))
    for path, status in {
        "/": 307,
        "/docs": 200,
        "/openapi.json": 200,
        "/orders": 401,
        "/x": 401,
    }.items():
        assert (await client.get(path)).status_code == status


async def test_whoever_opens_the_address_comes_to_the_documentation() -> None:
    assert (await AsgiClient(app()).get("/")).status_code == 307
