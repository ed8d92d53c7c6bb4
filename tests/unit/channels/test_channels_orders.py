"""What a channel says of one order, over time: the newest version wins, repeats are silent."""

from typing import Any

import pytest
from msgspec.structs import replace

from libs.contracts import channels, common
from libs.eventsourcing.testing import given
from services.channels import commands
from services.channels.adapters import woocommerce
from services.channels.decider import CHANNEL_ORDER
from services.channels.process import Link, listings_of, order_work
from tests.unit.channels import payloads
from tests.unit.channels.payloads import TERMS

DELETION = commands.RecordDeletion(entity="main", account="shop", external_id="2001", at=5)
KNOWN = Link(sku="X", units_per_listing=1, base=(), components=())
FIRST, LATER, LAST = "2024-03-01T10:00:05", "2024-03-01T11:00:00", "2024-03-01T12:00:00"


def told(at: Any = FIRST, topic: Any = "order.updated", **changes: Any) -> Any:
    payload = payloads.woocommerce(date_modified_gmt=at, **changes)
    found: Any = woocommerce.understand(topic, payloads.parsed(payload), TERMS)
    ((_, command),) = order_work(found, dict.fromkeys(listings_of(found.order), KNOWN), 0)
    return command


def restored(at: Any = LATER, **changes: Any) -> Any:
    return told(at, "order.restored", **changes)


def draft(at: Any = FIRST) -> Any:
    version = common.Version(updated_at=_micros(at), counter=0)
    return commands.RecordSetAside(
        entity="main", account="shop", external_id="2001", reason="draft",
        status_word="checkout-draft", version=version,
    )  # fmt: skip


def _micros(at: Any) -> Any:
    return told(at).order.version.updated_at


def types(*said: Any) -> Any:
    """All event types that the commands led to, one after the other."""
    state, found = given(CHANNEL_ORDER).state, []
    for command in said:
        for event in CHANNEL_ORDER.decide(command, state):
            state = CHANNEL_ORDER.evolve(state, event)
            found.append(type(event).__name__.removeprefix("ChannelOrder"))
    return found


def fewer(at: Any = LATER) -> Any:
    lines = payloads.woocommerce()["line_items"]
    lines[0] |= {"quantity": 1, "subtotal": "10.00", "total": "10.00", "total_tax": "2.00"}
    return told(at, line_items=lines, total="22.00", total_tax="3.00")


def test_the_first_word_of_an_order_is_received_whole() -> None:
    command = told()
    given(CHANNEL_ORDER).when(command).then(
        channels.ChannelOrderReceived(
            entity="main", occurred_at=command.order.version.updated_at, account="shop",
            external_id="2001", order=command.order,
        )
    )  # fmt: skip


def test_ten_deliveries_of_one_thing_count_once() -> None:
    assert types(*[told()] * 10) == ["Received"]


def test_an_update_that_comes_before_the_creation_is_the_order() -> None:
    assert types(fewer(), told()) == ["Received"]


def test_a_stale_retry_changes_nothing() -> None:
    assert types(told(), fewer(), told()) == ["Received", "Changed"]


def test_a_newer_version_with_other_content_is_a_change() -> None:
    outcome = given(CHANNEL_ORDER).when(told(), fewer())
    (event,) = outcome.events
    assert isinstance(event, channels.ChannelOrderChanged)
    assert event.order.lines[0].quantity == 1


def test_only_other_money_is_a_change_of_funds() -> None:
    outcome = given(CHANNEL_ORDER).when(told(status="on-hold", transaction_id=""), told(LATER))
    (event,) = outcome.events
    assert isinstance(event, channels.ChannelOrderFundsChanged)
    assert (event.funds, event.amount, event.version.updated_at) == ("paid", 3400, _micros(LATER))


def test_a_newer_version_that_says_nothing_new_makes_older_ones_stale() -> None:
    assert types(told(), told(LAST), fewer(LATER)) == ["Received", "Touched"]


def test_two_updates_in_one_second_are_both_told_and_their_retries_are_not() -> None:
    second = fewer(FIRST)
    assert types(told(), second, told(), second) == ["Received", "Changed"]
    (event,) = given(CHANNEL_ORDER).when(told(), second).events
    assert event.order.version.counter == 1


def test_within_one_second_an_order_does_not_go_back() -> None:
    pending = told(status="pending", date_paid_gmt=None)
    assert types(told(), pending) == ["Received"]
    assert types(pending, told()) == ["Received", "Changed"]
    assert types(told(status="cancelled"), told()) == ["Received", "Cancelled"]


def test_within_one_second_money_that_was_taken_is_not_untaken() -> None:
    unpaid = told(status="on-hold", transaction_id="")
    assert types(told(), unpaid, told()) == ["Received"]
    assert types(unpaid, told(), unpaid) == ["Received", "FundsChanged"]


