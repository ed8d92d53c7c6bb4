"""Trace context at the edge: a caller's trace goes on, everything else begins a new one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.telemetry.tracing import continued, header_of, trace_id

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
WHOLE = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@pytest.mark.parametrize("flags", ["00", "01", "ff"])
def test_a_callers_trace_and_flags_go_on_with_a_span_of_ours(flags: str) -> None:
    made = continued(f"00-{TRACE}-{SPAN}-{flags}")
    assert made.startswith(f"00-{TRACE}-")
    assert made.endswith(f"-{flags}")
    assert SPAN not in made


def test_a_later_version_is_read_as_far_as_we_know_it() -> None:
    assert trace_id(continued(f"42-{TRACE}-{SPAN}-01-what-comes-after")) == TRACE


@pytest.mark.parametrize(
    "bad",
    [
        "", "nonsense", f"00-{TRACE}-{SPAN}", f"00-{TRACE.upper()}-{SPAN}-01", f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01" + "x" * 10_000, f"00-{TRACE}\n-{SPAN}-01",
    ],
)  # fmt: skip
def test_anything_else_begins_a_new_trace(bad: str) -> None:
    first, second = continued(bad), continued(bad)
    assert WHOLE.fullmatch(first)
    assert trace_id(first) not in {TRACE, "", "0" * 32}
    assert trace_id(first) != trace_id(second)


@given(st.text(max_size=200))
def test_whatever_is_sent_what_goes_on_is_well_formed(text: str) -> None:
    assert WHOLE.fullmatch(continued(text))


def test_two_headers_are_as_good_as_none() -> None:
    one = (b"traceparent", f"00-{TRACE}-{SPAN}-01".encode())
    assert header_of([(b"host", b"x"), one]) == one[1].decode()
    assert header_of([one, one]) == header_of([]) == ""


def test_what_has_no_trace_has_no_trace_id() -> None:
    assert trace_id("") == ""
