"""What the hub keeps of a partition: the last records, whole from where it says to its end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.bus.hub import KEPT, KEPT_BYTES, Window
from libs.bus.records import Arrived
from libs.bus.screening import Mark


def record(offset: int, size: int = 10) -> Arrived:
    return Arrived("toy", "toy.events", 0, offset, 0, b"", bytes(size), None, Mark(offset, 0, ""))


def test_a_new_window_has_nothing_and_knows_where_it_ends() -> None:
    window = Window(7)
    assert window.from_(7, 10) == ()
    assert window.from_(6, 10) is None
    assert window.from_(8, 10) is None


def test_records_are_handed_out_from_any_offset_that_is_kept() -> None:
    window = Window(0)
    window.add([record(n) for n in range(5)])
    window.add([record(n) for n in range(5, 9)])
    assert [r.offset for r in window.from_(3, 4) or ()] == [3, 4, 5, 6]
    assert window.from_(9, 4) == ()


def test_offsets_that_nobody_wrote_are_passed_over() -> None:
    window = Window(0)
    window.add([record(0), record(4), record(5)])
    assert [r.offset for r in window.from_(2, 4) or ()] == [4, 5]


def test_everyone_is_handed_the_same_records() -> None:
    window = Window(0)
    window.add([record(0)])
    (first,), (second,) = window.from_(0, 1) or (), window.from_(0, 1) or ()
    assert first is second


@pytest.mark.parametrize("size", [10, KEPT_BYTES // 20])
def test_only_so_many_are_kept(size: int) -> None:
    window = Window(0)
    for n in range(0, 3 * KEPT, 100):
        window.add([record(n + i, size) for i in range(100)])
    kept = window.from_(window.start, 10 * KEPT)
    assert kept is not None
    assert len(kept) == min(KEPT, KEPT_BYTES // size)
    assert window.from_(window.start - 1, 1) is None


@given(st.lists(st.integers(1, 700), max_size=20), st.integers(0, 3000))
def test_what_is_handed_out_has_no_hole(batches: list[int], at: int) -> None:
    window, end = Window(0), 0
    for size in batches:
        window.add([record(end + n) for n in range(size)])
        end += size
    found = window.from_(at, 10_000)
    if found is not None:
        assert [r.offset for r in found] == list(range(at, end))
    else:
        assert at > end or at < end - KEPT
