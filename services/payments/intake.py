"""Understands a provider's events: which payment each is about, and what it says of it.

A payload is a hint of a state, in any order: deciders compare it with what they know.
"""

import contextlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from libs.codec.errors import CodecError
from libs.runtime.ports import InboxRow, Interpreted, Ports, Rows
from libs.runtime.settings import Settings
from services.payments import commands, stripe_answers
from services.payments.commands import disagreement_stream, payment_stream
from services.payments.read_model import INTENTS, IntentRow
from services.payments.stripe_money import from_stripe

_ORDER = re.compile(r"ord_[0-9a-f]{20}")
_SECOND = 1_000_000  # microseconds
PATIENCE = 20 * _SECOND  # for the word that says whose intent it is
REMEMBERED = 10_000  # intents: many more than come in until their rows are there
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError)
_MALFORMED = "The event is not as its provider's reference says."
_DISPUTE = frozenset({"created", "updated", "funds_withdrawn", "closed"})
_INTENT = frozenset({"amount_capturable_updated", "succeeded", "payment_failed", "canceled"})
# What a charge's event says of its intent. Only a charge tells until when it can be captured.
_CHARGE = {
    "succeeded": "requires_capture", "captured": "succeeded", "refunded": "succeeded",
    "expired": "canceled",
}  # fmt: skip


class MalformedEventError(CodecError):
    """A delivery that is not what the provider's reference says."""

    code = "malformed-event"


class _Data(msgspec.Struct, frozen=True):
    object: msgspec.Raw


class _Event(msgspec.Struct, frozen=True):
    id: str
    type: str
    created: int
    data: _Data


class _Subject(msgspec.Struct, frozen=True):
    """An intent, or what names the intent that it belongs to."""

    id: str
    payment_intent: str | None = None
    metadata: Mapping[str, Any] = {}


class _Evidence(msgspec.Struct, frozen=True):
    due_by: int | None = None


class _Dispute(msgspec.Struct, frozen=True):
    id: str
    amount: int
    currency: str
    status: str
    reason: str = ""
    charge: str | None = None
    payment_intent: str | None = None
    evidence_details: _Evidence | None = None


