"""A parcel from plan to door, and the race of a stop with its label and its hand-over."""

from typing import Any

import pytest
from msgspec.structs import replace

from libs.eventsourcing.testing import given
from services.fulfilment import shipment_commands, tracker_commands
from services.fulfilment.decider import SHIPMENT as PARCEL
from services.fulfilment.decider import TRACKER
from tests.unit.fulfilment.samples import (
    BY_HAND,
    CARRIED,
    DAY,
    HAND_OVER,
    HOUR,
    NOW,
    ORDER,
    PACK,
    SHIPMENT,
    bought,
    cleared,
    customer,
    label_of,
    quoted,
    rows,
    seen,
    share,
    units,
)

SENT = (share(policy=CARRIED), quoted(), bought(), cleared())
BY_HAND_CARRIED = shipment_commands.Policy("post", "First", "by-hand", "by-hand", 7)


def told(*given_commands: Any) -> list[str]:
    return [type(event).__name__ for event in given(PARCEL).when(*given_commands).events]


def test_without_anybody_a_parcel_flows_when_its_money_is_there() -> None:
    policy = shipment_commands.Policy()
    assert told(share(policy=policy)) == ["ShipmentPlanned", "ShipmentPacked"]
    assert told(share(policy=policy), cleared()) == [
        "ShipmentClearanceRecorded", "ShipmentReady", "ShipmentDispatched",
    ]  # fmt: skip


def test_what_nobody_carries_is_delivered_at_once() -> None:
    at_once = share(policy=shipment_commands.Policy(carrier="self"), requires_shipping=False)
    assert told(at_once, cleared())[-2:] == ["ShipmentDispatched", "ShipmentDelivered"]


def test_a_carried_parcel_waits_for_its_label_and_for_its_money_in_any_order() -> None:
    for order in ((quoted(), bought(), cleared()), (cleared(), quoted(), bought())):
        assert told(share(policy=CARRIED), *order)[-1] == "ShipmentDispatched"
    assert told(share(policy=CARRIED), cleared()) == ["ShipmentClearanceRecorded"]


@pytest.mark.parametrize(
    ("before", "code"),
    [
        ((), "shipment-not-found"),
        ((share(),), "not-packed"),
        ((share(), PACK), "capture-not-confirmed"),
        ((share(policy=BY_HAND_CARRIED), PACK, cleared()), "label-missing"),
        ((share(), PACK, cleared(), share(2, blocked="fraud")), "blocked"),
        ((share(), PACK, cleared(), share(2, mugs=1)), "stop-requested"),
        ((share(), share(2, mugs=0)), "stopped"),
    ],
)
def test_a_parcel_is_not_handed_over_too_early(before: tuple[Any, ...], code: str) -> None:
    given(PARCEL).when(*before, HAND_OVER).then_refused(code)


def test_a_parcel_of_two_orders_needs_the_clearance_of_each() -> None:
    both = (share(), share(order="ord_2"), PACK, cleared())
    given(PARCEL).when(*both, HAND_OVER).then_refused("capture-not-confirmed")
    outcome = given(PARCEL).when(*both, cleared("ord_2"), HAND_OVER)
    assert outcome.events[-1].rows == rows(("l1", 2)) + rows(("l1", 2), order="ord_2")


@pytest.mark.parametrize(
    "late",
    [
        (share(), PACK, share(order="ord_2")),
        (share(), share(order="ord_2", customer=customer(subject="sub_2"))),
        (share(), share(order="ord_2", customer=replace(customer(), ship_to_country="FR"))),
        (share(), share(order="ord_2", customer=replace(customer(), ship_to_region="NIR"))),
        (share(), share(order="ord_2", location="east")),
    ],
)
def test_a_parcel_that_is_closed_or_goes_elsewhere_gives_another_orders_units_back(
    late: tuple[Any, ...],
) -> None:
    outcome = given(PARCEL).when(*late)
    assert [type(e).__name__ for e in outcome.events] == [
        "DispatchStopRequested",
        "DispatchStopped",
    ]
    assert outcome.events[1].rows == rows(("l1", 2), order="ord_2")


