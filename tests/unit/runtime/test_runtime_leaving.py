"""What a newer release is to take is left to it in order, and not for ever."""

import msgspec
import pytest

from libs.codec.errors import UNKNOWN
from libs.eventsourcing.inputs import Failure, FromOperator, Head, Input
from libs.runtime.leaving import PATIENCE, QUIET, Leaving
from tests.contract import toy
from tests.contract.toy import Put, call, delivered, fact, timed

HEADS = {
    "shelf-a": Head("shelf-a", 2, None, {}, 0, "unknown", 0, newer=True),
    "shelf-b": Head("shelf-b", 2, None, {}, 0),
    **{f"intake-{toy.TOPIC}/{n}": Head("", 0, None, {}, 0) for n in range(3)},
}
UNREAD = Failure(UNKNOWN, "", b"")


def left(inputs: list[Input], leaving: Leaving | None = None, now: float = 0.0) -> list[str]:
    return [one.id for one in (leaving or Leaving(PATIENCE)).split(inputs, HEADS, now)[1]]


def test_with_a_record_all_behind_it_in_its_partition_is_left_and_no_other() -> None:
    inputs = [
        fact(0, ("shelf-b", Put("before"))),
        fact(1, ("shelf-a", Put("newer"))),
        fact(2, ("shelf-b", Put("behind"))),
        fact(0, ("shelf-b", Put("beside")), partition=1),
    ]
    assert left(inputs) == [one.id for one in inputs[1:3]]


def test_a_record_with_an_unknown_schema_is_left_as_well() -> None:
    inputs = [msgspec.structs.replace(fact(0), failure=UNREAD), fact(1, ("shelf-b", Put("x")))]
    assert left(inputs) == [one.id for one in inputs]


def test_what_nobody_can_read_is_not_left() -> None:
    damaged = msgspec.structs.replace(fact(0), failure=Failure("truncated", "", b""))
    leaving = Leaving(PATIENCE)
    assert left([damaged], leaving) == []
    assert not leaving.outdated


def test_of_other_inputs_those_of_the_same_source_stay_behind() -> None:
    inputs = [
        delivered(1, "shelf-a", Put("1"), source="shop/one"),
        delivered(2, "shelf-b", Put("2"), source="shop/one"),
        delivered(3, "shelf-b", Put("3"), source="shop/two"),
        msgspec.structs.replace(timed("t", "shelf-b", Put("4")), work=(), failure=UNREAD,
                                intake=f"intake-{toy.TOPIC}/0"),
    ]  # fmt: skip
    assert left(inputs) == [inputs[0].id, inputs[1].id, inputs[3].id]


def test_where_nobody_newer_comes_all_goes_on_after_a_while() -> None:
    leaving = Leaving(PATIENCE)
    stuck, other = [fact(1, ("shelf-a", Put("x")))], [fact(1, ("shelf-a", Put("y")), partition=1)]
    timers = [timed(f"{n}", "shelf-a", Put("z")) for n in range(3)]
    for now in range(int(PATIENCE)):
        assert left(stuck, leaving, now) != []
        assert leaving.outdated
    assert left(stuck, leaving, PATIENCE) == []
    assert not leaving.outdated, "nobody is newer"
    assert left([fact(2, ("shelf-a", Put("z")))], leaving, 2 * PATIENCE) == [], "not once for each"
    assert left([*other, *timers], leaving, 2 * PATIENCE) == [], "nor once for each queue"
    assert left(stuck, leaving, 2 * PATIENCE + 2 + QUIET) != [], "another upgrade, another wait"


def test_what_a_newer_release_had_meanwhile_is_left_as_long_as_before() -> None:
    leaving, stuck = Leaving(PATIENCE), [fact(1, ("shelf-a", Put("x")))]
    for now in (0.0, PATIENCE - 1, 3 * PATIENCE, 3 * PATIENCE + 5):
        assert left(stuck, leaving, now) != []
        assert leaving.outdated


@pytest.mark.parametrize("code", ["commit-failed", "undecodable"])
def test_a_timer_that_fails_for_itself_says_nothing_of_a_newer_release(code: str) -> None:
    poison = msgspec.structs.replace(
        timed("t", "shelf-b", Put("x")), failure=Failure(code, "", b"")
    )
    leaving = Leaving(PATIENCE)
    assert left([poison], leaving) == []
    assert not leaving.outdated


def tried_again(reason: str | None = None) -> Input:
    origin = FromOperator("parked", "shelf-a", "upstream/one", "someone", reason)
    return msgspec.structs.replace(fact(1, ("shelf-a", Put("x"))), origin=origin)


def test_a_person_is_told_and_may_give_up_what_cannot_be_read() -> None:
    leaving = Leaving(PATIENCE)
    assert left([tried_again()], leaving) != []
    assert not leaving.outdated, "that says nothing of a newer release"
    assert left([tried_again("not needed")], leaving) == []


def test_a_caller_is_always_told_to_come_again() -> None:
    leaving = Leaving(PATIENCE)
    for now in (0.0, PATIENCE, 9 * PATIENCE):
        assert left([call("k", "shelf-a", Put("x"))], leaving, now) == ["command/k"]


def test_without_patience_nothing_is_left() -> None:
    assert left([fact(1, ("shelf-a", Put("x")))], Leaving()) == []
