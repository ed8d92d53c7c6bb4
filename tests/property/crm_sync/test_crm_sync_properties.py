"""Who is whom is the same for every interleaving; what a person or an erasure parted stays parted."""

import asyncio
import itertools
import random
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts import common
from libs.contracts import crm_sync as events
from services.crm_sync import commands, read_model, views
from services.crm_sync.commands import customer_id, customer_stream, evidence_stream
from services.crm_sync.erasure_api import Erasures
from tests.examples import examples
from tests.unit.crm_sync.world import World, placed, proof, sealed

Order = tuple[int, int, tuple[common.Evidence, ...]]  # subject, account, evidence
randoms = st.randoms(use_true_random=False)
indexes = st.sampled_from(["bi_a", "bi_b", "bi_c", "bi_d"])
evidence = st.one_of(
    st.builds(lambda i: proof("email", i), indexes),
    st.builds(lambda i: proof("email", i, "weak"), indexes),
    st.builds(lambda i: proof("email", f"{i}_relay", "strong", relay=True), indexes),
    st.builds(lambda i: proof("phone", f"{i}_phone", "weak"), indexes),
)
ordering = st.tuples(
    st.integers(0, 6), st.integers(0, 1), st.lists(evidence, max_size=3).map(tuple)
)
stories = st.lists(ordering, min_size=1, max_size=12)
pairs = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=5)  # places in a story


def subject_of(one: Order) -> str:
    return f"sub_{one[1]}_{one[0]}"  # a subject is a buyer of one account


def run(story: Sequence[Order], rng: random.Random) -> World:
    """Tell the orders in any order, with deliveries in between."""
    world = World(rng)
    numbered = list(enumerate(story))
    rng.shuffle(numbered)
    for number, one in numbered:
        who, text = subject_of(one), f"of order {number}"
        told = placed(
            who, *one[2], number=str(number), account=f"a{one[1]}", contact=sealed(who, text),
            statutory=sealed(who, text, "statutory"),
        )  # fmt: skip
        world.fact(told)
        while rng.random() < 0.5 and world.step():
            pass
    world.settle()
    return world


def expected(story: Sequence[Order], hands: Sequence[tuple[str, str]] = ()) -> set[frozenset[str]]:
    """Said by itself: subjects that share strong evidence, a relay's only within its account.

    And those whom a person joined.
    """
    groups = {subject_of(one): {subject_of(one)} for one in story}
    named: dict[Any, str] = {}

    def join(first: str, second: str) -> None:
        joined = groups[first] | groups[second]
        for name in joined:
            groups[name] = joined

    for first, second in hands:
        join(first, second)
    for one in story:
        for proven in one[2]:
            if proven.strength != "strong":
                continue
            key = (proven.index, one[1] if proven.relay else None)
            join(named.setdefault(key, subject_of(one)), subject_of(one))
    return {frozenset(group) for group in groups.values()}


@settings(max_examples=examples(150), deadline=None)
@given(stories, randoms)
def test_the_same_orders_in_any_interleaving_give_the_same_persons(
    story: list[Order], rng: random.Random
) -> None:
    first, second = run(story, rng), run(story, rng)
    assert first.partition() == second.partition() == expected(story)


@settings(max_examples=examples(150), deadline=None)
@given(stories, randoms)
def test_the_same_orders_in_any_interleaving_give_the_same_rows(
    story: list[Order], rng: random.Random
) -> None:
    first, second = run(story, rng), run(story, rng)
    for projection in (
        read_model.CUSTOMERS,
        read_model.NAMED,
        read_model.ORDERS,
        read_model.CONTACTS,
    ):
        assert first.folded(projection) == second.folded(projection)


@settings(max_examples=examples(100), deadline=None)
@given(stories, randoms)
def test_rows_are_the_same_for_every_interleaving_of_streams(
    story: list[Order], rng: random.Random
) -> None:
    world = run(story, rng)
    erase(world, subject_of(story[0]))
    for projection in read_model.ALL:
        assert world.folded(projection, rng) == world.folded(projection)


@settings(max_examples=examples(150), deadline=None)
@given(stories, randoms)
def test_no_relay_and_no_weak_evidence_ever_joins_accounts(
    story: list[Order], rng: random.Random
) -> None:
    hidden = [(n, a, tuple(e for e in es if e.relay or e.strength == "weak")) for n, a, es in story]
    for group in run(hidden, rng).partition():
        assert len({subject.split("_")[1] for subject in group}) == 1