def test_a_stop_before_the_hand_over_frees_units_and_only_those() -> None:
    outcome = given(PARCEL).when(share(policy=CARRIED), share(2, mugs=1))
    assert [type(e).__name__ for e in outcome.events] == [
        "DispatchStopRequested",
        "DispatchStopped",
    ]
    assert (outcome.events[1].rows, outcome.events[1].units) == (rows(("l1", 1)), units(("MUG", 1)))
    sent = given(PARCEL).when(
        share(policy=CARRIED), share(2, mugs=1), quoted(), bought(), cleared()
    )
    assert sent.events[-1].rows == rows(("l1", 1))


def test_a_stop_after_the_label_gives_the_label_back() -> None:
    assert told(share(policy=CARRIED), quoted(), bought(), share(2, mugs=0)) == [
        "DispatchStopRequested", "DispatchStopped", "LabelVoidRequested", "ShipmentCancelled",
    ]  # fmt: skip
    void = shipment_commands.RecordVoid("main", SHIPMENT, label_of(), True, NOW)
    assert told(share(policy=CARRIED), quoted(), bought(), share(2, mugs=0), void) == [
        "LabelVoided"
    ]


def test_a_stop_while_the_label_is_being_bought_gives_it_back_when_it_is_known() -> None:
    stopped = (share(policy=CARRIED), quoted(), share(2, mugs=0))
    assert told(*stopped, bought()) == ["LabelBought", "LabelVoidRequested"]
    assert told(*stopped, bought(), bought()) == []


def test_a_stop_before_the_quote_buys_nothing() -> None:
    assert told(share(policy=CARRIED), share(2, mugs=0), quoted()) == []


def test_a_stop_after_the_hand_over_is_too_late() -> None:
    assert told(*SENT, share(2, mugs=0)) == ["DispatchStopRequested", "StopTooLate"]


def test_a_warehouse_is_asked_and_answers() -> None:
    asked = (share(policy=BY_HAND), PACK, cleared(), share(2, mugs=1))
    assert told(*asked) == ["DispatchStopRequested"]
    kept = shipment_commands.AnswerStop("main", SHIPMENT, True, "w", NOW)
    assert told(*asked, kept) == ["DispatchStopped"]
    gone = shipment_commands.AnswerStop("main", SHIPMENT, False, "w", NOW)
    assert told(*asked, gone) == ["StopTooLate", "ShipmentDispatched"]
    assert told(*asked, gone, HAND_OVER) == []
    given(PARCEL).when(share(), kept).then_refused("no-stop-asked")
    # What is not cleared has not left: as "too late" it would wait for its clearance for ever.
    here = (share(policy=BY_HAND), PACK, share(2, mugs=1))
    given(PARCEL).when(*here, gone).then_refused("not-let-go")
    assert told(*here, kept) == ["DispatchStopped"]


def test_a_parcel_that_is_too_late_for_a_stop_has_left_in_spite_of_a_later_hold() -> None:
    held = share(2, mugs=1, blocked="totals-disagree")
    gone = shipment_commands.AnswerStop("main", SHIPMENT, False, "w", NOW)
    asked = (share(policy=BY_HAND), PACK, cleared(), held)
    given(PARCEL).when(*asked, HAND_OVER).then_refused("stop-requested")
    assert told(*asked, gone) == ["StopTooLate", "ShipmentDispatched"]


def test_a_refused_label_waits_and_may_be_asked_for_again_a_doubtful_one_may_not() -> None:
    refused = shipment_commands.RefuseLabel("main", SHIPMENT, label_of(), "address", NOW)
    again = shipment_commands.RetryLabel("main", SHIPMENT, None, "Second", "w", NOW)
    assert told(share(policy=CARRIED), refused) == ["LabelRefused"]
    outcome = given(PARCEL).when(share(policy=CARRIED), refused, again)
    assert (outcome.events[0].label_id, outcome.events[0].service) == (label_of(2), "Second")
    doubt = shipment_commands.DoubtLabel("main", SHIPMENT, label_of(), NOW)
    asked = given(PARCEL).when(share(policy=CARRIED), quoted(), doubt, again)
    asked.then_refused("label-not-refused")
    assert told(share(policy=CARRIED), quoted(), doubt, bought()) == ["LabelBought"]


