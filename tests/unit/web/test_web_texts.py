"""What persons write in requests is kept for ever, and so says no card number and no address."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from pydantic import ValidationError

from libs.store.memory import MemoryStore
from libs.web.texts import impersonal
from tests.unit.web.writes import WRITES, every_route

CARD, MAIL = "4111 1111 1111 1111", "ann.b+c@mail.example.co.uk"
WORDS = ("by", "note", "reason", "decision")  # as far as they are no words of ours


def every(routes: Any) -> Iterator[APIRoute]:
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif inner := getattr(route, "original_router", None):
            yield from every(inner.routes)


def models() -> list[tuple[str, Any, str]]:
    """Each request's shape that has such a field, by its route."""
    none: Any = MemoryStore()
    found = []
    for route in every(every_route(none).routes):
        if route.path_format in WRITES and route.dependant.body_params:
            model: Any = route.dependant.body_params[0].field_info.annotation
            properties = model.model_json_schema().get("properties", {})
            found += [
                (route.path_format, model, name)
                for name in WORDS
                if properties.get(name, {}).get("type") == "string"
                and not properties[name].keys() & {"enum", "pattern", "const"}
            ]
    return found


FIELDS = models()


def test_the_fields_that_persons_write_are_known() -> None:
    assert len({path for path, _, name in FIELDS if name == "by"}) >= 15
    assert {name for _, _, name in FIELDS} == set(WORDS)


@pytest.mark.parametrize(("path", "model", "name"), FIELDS)
def test_no_card_number_and_no_address_gets_through_a_request(
    path: str, model: Any, name: str
) -> None:
    body = WRITES[path][1] or {}
    kept = model.model_validate(body | {name: f"Ann said {CARD}, twice"})
    assert getattr(kept, name) == "Ann said [card number], twice"
    told = body | {name: f"call <{MAIL}>"}
    if name == "by":
        with pytest.raises(ValidationError, match="no e-mail address"):
            model.model_validate(told)
    else:
        assert getattr(model.model_validate(told), name) == "call <[e-mail]>"


def test_what_is_no_address_stays() -> None:
    for text in ("3 mugs @ 4.00", "user@host", "@warehouse", "a@b.1"):
        assert impersonal(text) == text
