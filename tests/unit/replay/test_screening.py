"""Numbers decide what is applied: whatever the topic repeats, lacks or brings late."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from libs.bus.screening import Cursor, Mark, screen_marks

START = Cursor(0, 0, "")


def log(*numbers: int, at: int = 0) -> list[Mark]:
    return [Mark(at + n, pseq, f"id-{pseq}" if pseq else "") for n, pseq in enumerate(numbers)]


def applied(cursor: Cursor, marks: Sequence[Mark]) -> list[int]:
    return [marks[n].pseq for n in screen_marks(cursor, marks).taken]


def test_numbers_that_follow_are_applied_and_the_cursor_stands_behind_them() -> None:
    screened = screen_marks(START, log(1, 2, 3))
    assert list(screened.taken) == [0, 1, 2]
    assert screened.cursor == Cursor(3, 3, "id-3")
    assert screened.problem is None


def test_repeats_are_skipped_and_passed() -> None:
    screened = screen_marks(START, log(1, 2, 1, 2, 3, 3))
    assert list(screened.taken) == [0, 1, 4]
    assert screened.cursor == Cursor(6, 3, "id-3")


def test_a_foreign_record_is_taken_and_only_the_offset_moves() -> None:
    screened = screen_marks(Cursor(5, 9, "id-9"), log(0, 10, at=5))
    assert screened.after[0] == Cursor(6, 9, "id-9")
    assert screened.cursor == Cursor(7, 10, "id-10")


def test_the_last_number_with_another_id_is_two_histories() -> None:
    screened = screen_marks(Cursor(3, 3, "other"), log(3, 4, at=3))
    assert (screened.problem, screened.taken) == ("two-histories", [])
    assert screened.cursor.next_offset == 3


def test_behind_a_gap_nothing_is_taken_and_the_offset_stays() -> None:
    screened = screen_marks(START, log(1, 2, 5, 0, 6))
    assert applied(START, log(1, 2, 5, 0, 6)) == [1, 2]
    assert (screened.problem, screened.cursor.next_offset) == ("gap", 2)


def test_a_number_that_comes_late_is_taken_and_what_was_skipped_is_read_again() -> None:
    gap = screen_marks(START, log(1, 2, 5, 0, 6)).cursor
    first = screen_marks(gap, log(3, at=5))
    assert (first.problem, first.cursor.next_offset, first.cursor.last_pseq) == ("gap", 2, 3)
    second = screen_marks(first.cursor, log(4, 5, at=6))
    assert list(second.taken) == [0]
    assert (second.problem, second.cursor) == ("filled", Cursor(2, 4, "id-4"))
    again = screen_marks(second.cursor, log(5, 0, 6, 3, 4, 5, at=2))
    assert list(again.taken) == [0, 1, 2]
    assert again.cursor == Cursor(8, 6, "id-6")


def read_all(marks: Sequence[Mark], sizes: Sequence[int]) -> tuple[list[int], Cursor]:
    """Read a partition to its end in chunks, from where each screening says."""
    cursor, position, taken = START, 0, list[int]()
    turn = 0
    while position < len(marks):
        size = sizes[turn % len(sizes)]
        turn += 1
        chunk = marks[position : position + size]
        screened = screen_marks(cursor, chunk)
        taken += [chunk[n].pseq for n in screened.taken if chunk[n].pseq]
        cursor = screened.cursor
        position = cursor.next_offset if screened.problem == "filled" else position + len(chunk)
    return taken, cursor


@given(
    st.integers(1, 12),
    st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), max_size=6),
    st.lists(st.integers(1, 7), min_size=1, max_size=5),
)
def test_any_zombies_and_any_chunks_apply_each_number_once_in_order(
    head: int, zombies: list[tuple[int, int]], sizes: list[int]
) -> None:
    numbers = list(range(1, head + 1))
    for begin, length in zombies:  # a zombie repeats a run of what has been sent before it
        numbers += [n for n in range(begin, begin + length) if n <= head]
    taken, cursor = read_all(log(*numbers), sizes)
    assert taken == list(range(1, head + 1))
    assert cursor.next_offset == len(numbers)


@given(st.permutations(range(1, 8)), st.lists(st.integers(1, 4), min_size=1, max_size=5))
def test_any_order_with_a_complete_resend_behind_it_applies_each_number_once(
    order: list[int], sizes: list[int]
) -> None:
    taken, _ = read_all(log(*order, *range(1, 8)), sizes)
    assert taken == list(range(1, 8))
