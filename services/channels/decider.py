"""Decides what is new in what a channel says of an order; repeats and stale news are silent."""

import hashlib
from collections.abc import Sequence
from typing import Any, assert_never

import msgspec
from msgspec.structs import replace

from libs.contracts import channels, common
from libs.eventsourcing.decider import Decider
from services.channels import commands, report_commands, reports
from services.channels.report_lines import lines_at
from services.channels.reports import Reporting
from services.channels.sent_before import theirs_of, with_theirs

_SEEN = 8  # contents remembered of one instant: WooCommerce tells its versions apart by the second
_RANK = {"draft": 0, "unknown": 1, "tentative": 1, "committed": 2}
_CANCELLED = 3
_TAKEN = {
    "authorised": 1, "part_paid": 2, "paid": 3, "part_refunded": 4, "voided": 4, "expired": 4,
    "refunded": 5,
}  # fmt: skip

OrderEvent = (
    channels.ChannelOrderReceived
    | channels.ChannelOrderChanged
    | channels.ChannelOrderFundsChanged
    | channels.ChannelOrderTouched
    | channels.ChannelOrderCancelled
    | channels.ChannelOrderSetAside
    | reports.ReportEvent
)


class ChannelOrder(msgspec.Struct, frozen=True):
    """What is known of an order, without the order: its version, fingerprints, what we report.

    `theirs` are the lines that its channel had sent before we heard of it.
    """

    updated_at: int = -1
    counter: int = 0
    received: bool = False
    set_aside: bool = False
    cancelled: bool = False
    deleted: bool = False
    rank: int = 0
    taken: int = 0
    content: str = ""
    money: str = ""
    word: str = ""
    seen: tuple[str, ...] = ()
    reporting: Reporting = Reporting()
    theirs: tuple[str, ...] = ()


def decide(command: commands.ChannelOrderCommand, state: ChannelOrder) -> Sequence[OrderEvent]:
    """Return what is new; nothing for a repeat or an older version. Facts are never refused."""
    match command:
        case commands.RecordOrder():
            return _record(command, state)
        case commands.RecordSetAside():
            if state.received or state.set_aside or state.deleted:
                return []
            return [
                channels.ChannelOrderSetAside(
                    entity=command.entity, occurred_at=command.version.updated_at,
                    account=command.account, external_id=command.external_id,
                    reason=command.reason, status_word=command.status_word,
                    version=command.version,
                )
            ]  # fmt: skip
        case commands.RecordDeletion():
            return [] if state.deleted else [_deleted(command, state)]
        case (
            report_commands.RequestReport()
            | report_commands.RecordReport()
            | report_commands.SettleReport()
        ):
            return reports.decide(command, state.reporting)
        case _:
            assert_never(command)


def _record(command: commands.RecordOrder, state: ChannelOrder) -> Sequence[OrderEvent]:
    gone = state.deleted and not command.restored
    told = replace(command.order, cancelled=True) if gone else command.order
    order = with_theirs(told, state.theirs if state.received else command.sent)
    if not state.received:
        if state.set_aside and order.version.updated_at < state.updated_at:
            return []
        first = channels.ChannelOrderReceived(**_names(order), order=order)
        return [first, _cancelled(command, order)] if order.cancelled else [first]
    back = state.deleted and command.restored
    version = _next_version(order, state, back=back)
    if version is None:
        return []
    order = replace(order, version=version)
    if back:
        return [channels.ChannelOrderChanged(**_names(order), order=order)]
    content, money, word = _fingerprints(order)
    if state.cancelled != order.cancelled:
        if not order.cancelled:
            return [channels.ChannelOrderChanged(**_names(order), order=order)]
        ended = _cancelled(command, order)
        return [ended] if money == state.money else [ended, _funds(order)]
    if not order.cancelled and content != state.content:
        return [channels.ChannelOrderChanged(**_names(order), order=order)]
    if money != state.money:
        return [_funds(order)]
    if version.updated_at > state.updated_at or (word != state.word and not order.cancelled):
        touched = channels.ChannelOrderTouched(**_names(order), version=version, status_word=word)
        return [touched]
    return []


def _next_version(order: common.Order, state: ChannelOrder, *, back: bool) -> common.Version | None:
    """Return the version that this order takes, None where it is a repeat or stale.

    Within one instant, a provider's own counter decides where it has one; else what was seen
    before is a repeat, what goes back (committed to tentative, paid to pending) is stale, the rest
    is newer. What is `back` from the bin does not go back, though it was cancelled there.
    """
    given = order.version
    if given.updated_at > state.updated_at:
        return given
    if given.updated_at < state.updated_at or 0 < given.counter < state.counter:
        return None
    if _seen_mark(*_fingerprints(order), order.cancelled) in state.seen:
        return None
    if given.counter > state.counter:
        return given
    if not back and (_rank(order), _taken(order.funds)) < (state.rank, state.taken):
        return None
    return common.Version(updated_at=given.updated_at, counter=state.counter + 1)


