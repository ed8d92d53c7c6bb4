"""What the relay remembers is always a run without gaps that ends at the lane's head."""

from hypothesis import given
from hypothesis import strategies as st

from libs.bus.recent import ROOM, Outgoing, Recent
from libs.eventsourcing.decided import NewEvent

LANE = 3


def event(number: int) -> NewEvent:
    name = f"id-{number}"
    return NewEvent(LANE, name, "thing-1", number, "toy.Counted", 1, b"", 7, "c", "d", "")


def commit(recent: Recent, first: int, last: int) -> None:
    recent.add([event(n) for n in range(first, last + 1)], {LANE: last})


def numbers(found: object) -> list[int]:
    assert isinstance(found, list | tuple)
    assert all(isinstance(one, Outgoing) and one.id == f"id-{one.pseq}" for one in found)
    return [one.pseq for one in found]


def test_what_was_just_committed_is_there_and_what_is_acknowledged_is_not() -> None:
    recent = Recent()
    commit(recent, 1, 5)
    commit(recent, 6, 8)
    assert numbers(recent.behind(LANE, 0, 100)) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert numbers(recent.behind(LANE, 4, 2)) == [5, 6]
    recent.forget(LANE, 7)
    assert numbers(recent.behind(LANE, 7, 100)) == [8]
    assert numbers(recent.behind(LANE, 6, 100)) == []
    assert numbers(recent.behind(LANE, 8, 100)) == []


def test_behind_another_process_s_commit_the_store_is_asked() -> None:
    recent = Recent()
    commit(recent, 1, 5)
    commit(recent, 9, 10)
    assert numbers(recent.behind(LANE, 5, 100)) == []
    assert numbers(recent.behind(LANE, 8, 100)) == [9, 10]


@given(st.lists(st.tuples(st.integers(1, 900), st.booleans(), st.integers(0, 900)), max_size=12))
def test_every_answer_is_the_next_run_of_the_lane(steps: list[tuple[int, bool, int]]) -> None:
    recent, head, sent = Recent(), 0, 0
    for count, ours, taken in steps:
        if ours:
            commit(recent, head + 1, head + count)
        head += count
        found = numbers(recent.behind(LANE, sent, 500))
        assert found == list(range(sent + 1, sent + 1 + len(found)))
        sent = max(sent, min(head, sent + taken))
        recent.forget(LANE, sent)
        assert len(recent.behind(LANE, head - ROOM - 900, 10_000)) <= ROOM + 900