def test_a_draft_is_set_aside_once_and_becomes_an_order_when_it_changes() -> None:
    assert types(draft(), draft(LATER), told(LAST)) == ["SetAside", "Received"]
    assert types(told(), draft(LATER)) == ["Received"]


def test_a_cancelled_order_that_was_unknown_is_received_first() -> None:
    assert types(told(status="cancelled")) == ["Received", "Cancelled"]


def test_a_cancellation_is_told_once_with_what_happened_to_the_money() -> None:
    cancelled = told(LATER, status="cancelled", refunds=[{"id": 1, "total": "-34.00"}])
    assert types(told(), cancelled, cancelled) == ["Received", "Cancelled", "FundsChanged"]


def test_a_cancellation_in_the_same_second_counts_and_its_repeat_does_not() -> None:
    cancelled = told(status="cancelled")
    only = commands.RecordOrder(replace(told().order, cancelled=True))
    assert types(told(), cancelled, cancelled, told()) == ["Received", "Cancelled"]
    assert types(told(), only, only) == ["Received", "Cancelled"]


def test_an_order_that_is_paid_after_its_cancellation_lives_again() -> None:
    cancelled = told(LATER, status="cancelled", date_paid_gmt=None)
    assert types(told(), cancelled, told(LAST))[-1] == "Changed"


def test_a_deleted_order_stays_deleted() -> None:
    assert types(told(), DELETION, DELETION, told(LAST)) == ["Received", "Cancelled", "Touched"]
    assert types(DELETION, told()) == ["Cancelled", "Received", "Cancelled"]


def test_an_order_that_its_shop_restores_lives_again() -> None:
    trashed = told(LATER, status="trash")
    outcome = given(CHANNEL_ORDER).when(told(), trashed, DELETION, restored(LAST))
    (event,) = outcome.events
    assert isinstance(event, channels.ChannelOrderChanged)
    assert (event.order.cancelled, event.order.funds) == (False, "paid")
    assert CHANNEL_ORDER.decide(restored(LAST), outcome.state) == []
    assert types(DELETION, restored()) == ["Cancelled", "Received"]
    ended = [told(), DELETION, restored(), DELETION, restored(), told(LAST)]
    assert types(*ended) == ["Received", "Cancelled", "Changed", "Cancelled", "Touched"]


def test_a_cancelled_order_that_is_restored_may_still_be_paid() -> None:
    cancelled = [told(), told(LATER, status="cancelled"), DELETION]
    back = [restored(LAST, status="cancelled"), told("2024-03-01T13:00:00")]
    assert types(*cancelled, *back) == ["Received", "Cancelled", "Cancelled", "Changed", "Changed"]


def test_an_order_comes_back_also_where_an_update_told_the_same_without_that_word() -> None:
    assert types(told(), DELETION, told(LATER), restored(LATER)) == [
        "Received", "Cancelled", "Touched", "Changed",
    ]  # fmt: skip
    assert types(told(), DELETION, told(LAST), restored(LATER)) == [
        "Received", "Cancelled", "Touched",
    ]  # fmt: skip


def test_an_order_that_is_in_the_bin_again_before_its_return_is_told_stays_there() -> None:
    assert types(told(), DELETION, restored(LATER, status="trash"), restored(LAST)) == [
        "Received", "Cancelled", "Touched", "Changed",
    ]  # fmt: skip


def test_an_order_that_is_restored_without_a_deletion_is_just_told() -> None:
    assert types(told(), restored()) == ["Received", "Touched"]
    assert types(restored(), told()) == ["Received"]


def test_our_own_additions_make_no_new_version() -> None:
    command = told()
    lines = tuple(replace(line, sku="TEE", units_per_listing=2) for line in command.order.lines)
    ours = replace(command.order, lines=lines, expires_at=9, priority=1, shortage="cancel")
    assert types(command, commands.RecordOrder(ours)) == ["Received"]


def test_a_new_address_is_a_change_though_nobody_can_read_it() -> None:
    def sealed(cipher: Any) -> Any:
        secret = common.Sealed(
            subject="s", clearance="contact", key_id="k", nonce=b"n", ciphertext=cipher
        )
        order = told(LATER if cipher == b"new" else FIRST).order
        return commands.RecordOrder(
            replace(order, customer=replace(order.customer, contact=secret))
        )

    assert types(sealed(b"old"), sealed(b"new")) == ["Received", "Changed"]


@pytest.mark.parametrize("counter", [1, 2])
def test_a_provider_with_counters_is_taken_at_its_word(counter: Any) -> None:
    def counted(command: Any, number: Any) -> Any:
        version = replace(command.order.version, counter=number)
        return commands.RecordOrder(replace(command.order, version=version))

    first, second = counted(told(), 2), counted(fewer(FIRST), counter)
    assert types(first, second) == (["Received"] if counter == 1 else ["Received", "Changed"])
