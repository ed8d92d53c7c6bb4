"""Cursors: any key goes there and back, and what nobody said is refused."""

import contextlib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.web.pages import cursor_of, place
from libs.web.problems import Problem

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


@given(TEXTS, st.integers(-(2**63), 2**63 - 1), TEXTS)
def test_a_key_goes_there_and_back_and_needs_no_quoting(one: str, number: int, two: str) -> None:
    cursor = cursor_of(one, number, two)
    assert place(cursor, tuple[str, int, str]) == (one, number, two)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", cursor)


@given(TEXTS)
def test_what_nobody_said_is_refused_or_is_a_key(told: str) -> None:
    found: Any = None
    with contextlib.suppress(Problem):
        found = place(told, tuple[str, int])
    assert found is None or [type(part) for part in found] == [str, int]


@pytest.mark.parametrize(
    "key", [("a\0", 1), ("a", 2**63), ("a", -(2**63) - 1), ("a", True), ("a",)]
)
def test_what_no_row_can_be_called_is_refused(key: Any) -> None:
    with pytest.raises(Problem):
        place(cursor_of(*key), tuple[str, int])


def test_the_first_page_has_no_cursor() -> None:
    assert place(None, tuple[str, int]) is place("", tuple[str, int]) is None
