"""The audit finds what is personal and not sealed, and who has yet to be forgotten."""

from services.console.audit.privacy import DAY, PrivacyCheck
from tests.unit.console.auditing import NOW, Story, captured, codes, placed

LINE = {"title": "Mug @ 3 for 2", "note": None, "sealed": b"\xff@\xfe.com", "tags": ["a@b", "c.d"]}


def test_what_is_sealed_or_says_nothing_of_a_person_is_sound() -> None:
    story = captured(placed(Story())).tell("orders", "OrderNoted", "o", lines=[LINE])
    assert codes(PrivacyCheck(NOW), story.records) == []


def test_an_address_anywhere_in_an_event_is_found() -> None:
    for told in ("ann@example.com", "call Ann <ann.b+c@mail.example.co.uk>, please"):
        for data in ({"reason": told}, {"lines": [LINE, LINE | {"title": told}]},
                     {"order": {"tags": ["x", told]}}):  # fmt: skip
            story = Story().tell("orders", "OrderNoted", "o", **data)
            assert codes(PrivacyCheck(NOW), story.records) == ["plain-email"]


def test_an_erasure_beyond_the_latest_lawful_moment_is_found_until_it_is_done() -> None:
    story = Story().tell(
        "crm_sync", "ErasureRequested", "e", subjects=["sub_a", "sub_b"], answer_by=NOW + DAY
    )
    assert codes(PrivacyCheck(NOW), story.records) == []
    assert codes(PrivacyCheck(NOW + 2 * DAY), story.records) == ["erasure-overdue"] * 2
    story.tell("crm_sync", "ErasureCompleted", "e", subjects=["sub_a"])
    assert codes(PrivacyCheck(NOW + 2 * DAY), story.records) == ["erasure-overdue"]
    story.tell("crm_sync", "ErasureCompleted", "e", subjects=["sub_b"])
    check = PrivacyCheck(NOW + 2 * DAY)
    assert codes(check, story.records) == []
    assert check.figures() == {"erased": 2, "asked": 0}