class PaymentsIntake:
    """Turns deliveries into commands; a payment is named by its metadata, else looked up.

    Refunds and disputes carry no metadata of their intent, and may come before it, or before its
    row is there: what metadata said a while ago is remembered. One of an intent that is not known
    is a stranger's once it has waited, and the rows hold all that was recorded meanwhile.
    """

    def __init__(self, ports: Ports) -> None:
        self._accounts = ports.settings.payments
        self._entities = entities(ports.settings)
        self._intents: Rows[IntentRow] = ports.rows(INTENTS)
        self._heard: dict[tuple[str, str], tuple[str, str]] = {}
        self._clock = ports.clock
        self._whole = 0  # what was recorded until then is in the rows; microseconds

    async def interpret(self, rows: Sequence[InboxRow]) -> Sequence[Interpreted | Exception]:
        """Read each delivery; an exception in a place parks that delivery."""
        read = [_read(row) for row in rows]
        for row, event in zip(rows, read, strict=True):
            if isinstance(event, _Event):
                self._hear(row.account, event)
        told = [await self._one(row, event) for row, event in zip(rows, read, strict=True)]
        if any(isinstance(one, Interpreted) and one.later for one in told):
            now = self._clock()
            if await self._intents.caught_up():
                self._whole = now
        return told

    def _hear(self, account: str, event: _Event) -> None:
        """Remember what an event's metadata says of its intent."""
        with contextlib.suppress(
            msgspec.DecodeError
        ):  # whoever needs it says what is wrong with it
            told = msgspec.json.decode(event.data.object, type=_Subject)
            if (named := _by_metadata(told.metadata)) is not None:
                self._heard[account, told.payment_intent or told.id] = named
        while len(self._heard) > REMEMBERED:
            del self._heard[next(iter(self._heard))]

    async def _one(self, row: InboxRow, event: _Event | CodecError) -> Interpreted | Exception:
        if isinstance(event, CodecError):
            return event
        try:
            return await self._understood(row, event)
        except _UNREADABLE:
            return MalformedEventError(_MALFORMED)
        except CodecError as error:
            return error

    async def _understood(self, row: InboxRow, event: _Event) -> Interpreted:
        family, _, word = event.type.rpartition(".")
        if family == "payment_intent" and word in _INTENT:
            return await self._intent(row, event)
        if family == "charge" and word in _CHARGE:
            return await self._charge(row, event, word)
        if family in {"refund", "charge.refund"} and word in {"failed", "updated"}:
            return await self._returned(row, event)
        if family == "charge.dispute" and word in _DISPUTE:
            return await self._dispute(row, event)
        return Interpreted(f"{row.account}:-", (), "event-not-needed")

    async def _intent(self, row: InboxRow, event: _Event) -> Interpreted:
        seen = msgspec.json.decode(event.data.object, type=stripe_answers.Intent)
        fault = seen.last_payment_error or stripe_answers.Fault()
        word = seen.cancellation_reason or fault.decline_code or fault.code or ""
        return await self._seen(row, event, seen, word)

    async def _charge(self, row: InboxRow, event: _Event, word: str) -> Interpreted:
        charge = msgspec.json.decode(event.data.object, type=stripe_answers.Charge)
        if word == "succeeded" and charge.captured:
            return Interpreted(f"{row.account}:-", (), "event-not-needed")
        if charge.payment_intent is None:
            return self._unknown(row, event, charge.id, charge.amount, charge.currency)
        seen = stripe_answers.Intent(
            charge.payment_intent, charge.amount, charge.currency, _CHARGE[word], None,
            charge.amount_captured, charge, metadata=charge.metadata,
        )  # fmt: skip
        if word == "refunded":
            return await self._refunded(row, event, charge, seen)
        return await self._seen(row, event, seen, "expired" if word == "expired" else "")

    async def _seen(
        self, row: InboxRow, event: _Event, seen: stripe_answers.Intent, word: str
    ) -> Interpreted:
        order, intent = await self._named(row.account, seen.id, seen.metadata)
        if not order:
            if seen.status in {"canceled", "requires_payment_method"}:
                return Interpreted(f"{row.account}:{seen.id}", (), "no-money-of-ours")
            return self._unknown(row, event, seen.id, seen.amount, seen.currency)
        currency = seen.currency.upper()
        command = commands.RecordIntentSeen(
            entity=self._entity(row.account), order_id=order, holder=row.account,
            intent_id=intent, provider_intent=seen.id, status=seen.status,
            amount=from_stripe(seen.amount, currency),
            capturable=from_stripe(seen.capturable, currency),
            received=from_stripe(seen.received, currency), currency=currency,
            reference=seen.reference, word=word,
            capture_before=seen.capture_before, occurred_at=event.created * _SECOND,
            at=row.received_at, mandate=seen.mandate,
        )  # fmt: skip
        return Interpreted(f"{row.account}:{seen.id}", ((payment_stream(order), command),))

    async def _refunded(
        self, row: InboxRow, event: _Event, charge: stripe_answers.Charge,
        seen: stripe_answers.Intent,
    ) -> Interpreted:  # fmt: skip
        """Take what was captured, which may not be told yet, and then what went back of it."""
        intent = charge.payment_intent or ""
        if not charge.captured and not charge.amount_captured:  # set aside, and given back
            return Interpreted(f"{row.account}:{intent}", (), "nothing-captured")
        order, _ = await self._named(row.account, intent, charge.metadata)
        if not order:
            return self._unknown(row, event, charge.id, charge.amount_refunded, charge.currency)
        currency = charge.currency.upper()
        command = commands.RecordRefundSeen(
            entity=self._entity(row.account), order_id=order, holder=row.account,
            provider_intent=intent, reference=charge.id,
            refunded=from_stripe(charge.sent_back, currency), currency=currency,
            occurred_at=event.created * _SECOND, at=row.received_at,
        )  # fmt: skip
        captured = await self._seen(row, event, seen, "")
        work = (*captured.work, (payment_stream(order), command))
        return Interpreted(f"{row.account}:{intent}", work)

    async def _returned(self, row: InboxRow, event: _Event) -> Interpreted:
        refund = msgspec.json.decode(event.data.object, type=stripe_answers.Refunded)
        if not refund.undone:
            return Interpreted(f"{row.account}:-", (), "event-not-needed")
        intent = refund.payment_intent or ""
        order, _ = await self._named(row.account, intent, {})
        if not order:
            unknown = self._unknown(row, event, refund.id, refund.amount, refund.currency)
            return self._in_time(row, intent, unknown)
        currency = refund.currency.upper()
        command = commands.RecordRefundReturned(
            entity=self._entity(row.account), order_id=order, holder=row.account,
            refund_id=refund.metadata.get("lonja_refund", ""), reference=refund.id,
            amount=from_stripe(refund.amount, currency), currency=currency,
            word=refund.failure_reason or refund.status or "",
            occurred_at=event.created * _SECOND, at=row.received_at, provider_intent=intent,
        )  # fmt: skip
        return Interpreted(f"{row.account}:{intent}", ((payment_stream(order), command),))

    async def _dispute(self, row: InboxRow, event: _Event) -> Interpreted:
        dispute = msgspec.json.decode(event.data.object, type=_Dispute)
        intent = dispute.payment_intent or ""
        order, named = await self._named(row.account, intent, {})
        if not order:
            unknown = self._unknown(row, event, dispute.id, dispute.amount, dispute.currency)
            return self._in_time(row, intent, unknown)
        won = dispute.status in {"won", "warning_closed"}
        currency = dispute.currency.upper()
        due = dispute.evidence_details.due_by if dispute.evidence_details else None
        command = commands.RecordDispute(
            entity=self._entity(row.account), order_id=order, holder=row.account,
            provider_intent=intent, dispute_id=dispute.id,
            state="won" if won else "lost" if dispute.status == "lost" else "open",
            amount=from_stripe(dispute.amount, currency), currency=currency, reason=dispute.reason,
            due_by=(due or event.created + 7 * 86_400) * _SECOND,
            occurred_at=event.created * _SECOND, at=row.received_at,
            inquiry=dispute.status.startswith("warning_"), intent_id=named,
        )  # fmt: skip
        return Interpreted(f"{row.account}:{intent}", ((payment_stream(order), command),))

    async def _named(
        self, account: str, intent: str, metadata: Mapping[str, Any]
    ) -> tuple[str, str]:
        """Return the order and our intent, by what was heard of it or by its row."""
        named = _by_metadata(metadata) or self._heard.get((account, intent))
        if named is not None:
            return named
        known = await self._intents.get(account, intent) if intent else None
        return (known.order_id, known.intent_id) if known is not None else ("", "")

    def _in_time(self, row: InboxRow, intent: str, unknown: Interpreted) -> Interpreted:
        """Call an intent unknown, but not before that can be known."""
        if intent and self._whole < row.received_at + PATIENCE:
            return Interpreted(f"{row.account}:{intent}", later=True)
        return unknown

    def _unknown(
        self, row: InboxRow, event: _Event, reference: str, amount: int, currency: str
    ) -> Interpreted:
        if not re.fullmatch(r"[A-Za-z0-9_]{1,120}", reference):
            raise MalformedEventError("The provider's reference is none.")
        known = currency.upper()[:3]
        command = commands.Disagree(
            entity=self._entity(row.account), holder=row.account, reference=reference,
            code="payment-unknown", amount=from_stripe(amount, known), currency=known,
            occurred_at=event.created * _SECOND, at=row.received_at,
        )  # fmt: skip
        stream = disagreement_stream(row.account, reference)
        return Interpreted(f"{row.account}:{reference}", ((stream, command),))

    def _entity(self, account: str) -> str:
        return self._entities.get(account, "main")


def _read(row: InboxRow) -> _Event | CodecError:
    try:
        return msgspec.json.decode(row.body, type=_Event)
    except _UNREADABLE:
        return MalformedEventError(_MALFORMED)


def _by_metadata(metadata: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the order and our intent; a name that is none of ours is not believed."""
    order, ours = str(metadata.get("lonja_order", "")), str(metadata.get("lonja_intent", ""))
    return (order, ours) if _ORDER.fullmatch(order) and ours else None


def entities(settings: Settings) -> Mapping[str, str]:
    """Return the company of each payments account: that of the first channel that it serves."""
    found: dict[str, str] = {}
    for channel in settings.channels.values():
        if channel.payments is not None:
            found.setdefault(channel.payments, channel.entity)
    return found