@settings(max_examples=examples(150), deadline=None)
@given(stories, randoms)
def test_what_a_person_parted_is_not_joined_again_by_the_same_evidence(
    story: list[Order], rng: random.Random
) -> None:
    world = run(story, rng)
    rows = world.folded(read_model.NAMED)
    whole = next(iter(sorted(world.partition(), key=lambda g: (-len(g), sorted(g)))))
    who = rng.choice(sorted(whole))
    part(world, who, [index for index, name in rows if name == customer_id(who)])
    world.settle()
    assert frozenset({who}) in world.partition()
    merges = merges_of(world, who)
    for number, one in enumerate(story):  # the same orders once more, and new ones of the same
        for fresh in (str(number), f"again-{number}"):
            world.fact(placed(subject_of(one), *one[2], number=fresh, account=f"a{one[1]}"))
    world.settle()
    assert frozenset({who}) in world.partition()
    assert merges_of(world, who) == merges


def merges_of(world: World, who: str) -> int:
    told = [one.event for one in world.log if isinstance(one.event, events.CustomersMerged)]
    return sum(customer_id(who) in {one.customer_id, one.merged_id} for one in told)


def part(world: World, who: str, named: Sequence[str]) -> None:
    if named:
        command = commands.UnmergeCustomer(
            "main",
            "cus_other",
            customer_id(who),
            tuple(named),
            "operator",
            "not-the-same",
            world.now,
        )
        world.tell(customer_stream(customer_id(who)), command)


def ask(world: World, who: str, subjects: tuple[str, ...]) -> None:
    command = commands.RequestErasure(
        "main", customer_id(who), subjects, 0, "operator", world.now, world.now
    )
    world.tell(commands.erasure_stream(customer_id(who)), command)


def erase(world: World, who: str) -> None:
    ask(world, who, (who,))
    asyncio.run(world.perform())


def join(world: World, first: str, second: str) -> None:
    """Merge two by hand, as a request that was accepted before it knew of any erasure."""
    index = commands.hand_index(first, second, f"key-{first}-{second}")
    both = [commands.Named(customer_id(s), s, f"a{s.split('_')[1]}") for s in (first, second)]
    merge = commands.MergeByHand("main", index, both[0], both[1], "operator", world.now)
    world.tell(evidence_stream(index), merge)


def planned(world: World, who: str) -> views.ErasureOut:
    return asyncio.run(Erasures(world.ports).shown(customer_id(who)))


@settings(max_examples=examples(100), deadline=None)
@given(stories, randoms)
def test_an_erased_subject_has_no_evidence_left_whatever_comes_later(
    story: list[Order], rng: random.Random
) -> None:
    world = run(story, rng)
    who = subject_of(story[0])
    erase(world, who)
    for number, one in enumerate(story):
        world.fact(placed(subject_of(one), *one[2], number=f"late-{number}", account=f"a{one[1]}"))
    world.settle()
    assert customer_id(who) not in {name for _, name in world.folded(read_model.NAMED)}
    row = world.folded(read_model.CONTACTS)[who,]
    assert row.erased
    assert row.contact is None
    assert row.statutory is not None
    assert world.folded(read_model.CUSTOMERS)[customer_id(who),].forgotten


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.integers(0, 4), min_size=2, max_size=6, unique=True), randoms)
def test_merges_by_hand_join_and_are_undone_one_by_one(
    numbers: list[int], rng: random.Random
) -> None:
    world = run([(n, 0, ()) for n in numbers], rng)
    names = [f"sub_0_{n}" for n in numbers]
    for first, second in itertools.pairwise(names):
        join(world, first, second)
    world.settle()
    assert world.partition() == {frozenset(names)}
    first, second = names[-2:]
    part(world, second, [commands.hand_index(first, second, f"key-{first}-{second}")])
    world.settle()
    assert world.partition() == {frozenset(names[:-1]), frozenset({second})}


@settings(max_examples=examples(100), deadline=None)
@given(stories, pairs, randoms)
def test_a_merge_by_hand_joins_nobody_to_who_is_erased_whenever_it_was_made(
    story: list[Order], chosen: list[tuple[int, int]], rng: random.Random
) -> None:
    world = run(story, rng)
    names = [subject_of(one) for one in story]
    who = rng.choice(names)
    wanted = {(names[one % len(names)], names[two % len(names)]) for one, two in chosen}
    merges = sorted(pair for pair in wanted if len(set(pair)) == 2)
    shown: tuple[str, ...] = ()
    for deed in rng.sample([*merges, None], len(merges) + 1):
        if deed is None:
            shown = planned(world, who).subjects
            ask(world, who, shown)
        else:
            join(world, *deed)
        for _ in range(rng.randint(0, 6)):
            world.step()
        if shown:
            assert {key.subject for key in planned(world, who).keys} <= set(shown)
        if rng.random() < 0.3:
            asyncio.run(world.answer())
    asyncio.run(world.perform())
    assert not set(shown) & {row.subject for row in world.folded(read_model.NAMED).values()}
    assert planned(world, who).state == "completed"
    left = [pair for pair in merges if not set(pair) & set(shown)]
    living = expected([one for one in story if subject_of(one) not in shown], left)
    assert world.partition() == living | {frozenset({one}) for one in shown}
    for projection in read_model.ALL:
        assert world.folded(projection, rng) == world.folded(projection)
