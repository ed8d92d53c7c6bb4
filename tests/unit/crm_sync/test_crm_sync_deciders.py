"""What single commands lead to: evidence, merges, partings, erasures."""

import msgspec

from libs.contracts import common
from libs.eventsourcing.testing import given
from services.crm_sync import commands
from services.crm_sync.decider import CUSTOMER, MOST_WEAK
from services.crm_sync.erasing import years_after
from services.crm_sync.erasure_decider import ERASURE
from services.crm_sync.evidence_decider import COMMON, EVIDENCE
from tests.unit.crm_sync.world import NOW, placed, proof

ANN, BOB, CYD = (commands.Named(f"cus_{n}", f"sub_{n}", "shop") for n in "abc")


def name(who: commands.Named, strength: str = "strong") -> commands.NameCustomer:
    return commands.NameCustomer("main", "bi_1", "email", strength, who, NOW, NOW)  # type: ignore[arg-type]


def part(who: commands.Named) -> commands.PartCustomer:
    return commands.PartCustomer("main", "bi_1", who.customer_id, "operator", "not-the-same", NOW)


def sight(*evidence: common.Evidence) -> commands.SightCustomer:
    order = placed("sub_a", *evidence)
    return commands.SightCustomer(
        "main", "cus_a", "sub_a", "shop", False, order.order.customer.evidence, "ord_1", NOW, NOW
    )


def types(found: object) -> list[str]:
    return [type(event).__name__ for event in found]  # type: ignore[attr-defined]


def test_strong_evidence_makes_two_one_and_the_smaller_id_lives_on() -> None:
    told = given(EVIDENCE).when(name(BOB), name(ANN)).events
    assert types(told) == ["SubjectSeen", "CustomersMerged"]
    assert (told[1].customer_id, told[1].merged_id, told[1].by) == ("cus_a", "cus_b", "evidence")


def test_weak_evidence_suggests_and_does_not_merge() -> None:
    told = given(EVIDENCE).when(name(ANN, "weak"), name(BOB)).events
    assert types(told) == ["SubjectSeen", "MergeSuggested"]
    assert (told[1].customer_id, told[1].other_id) == ("cus_b", "cus_a")


def test_evidence_that_was_weak_and_is_verified_later_merges_then() -> None:
    told = given(EVIDENCE).when(name(ANN), name(BOB, "weak"), name(BOB)).events
    assert types(told) == ["SubjectSeen", "CustomersMerged"]
    assert given(EVIDENCE).when(name(ANN), name(ANN, "weak")).events == []


def test_evidence_never_names_whom_it_was_parted_from_even_if_that_came_first() -> None:
    assert given(EVIDENCE).when(part(BOB), name(BOB)).events == []
    assert types(given(EVIDENCE).when(name(BOB), part(BOB), name(ANN)).events) == ["SubjectSeen"]
    assert given(EVIDENCE).when(name(BOB), part(BOB), part(BOB)).events == []


def test_the_others_stay_one_when_one_is_parted() -> None:
    told = given(EVIDENCE).when(name(ANN), name(BOB), part(ANN), name(CYD)).events
    assert (told[1].customer_id, told[1].merged_id) == ("cus_b", "cus_c")


def test_weak_evidence_that_many_share_tells_nothing() -> None:
    many = [name(commands.Named(f"cus_{n}", f"sub_{n}", "shop"), "weak") for n in range(COMMON + 1)]
    assert given(EVIDENCE).when(*many).events == []
    assert types(given(EVIDENCE).when(*many, name(ANN)).events)[0] == "SubjectSeen"


def test_a_merge_by_hand_says_who_did_it_and_nobody_merges_with_themselves() -> None:
    merge = commands.MergeByHand("main", "hand_1", ANN, BOB, "eve", NOW)
    told = given(EVIDENCE).when(merge).events
    assert types(told) == ["SubjectSeen", "SubjectSeen", "CustomersMerged"]
    assert told[2].by == "eve"
    alone = commands.MergeByHand("main", "hand_1", ANN, ANN, "eve", NOW)
    given(EVIDENCE).when(alone).then_refused("merge-with-itself")


def test_a_customer_is_seen_again_only_with_something_new() -> None:
    email, phone = proof("email", "bi_1", "weak"), proof("phone", "bi_2", "weak")
    assert types(given(CUSTOMER).when(sight(email)).events) == ["CustomerSeen"]
    assert given(CUSTOMER).when(sight(email), sight(email)).events == []
    (told,) = given(CUSTOMER).when(sight(email), sight(email, phone)).events
    assert told.evidence == (phone,)
    (told,) = given(CUSTOMER).when(sight(email), sight(proof("email", "bi_1"))).events
    assert told.evidence[0].strength == "strong"
    assert types(given(CUSTOMER).when(sight()).events) == ["CustomerSeen"]