def test_a_carrier_that_is_away_is_asked_no_longer_where_a_person_asks_another() -> None:
    def other(at: int) -> shipment_commands.RetryLabel:
        return shipment_commands.RetryLabel("main", SHIPMENT, "other", "Second", "w", at)

    soon = given(PARCEL).when(share(policy=CARRIED), other(NOW + HOUR - 1))
    soon.then_refused("carrier-still-asked")
    [asked] = given(PARCEL).when(share(policy=CARRIED), other(NOW + HOUR)).events
    assert (asked.label_id, asked.carrier, asked.service) == (label_of(2), "other", "Second")
    retried = (share(policy=CARRIED), other(NOW + HOUR))
    given(PARCEL).when(*retried, other(NOW + HOUR)).then_refused("carrier-still-asked")
    assert told(*retried, quoted()) == []  # the first one is back, and binds nobody
    assert told(*retried, quoted(2), bought(2), cleared())[-1] == "ShipmentDispatched"


def test_a_purchase_that_nobody_could_make_for_a_day_is_decided_by_a_person() -> None:
    quote = (share(policy=CARRIED), quoted())
    given(PARCEL).when(*quote, word(was_bought=False, at=NOW)).then_refused("carrier-still-asked")
    again = shipment_commands.RetryLabel("main", SHIPMENT, "other", None, "w", NOW + DAY)
    given(PARCEL).when(*quote, again).then_refused("label-not-refused")
    assert told(*quote, word(was_bought=False)) == ["LabelRefused"]
    [void] = given(PARCEL).when(*quote, word(was_bought=False), again, bought()).events
    assert (void.label_id, void.reason) == (label_of(), "bought-after-all")


LABELLED = (share(policy=CARRIED), quoted(), bought())
MOVED = (*LABELLED, share(2, mugs=0, reason="address-changed"))


def address(*, new_label: bool) -> shipment_commands.DecideAddress:
    return shipment_commands.DecideAddress("main", SHIPMENT, new_label, "w", NOW)


def test_a_new_address_after_the_label_waits_for_a_person() -> None:
    assert told(share(policy=CARRIED), share(2, mugs=0, reason="address-changed"))[-1] == (
        "ShipmentCancelled"
    )
    assert told(*MOVED) == ["DispatchStopRequested"]
    assert told(*MOVED, cleared()) == ["ShipmentClearanceRecorded"]
    given(PARCEL).when(*MOVED, cleared(), HAND_OVER).then_refused("stop-requested")
    assert told(*MOVED, address(new_label=True)) == [
        "DispatchStopped", "LabelVoidRequested", "ShipmentCancelled",
    ]  # fmt: skip
    assert told(*MOVED, address(new_label=False)) == ["ShipmentAddressKept"]
    assert told(*MOVED, cleared(), address(new_label=False))[-1] == "ShipmentDispatched"
    twice = given(PARCEL).when(*MOVED, address(new_label=False), address(new_label=False))
    twice.then_refused("nothing-to-decide")
    given(PARCEL).when(address(new_label=True)).then_refused("shipment-not-found")


def test_how_else_a_buyer_is_reached_is_on_a_label_that_is_not_bought_yet() -> None:
    mill, called = customer(b"mill", place="mill"), customer(b"mill, 0207", place="mill")
    first = share(policy=BY_HAND_CARRIED, customer=mill)
    again = share(2, policy=BY_HAND_CARRIED, customer=called, reason="contact")
    assert told(first, again) == ["ShipmentContactChanged"]
    assert told(first, again, again) == []
    [_, asked] = given(PARCEL).when(first, again, PACK).events
    assert asked.customer == called
    packed = (first, PACK, quoted())
    assert told(*packed, again) == ["ShipmentContactChanged"]
    assert told(*packed, bought(), again) == []
    assert told(*packed, bought(), cleared(), HAND_OVER, again) == []


