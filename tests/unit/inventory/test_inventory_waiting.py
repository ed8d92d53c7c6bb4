"""The waiting list is what a sorted list would be."""

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from services.inventory.waiting import RUN, Queue, joined, left, size

turns = st.tuples(st.integers(0, 3), st.integers(0, 5), st.text("abc", min_size=1, max_size=4))


@given(st.sets(turns, max_size=300), st.data())
def test_turns_join_and_leave_in_any_order(
    wanted: set[tuple[int, int, str]], data: st.DataObject
) -> None:
    ordered = data.draw(st.permutations(sorted(wanted)))
    empty: Queue = ()
    queue = reduce(joined, ordered, empty)
    assert [turn for run in queue for turn in run] == sorted(wanted)
    assert size(queue) == len(wanted)
    gone = ordered[: data.draw(st.integers(0, len(ordered)))]
    queue = reduce(left, gone, queue)
    assert [turn for run in queue for turn in run] == sorted(wanted - set(gone))
    assert all(0 < len(run) <= RUN for run in queue)


def test_a_list_that_grows_at_its_end_has_full_runs() -> None:
    empty: Queue = ()
    queue = reduce(joined, [(5, n, "order") for n in range(10 * RUN)], empty)
    assert [len(run) for run in queue] == [RUN] * 10