def test_weak_evidence_of_one_customer_is_bounded_and_strong_is_not() -> None:
    weak = [proof("name", f"bi_{n}", "weak") for n in range(MOST_WEAK + 5)]
    (told,) = given(CUSTOMER).when(sight(*weak)).events
    assert len(told.evidence) == MOST_WEAK
    assert given(CUSTOMER).when(sight(*weak), sight(*weak)).events == []
    assert given(CUSTOMER).when(sight(*weak), sight(proof("email", "bi_s"))).events


def test_a_parting_names_evidence_and_says_no_where_there_is_none() -> None:
    unmerge = commands.UnmergeCustomer(
        "main", "cus_b", "cus_a", ("bi_1",), "operator", "not-the-same", NOW
    )
    (told,) = given(CUSTOMER).when(sight(proof("email", "bi_1")), unmerge).events
    assert told.indexes == ("bi_1",)
    assert given(CUSTOMER).when(sight(), unmerge, unmerge).events == []
    given(CUSTOMER).when(unmerge).then_refused("customer-not-found")
    empty = commands.UnmergeCustomer("main", "cus_b", "cus_a", (), "operator", "no", NOW)
    given(CUSTOMER).when(sight(), empty).then_refused("not-merged")


def test_a_forgotten_customer_is_not_seen_again() -> None:
    forget = commands.ForgetCustomer("main", "cus_a", "sub_a", NOW)
    (told,) = given(CUSTOMER).when(sight(proof("email", "bi_1")), forget).events
    assert told.indexes == ("bi_1",)
    (told,) = given(CUSTOMER).when(sight(), forget, sight(proof("email", "bi_2"))).events
    assert (type(told).__name__, told.last_order_at) == ("RetentionExtended", NOW)
    assert given(CUSTOMER).when(sight(), forget, sight(), sight(proof("email", "x"))).events == []
    assert given(CUSTOMER).when(sight(), forget, forget).events == []
    assert types(given(CUSTOMER).when(forget).events) == ["CustomerForgotten"]


def test_an_order_that_tells_nothing_the_law_wants_kept_moves_no_date() -> None:
    forget = commands.ForgetCustomer("main", "cus_a", "sub_a", NOW)
    bare = msgspec.structs.replace(sight(), statutory=False)
    assert given(CUSTOMER).when(sight(), forget, bare).events == []
    assert types(given(CUSTOMER).when(sight(), forget, bare, sight()).events) == [
        "RetentionExtended"
    ]


def test_a_merge_by_hand_is_forgotten_with_the_customer_whichever_comes_first() -> None:
    forget = commands.ForgetCustomer("main", "cus_a", "sub_a", NOW)
    note = commands.NoteMerge("main", "cus_a", "sub_a", "hand_1", NOW)
    assert types(given(CUSTOMER).when(sight(), note).events) == ["MergeNoted"]
    (told,) = given(CUSTOMER).when(sight(proof("email", "bi_1")), note, forget).events
    assert told.indexes == ("bi_1", "hand_1")
    (told,) = given(CUSTOMER).when(sight(), forget, note).events
    assert (type(told).__name__, told.indexes) == ("CustomerForgotten", ("hand_1",))
    for known in ((note,), (note, forget), (forget, note)):
        assert given(CUSTOMER).when(sight(), *known, note).events == []


def test_an_erasure_asks_and_is_done_once_for_each_subject() -> None:
    def ask(*subjects: str) -> commands.RequestErasure:
        return commands.RequestErasure("main", "cus_a", subjects, 5, "operator", 9, NOW)

    done = commands.RecordErasure("main", "cus_a", ("sub_a",), 77, NOW)
    assert given(ERASURE).when(ask("sub_a"), ask("sub_a")).events == []
    (told,) = given(ERASURE).when(ask("sub_a"), ask("sub_a", "sub_b")).events
    assert told.subjects == ("sub_b",)
    (told,) = given(ERASURE).when(ask("sub_a"), done).events
    assert (told.subjects, told.clearances, told.retained_until) == (("sub_a",), ("contact",), 77)
    assert given(ERASURE).when(ask("sub_a"), done, done).events == []


def test_years_are_those_of_the_calendar() -> None:
    day = 86_400_000_000
    leap = 1_709_164_800_000_000  # 29 February 2024
    assert years_after(leap, 1) == leap + 366 * day  # 1 March 2025
    assert years_after(leap, 4) == leap + (366 + 365 * 3) * day
    assert years_after(leap, 0) == leap