def test_units_that_nobody_wants_do_not_wait_for_the_address() -> None:
    assert told(*MOVED, share(3, mugs=0, reason="not-wanted")) == [
        "DispatchStopRequested", "DispatchStopped", "LabelVoidRequested", "ShipmentCancelled",
    ]  # fmt: skip


DOUBT = (
    share(policy=CARRIED), quoted(), shipment_commands.DoubtLabel("main", SHIPMENT, label_of(), NOW)
)  # fmt: skip


def word(*, was_bought: bool, at: int = NOW + DAY) -> shipment_commands.DecideLabel:
    return shipment_commands.DecideLabel("main", SHIPMENT, was_bought, "TRACK9", 450, "w", at)


def test_a_person_says_after_a_day_what_became_of_a_label_in_doubt() -> None:
    given(PARCEL).when(*DOUBT, word(was_bought=True, at=NOW)).then_refused("carrier-still-asked")
    given(PARCEL).when(*LABELLED, word(was_bought=True)).then_refused("label-not-in-doubt")
    found = given(PARCEL).when(*DOUBT, cleared(), word(was_bought=True))
    assert [type(one).__name__ for one in found.events] == [
        "LabelBought", "ShipmentReady", "ShipmentDispatched",
    ]  # fmt: skip
    assert (found.events[0].tracking_code, found.events[-1].tracking_code) == ("TRACK9", "TRACK9")
    assert told(*DOUBT, word(was_bought=True), bought()) == []


def test_a_person_says_after_a_day_whether_a_label_was_given_back() -> None:
    def said(at: int, *, accepted: bool = True) -> shipment_commands.DecideVoid:
        return shipment_commands.DecideVoid("main", SHIPMENT, accepted, "w", at)

    asked = (*LABELLED, share(2, mugs=0))
    given(PARCEL).when(*asked, said(NOW)).then_refused("carrier-still-asked")
    given(PARCEL).when(*LABELLED, said(NOW + DAY)).then_refused("label-not-in-doubt")
    given(PARCEL).when(said(NOW + DAY)).then_refused("shipment-not-found")
    for accepted in (True, False):
        [voided] = given(PARCEL).when(*asked, said(NOW + DAY, accepted=accepted)).events
        assert (type(voided).__name__, voided.accepted) == ("LabelVoided", accepted)
    late = shipment_commands.RecordVoid("main", SHIPMENT, label_of(), False, NOW + 2 * DAY)
    assert told(*asked, said(NOW + DAY), late) == []


def test_a_label_that_was_bought_after_all_is_given_back_once() -> None:
    again = shipment_commands.RetryLabel("main", SHIPMENT, "other", None, "w", NOW)
    assert told(*DOUBT, word(was_bought=False)) == ["LabelRefused"]
    assert told(*DOUBT, word(was_bought=False), bought()) == ["LabelBought"]
    retried = (*DOUBT, word(was_bought=False), again)
    [void] = given(PARCEL).when(*retried, bought()).events
    assert (void.label_id, void.account, void.reason) == (label_of(), "post", "bought-after-all")
    assert told(*retried, bought(), bought()) == []
    assert told(*retried, bought(), quoted(2), bought(2), cleared())[-1] == "ShipmentDispatched"


def test_a_label_that_was_bought_after_all_ends_like_any_other_that_is_given_back() -> None:
    def voided(at: int = NOW, number: int = 1) -> shipment_commands.RecordVoid:
        return shipment_commands.RecordVoid("main", SHIPMENT, label_of(number), True, at)

    def said(at: int) -> shipment_commands.DecideVoid:
        return shipment_commands.DecideVoid("main", SHIPMENT, False, "w", at)

    again = shipment_commands.RetryLabel("main", SHIPMENT, "other", None, "w", NOW)
    strayed = (*DOUBT, word(was_bought=False), again, bought(at=NOW + DAY))
    [end] = given(PARCEL).when(*strayed, voided()).events
    assert (type(end).__name__, end.label_id, end.accepted) == ("LabelVoided", label_of(), True)
    assert (end.cost, end.currency) == (450, "GBP")
    assert told(*strayed, voided(), voided()) == told(*strayed, voided(), bought()) == []
    assert told(*strayed, voided(number=2)) == []
    given(PARCEL).when(*strayed, said(NOW + DAY)).then_refused("carrier-still-asked")
    [kept] = given(PARCEL).when(*strayed, said(NOW + 2 * DAY)).events
    assert (kept.label_id, kept.accepted) == (label_of(), False)
    assert told(*strayed, voided(), quoted(2), bought(2), cleared())[-1] == "ShipmentDispatched"


