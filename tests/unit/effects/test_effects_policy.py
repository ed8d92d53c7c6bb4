"""What an effect does next, for every kind, doubt and result: never twice, never for ever."""

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.effects.budget import Budget
from libs.effects.kinds import Absent, Confirmed, EffectKind, NotYet, Rejected, Result, Unknown
from libs.effects.policy import FINAL, FIRST_WAIT, LONGEST_WAIT, step, verdict, wait
from libs.store.store import Call

NOW = 1_790_000_000_000_000
HOUR = 3_600_000_000
RESULTS = [Confirmed(), Rejected("no"), Unknown("timeout"), NotYet("throttled"), Absent()]


class Nobody:
    async def perform(self, call: Call) -> Result:
        raise AssertionError(call)

    async def ask(self, call: Call) -> Result:
        raise AssertionError(call)


def kind(doubt: Literal["repeat", "ask", "queue"], **changes: Any) -> EffectKind:
    return EffectKind("toy", Nobody(), lambda *_: None, doubt, "toy", honoured=24 * HOUR, **changes)


def call(attempt: int = 1, doubt_since: int = 0) -> Call:
    return Call("effect-1", "toy", "shelf-a", b"", attempt, attempt, doubt_since, NOW)


@pytest.mark.parametrize("doubt", ["repeat", "ask", "queue"])
def test_without_a_doubt_it_is_done(doubt: Literal["repeat", "ask", "queue"]) -> None:
    assert step(kind(doubt), call(), NOW) == "perform"


def test_a_doubt_is_ended_as_the_kind_says() -> None:
    doubted = call(2, NOW)
    assert step(kind("repeat"), doubted, NOW + HOUR) == "perform"
    assert step(kind("repeat"), doubted, NOW + 24 * HOUR) == "ask"
    assert step(kind("ask"), doubted, NOW + 1) == "ask"
    assert step(kind("queue"), doubted, NOW + 1) == "queue"


def test_after_the_last_attempt_a_person_decides() -> None:
    assert step(kind("repeat", attempts=3), call(3, NOW), NOW) == "perform"
    assert step(kind("repeat", attempts=3), call(4, NOW), NOW) == "queue"
    last = verdict(kind("repeat", attempts=3), call(3, NOW), "perform", Unknown("reset"), NOW)
    assert (last.state, last.error, last.doubt) == ("queued", "reset", True)


@given(
    st.sampled_from(["repeat", "ask", "queue"]), st.integers(1, 15), st.booleans(),
    st.sampled_from(RESULTS),
)  # fmt: skip
def test_a_doubt_is_never_forgotten(
    doubt: Literal["repeat", "ask", "queue"], attempt: int, doubted: bool, result: Result
) -> None:
    made, one = kind(doubt), call(attempt, NOW - 1 if doubted else 0)
    taken = step(made, one, NOW)
    if taken == "queue":
        result = Unknown("in-doubt")
    elif taken == "perform" and isinstance(result, Absent):
        return
    done = verdict(made, one, taken, result, NOW)
    assert (done.id, done.token) == (one.id, one.token)
    open_again = done.state not in FINAL
    surely = isinstance(result, Absent) or (isinstance(result, NotYet) and not doubted)
    assert done.doubt == ((doubted or isinstance(result, Unknown)) and not surely
                          and not isinstance(result, Confirmed | Rejected))  # fmt: skip
    assert open_again == (done.state in {"planned", "unknown"})
    assert done.state != "planned" or not done.doubt
    assert not open_again or done.next_at >= NOW


def test_what_was_found_by_asking_is_reconciled() -> None:
    doubted = call(2, NOW)
    assert verdict(kind("ask"), doubted, "ask", Confirmed(), NOW).state == "reconciled"
    assert verdict(kind("ask"), doubted, "ask", Rejected("gone"), NOW).state == "reconciled"
    assert verdict(kind("repeat"), doubted, "perform", Confirmed(), NOW).state == "confirmed"
    again = verdict(kind("ask"), doubted, "ask", Absent(), NOW)
    assert (again.state, again.next_at, again.doubt) == ("planned", NOW, False)


def test_the_pause_doubles_up_to_an_hour_and_is_not_the_same_for_all() -> None:
    for attempt in range(1, 40):
        longest = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempt - 1))
        assert longest // 2 <= wait(call(attempt)) < longest
    pauses = {wait(Call(f"e{n}", "toy", "s", b"", 5, 5, 0, NOW)) for n in range(50)}
    assert len(pauses) > 40


def test_a_pause_that_the_provider_asks_for_is_kept() -> None:
    done = verdict(kind("repeat"), call(), "perform", NotYet("throttled", 30_000_000), NOW)
    assert (done.state, done.next_at) == ("planned", NOW + 30_000_000)


def test_an_outside_that_throttles_for_half_a_day_uses_up_no_attempts() -> None:
    """Stripe says nothing of how long, and carriers say "in two seconds" for as long as it takes."""
    now, attempt, made = NOW, 0, kind("repeat", attempts=30)
    while now < NOW + 12 * HOUR:
        attempt += 1
        one = call(attempt)
        assert step(made, one, now) == "perform"
        now = verdict(made, one, "perform", NotYet("throttled", 2_000_000), now).next_at


def test_a_budget_gives_a_burst_and_then_its_rate() -> None:
    budget = Budget(per_second=5, burst=10)
    assert budget.available(100.0) == 10
    budget.spend(10)
    assert budget.available(100.0) == 0
    assert budget.available(101.0) == 5
    assert budget.available(200.0) == 10
    budget.pause(200.0, 4)
    assert budget.available(203.9) == 0
    assert budget.wait(203.9) == pytest.approx(0.3)
    assert budget.available(204.3) == 1
    assert budget.wait(204.3) == 0


def test_a_budget_goes_on_when_its_clock_was_set_back() -> None:
    budget = Budget(per_second=5, burst=10)
    assert budget.available(7200.0) == 10
    budget.spend(10)
    assert budget.available(3600.0) == 0
    assert budget.available(3601.0) == 5
