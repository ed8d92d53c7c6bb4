"""One key, one answer: for every write that there is, whatever has become of the state by now."""

from collections.abc import Sequence
from typing import Any

import pytest

from libs.eventsourcing.decider import Refused
from libs.runtime.commands import KeyReused
from libs.runtime.ports import Answer, Told
from libs.web.writes import Write, carry_out
from tests.unit.memory import AsgiClient
from tests.unit.web.writes import KEYLESS, WRITES, every_route

GIVEN = Answer("order-x", 3, ("Something",), "toy:0:7")
ROUTES = sorted(WRITES)


class Stored:
    """Commands under one key that is known; under any other they are not."""

    def __init__(self, answer: Answer | Refused = GIVEN) -> None:
        self.answer = answer

    async def known(self, key: str, request: bytes) -> Answer | None:
        del request
        return self._told() if key == "key-1" else None

    async def execute(
        self, stream: str, command: Any, *, key: str, request: bytes, trace: str = "",
        also: Sequence[Told] = (),
    ) -> Answer:  # fmt: skip
        del stream, command, request, trace, also
        assert key == "key-1"
        return self._told()

    def _told(self) -> Answer:
        if isinstance(self.answer, Refused):
            raise self.answer
        return self.answer


async def sent(commands: Stored, route: str) -> tuple[int, Any]:
    path, body = WRITES[route]
    answer = await AsgiClient(every_route(commands)).post(path, body, "key-1")
    return answer.status_code, answer.json()


def test_every_write_takes_a_key_and_is_tried_here() -> None:
    paths = every_route(Stored()).openapi()["paths"]
    posts = {path: item["post"] for path, item in paths.items() if "post" in item}
    changing = {path for path, item in paths.items() if item.keys() & {"put", "patch", "delete"}}
    keyed = {
        path
        for path, post in posts.items()
        if any(one["name"] == "idempotency-key" for one in post.get("parameters", ()))
    }
    assert (keyed, posts.keys() - keyed, changing) == (set(WRITES), KEYLESS, set())


@pytest.mark.parametrize("route", [route for route in ROUTES if not route.startswith("/ops")])
async def test_a_known_key_has_its_answer_though_nothing_is_as_it_was(route: str) -> None:
    status, told = await sent(Stored(), route)
    assert status < 300, told
    shown = told[0] if isinstance(told, list) else told
    assert shown["token"] == GIVEN.token
    assert tuple(shown.get("events", GIVEN.events)) == GIVEN.events


@pytest.mark.parametrize("route", [route for route in ROUTES if not route.startswith("/ops")])
async def test_a_known_no_is_said_again_and_other_content_is_refused(route: str) -> None:
    for no in (Refused("too-late", "It has left."), KeyReused()):
        status, told = await sent(Stored(no), route)
        assert (status, told["code"]) == (409, no.code)


@pytest.mark.parametrize("route", [route for route in ROUTES if route.startswith("/ops")])
async def test_an_operators_deed_is_done_once(route: str) -> None:
    path, body = WRITES[route]
    client = AsgiClient(every_route(Stored()))
    first, second = [await client.post(path, body, "key-1") for _ in range(2)]
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json() != []
    other = await client.post(path, body | {"by": "eve"}, "key-1")
    assert (other.status_code, other.json()["code"]) == (409, "idempotency-key-reused")


async def test_what_the_first_request_did_while_the_second_was_judged_is_no_reason_to_refuse_it() -> (
    None
):
    """Both were on their way: the second finds the parcels joined, and then the first's answer."""
    stored = Stored()

    async def judged() -> Sequence[Told]:
        raise Refused("not-open", "One of them is packed already.")

    assert await carry_out(stored, Write("key-1", b"", ""), judged) == GIVEN
    with pytest.raises(Refused, match="packed"):
        await carry_out(stored, Write("key-2", b"", ""), judged)