def test_of_two_labels_that_are_given_back_a_person_speaks_of_the_newest_first() -> None:
    def said(at: int) -> shipment_commands.DecideVoid:
        return shipment_commands.DecideVoid("main", SHIPMENT, True, "w", at)

    again = shipment_commands.RetryLabel("main", SHIPMENT, "other", None, "w", NOW)
    two = (
        *DOUBT, word(was_bought=False), again, bought(at=NOW), quoted(2), bought(2),
        share(2, mugs=0),
    )  # fmt: skip
    ends = [given(PARCEL).when(*two, *[said(NOW + DAY)] * n).events for n in (1, 2)]
    assert [end.label_id for (end,) in ends] == [label_of(2), label_of(1)]
    third = given(PARCEL).when(*two, *[said(NOW + DAY)] * 3)
    third.then_refused("label-not-in-doubt")


@pytest.mark.parametrize(
    ("status", "event", "state"),
    [
        ("delivered", "ShipmentDelivered", "delivered"),
        ("failure", "DeliveryFailed", "failed"),
        ("return_to_sender", "ReturnedToSender", "returned"),
    ],
)
def test_the_carriers_word_ends_a_parcels_way(status: str, event: str, state: str) -> None:
    outcome = given(PARCEL).when(*SENT, seen(status, NOW + 1))
    assert [type(e).__name__ for e in outcome.events] == ["ParcelTracked", event]
    assert outcome.state.status == state


def test_silence_loses_a_parcel_and_a_word_finds_it() -> None:
    def ask(day: int) -> shipment_commands.AskTracking:
        return shipment_commands.AskTracking("main", SHIPMENT, day, NOW + day * DAY)

    assert told(*SENT, ask(6)) == ["TrackingAsked"]
    assert told(*SENT, ask(7)) == ["ParcelLost", "TrackingAsked"]
    assert told(*SENT, seen("in_transit", NOW + 3 * DAY), ask(7)) == ["TrackingAsked"]
    found = given(PARCEL).when(*SENT, ask(7), seen("in_transit", NOW + 8 * DAY))
    assert found.state.status == "dispatched"


def test_a_parcel_that_is_under_way_for_ever_is_lost_with_the_last_question() -> None:
    def ask(day: int) -> shipment_commands.AskTracking:
        return shipment_commands.AskTracking("main", SHIPMENT, day, NOW + day * DAY)

    heard = seen("in_transit", NOW + 88 * DAY)
    assert told(*SENT, heard, ask(90)) == ["TrackingAsked"]
    [lost] = given(PARCEL).when(*SENT, heard, ask(90), ask(91)).events
    assert (type(lost).__name__, lost.code) == ("ParcelLost", "under-way-too-long")
    ended = (*SENT, heard, ask(90), ask(91), seen("in_transit", NOW + 95 * DAY))
    arrived = shipment_commands.Settle("main", SHIPMENT, "w", "", NOW + 96 * DAY)
    assert told(*ended, arrived) == ["ExceptionSettled", "ShipmentDelivered"]
    assert told(*ended, seen("delivered", NOW + 97 * DAY)) == ["ParcelTracked", "ShipmentDelivered"]
    assert told(*SENT, heard, ask(90), ask(91), ask(91)) == []


def test_an_untracked_parcel_has_arrived_after_its_days() -> None:
    assume = shipment_commands.AssumeDelivered("main", SHIPMENT, NOW + 5 * DAY)
    assert told(share(policy=shipment_commands.Policy()), cleared(), assume) == ["DeliveryAssumed"]
    assert told(*SENT, assume) == []