def evolve(state: ChannelOrder, event: OrderEvent) -> ChannelOrder:
    """Fold one event."""
    match event:
        case channels.ChannelOrderReceived(order=order) | channels.ChannelOrderChanged(order=order):
            content, money, word = _fingerprints(order)
            # What is deleted changes by its restoration only; it is received as cancelled.
            back = isinstance(event, channels.ChannelOrderChanged) or not order.cancelled
            moved = replace(
                state, received=True, cancelled=order.cancelled, rank=_rank(order),
                taken=_taken(order.funds),
                deleted=state.deleted and not back,
                content=content, money=money, word=word,
                reporting=_reporting(state.reporting, order),
                theirs=theirs_of(order, state.theirs),
            )  # fmt: skip
            return _moved(moved, order.version, state)
        case channels.ChannelOrderFundsChanged():
            moved = replace(
                state, money=_money(event), word=event.funds_word,
                taken=_taken(event.funds),
            )  # fmt: skip
            return _moved(moved, event.version, state)
        case channels.ChannelOrderTouched():
            return _moved(replace(state, word=event.status_word), event.version, state)
        case channels.ChannelOrderCancelled():
            gone = state.deleted or event.reason == "deleted"
            ended = replace(state, cancelled=True, deleted=gone, rank=_CANCELLED)
            return _moved(ended, event.version, state)
        case channels.ChannelOrderSetAside(version=version):
            aside = replace(state, set_aside=True)
            return replace(aside, updated_at=version.updated_at, counter=version.counter)
        case (
            channels.ChannelReportRequested()
            | channels.ChannelReportConfirmed()
            | channels.ChannelReportRefused()
            | channels.ChannelReportInDoubt()
        ):
            return replace(state, reporting=reports.evolve(state.reporting, event))
        case _:
            assert_never(event)


def _reporting(known: Reporting, order: common.Order) -> Reporting:
    return replace(known, lines=lines_at(known.lines, order))


def _moved(state: ChannelOrder, to: common.Version, before: ChannelOrder) -> ChannelOrder:
    seen = before.seen if to.updated_at == before.updated_at else ()
    mark = _seen_mark(state.content, state.money, state.word, state.cancelled)
    seen = seen if mark in seen else (*seen, mark)[-_SEEN:]
    return replace(state, updated_at=to.updated_at, counter=to.counter, seen=seen)


def _names(order: common.Order) -> dict[str, Any]:
    return {
        "entity": order.entity, "occurred_at": order.version.updated_at,
        "account": order.account, "external_id": order.external_id,
    }  # fmt: skip


def _cancelled(
    command: commands.RecordOrder, order: common.Order
) -> channels.ChannelOrderCancelled:
    return channels.ChannelOrderCancelled(
        **_names(order), version=order.version, whole=True, lines=(), by=command.by,
        reason=command.reason or "cancelled", reason_word=command.reason_word,
    )  # fmt: skip


def _deleted(
    command: commands.RecordDeletion, state: ChannelOrder
) -> channels.ChannelOrderCancelled:
    # A deletion has no time of its own; it comes after all that was told, and only the order's
    # restoration comes after it.
    version = common.Version(updated_at=max(state.updated_at, 0), counter=state.counter + 1)
    return channels.ChannelOrderCancelled(
        entity=command.entity, occurred_at=command.at, account=command.account,
        external_id=command.external_id, version=version, whole=True, lines=(), by="seller",
        reason="deleted", reason_word="deleted",
    )  # fmt: skip


def _funds(order: common.Order) -> channels.ChannelOrderFundsChanged:
    return channels.ChannelOrderFundsChanged(
        **_names(order), version=order.version, funds=order.funds, funds_word=order.status_word,
        custody=order.custody, tender=order.tenders[-1] if order.tenders else None,
        amount=sum(tender.amount for tender in order.tenders), currency=order.currency,
        received=order.received, refunded=order.refunded,
    )  # fmt: skip


def _rank(order: common.Order) -> int:
    return _CANCELLED if order.cancelled else _RANK[order.commitment]


def _taken(funds: common.Funds) -> int:
    return _TAKEN.get(funds, 0)


def _digest(value: object) -> str:
    return hashlib.sha256(msgspec.msgpack.encode(value)).hexdigest()[:16]


def _money(event: channels.ChannelOrderFundsChanged) -> str:
    said = (event.funds, event.custody, event.tender, event.amount, event.currency)
    return _digest((*said, event.received, event.refunded))


def _seen_mark(content: str, money: str, word: str, cancelled: bool) -> str:
    return _digest((content, money, word, cancelled))


def _fingerprints(order: common.Order) -> tuple[str, str, str]:
    """Return fingerprints of the content (as the channel told it), of the money, and the words.

    Our own additions (links, policies, expiry) are no part of it.
    """
    told = replace(
        order, funds="unknown", custody="unknown", tenders=(), received=None, refunded=None,
        status_word="",
        version=common.Version(updated_at=0, counter=0), expires_at=None, shortage="unknown",
        priority=0, cancelled=False,
        lines=tuple(
            replace(line, sku=None, units_per_listing=1, components=()) for line in order.lines
        ),
    )  # fmt: skip
    return _digest(told), _money(_funds(order)), order.status_word


CHANNEL_ORDER = Decider(
    category="channelorder",
    commands=commands.ChannelOrderCommand,
    state=ChannelOrder,
    initial=ChannelOrder(),
    decide=decide,
    evolve=evolve,
    version=9,
)