def test_a_person_decides_once_on_a_parcel_that_went_wrong() -> None:
    refund = shipment_commands.SettleOrder("main", SHIPMENT, ORDER, "refund", "op", NOW)
    arrived = shipment_commands.Settle("main", SHIPMENT, "op", "", NOW)
    failed = (*SENT, seen("failure", NOW + 1))
    assert told(*failed, refund) == ["ExceptionSettled"]
    assert told(*failed, arrived) == ["ExceptionSettled", "ShipmentDelivered"]
    assert told(*failed, refund, refund) == []
    assert told(*failed, refund, seen("return_to_sender", NOW + 2), refund) == []
    claimed = replace(refund, decision="claim")
    assert told(*failed, claimed, refund) == ["ExceptionSettled"]
    assert told(*failed, arrived, arrived) == []
    assert told(*failed, arrived, refund) == []
    assert told(share(policy=CARRIED), refund) == []
    assert told(*SENT, refund) == ["ExceptionSettled"]  # decided on what was told, and late
    given(PARCEL).when(*SENT, arrived).then_refused("nothing-to-decide")


def test_each_order_in_a_parcel_decides_for_itself() -> None:
    second = share(1, 1, order="ord_2", policy=BY_HAND_CARRIED)
    label = (quoted(), bought(), cleared(), cleared("ord_2"), HAND_OVER)
    both = (share(policy=BY_HAND_CARRIED), second, PACK, *label, seen("failure", NOW + 1))
    one = shipment_commands.SettleOrder("main", SHIPMENT, ORDER, "refund", "op", NOW)
    assert not given(PARCEL).when(*both, one).state.decided()
    other = shipment_commands.SettleOrder("main", SHIPMENT, "ord_2", "reship", "op", NOW)
    assert given(PARCEL).when(*both, one, other).state.decided()


def test_words_that_come_before_their_parcel_are_kept_for_it() -> None:
    heard = tracker_commands.HearTracker(
        "main", "post", "RoyalMail", "trk_1", "TRACK1", "delivered", "delivered", "", NOW, NOW
    )
    link = tracker_commands.LinkTracker("main", "post", "trk_1", SHIPMENT, NOW)
    unknown = given(TRACKER).when(heard)
    assert [type(e).__name__ for e in unknown.events] == ["TrackingUnmatched"]
    matched = given(TRACKER).when(heard, link)
    assert [type(e).__name__ for e in matched.events] == ["TrackerLinked", "TrackingMatched"]
    assert [type(e).__name__ for e in given(TRACKER).when(link, heard).events] == [
        "TrackingMatched"
    ]


def test_a_code_that_its_carrier_uses_again_tells_nothing_of_the_parcel_before() -> None:
    """EasyPost's tracker of such a code shows the earlier parcel's way until the new one is seen."""
    old = seen("delivered", NOW - 40 * DAY)
    assert told(*SENT, old) == []
    assert told(*SENT, seen("in_transit", NOW - DAY // 2)) == ["ParcelTracked"]  # a local clock
    assert told(*SENT, old, seen("delivered", NOW + 1))[-1] == "ShipmentDelivered"


def test_a_tracker_follows_the_parcel_that_had_its_code_last_whichever_is_heard_first() -> None:
    first = tracker_commands.LinkTracker("main", "post", "trk_1", "shp_before", NOW)
    later = tracker_commands.LinkTracker("main", "post", "trk_1", SHIPMENT, NOW + 40 * DAY)
    heard = tracker_commands.HearTracker(
        "main", "post", "RoyalMail", "trk_1", "TRACK1", "delivered", "delivered", "",
        NOW + 41 * DAY, NOW + 41 * DAY,
    )  # fmt: skip
    for links in ((first, later), (later, first), (later, first, first, later)):
        [matched] = given(TRACKER).when(*links, heard).events
        assert matched.shipment_id == SHIPMENT


def test_a_label_that_a_person_said_was_bought_is_followed_by_its_code() -> None:
    [asked] = given(PARCEL).when(
        *DOUBT, cleared(), word(was_bought=True),
        shipment_commands.AskTracking("main", SHIPMENT, 1, NOW + 2 * DAY),
    ).events  # fmt: skip
    assert (asked.tracker, asked.account) == ("TRACK9", "post")
