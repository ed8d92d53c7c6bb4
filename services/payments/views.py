"""The shapes of payments at the HTTP edge."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from libs.security.accountnumbers import holds_iban
from libs.security.cardnumbers import holds_card_number
from libs.values.money import to_text
from libs.web.texts import Note
from services.payments.read_model import DisagreementRow, PaymentRow
from services.payments.standing import Wait


def _nobodys(text: str) -> str:
    if holds_card_number(text) or holds_iban(text):
        raise ValueError("the number of a card or an account is no reference")
    return text


# Names a payment, and nobody: letters, digits, underscores and dashes.
Reference = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,120}$"), AfterValidator(_nobodys)]


class WaitOut(BaseModel):
    """Something that waits: for whom, why, since when, until when, and the money at risk."""

    order_id: str | None
    what: str
    subject: str
    reason: str
    owner: str
    next_action: str
    at_risk_minor: int
    currency: str
    since: int
    deadline: int | None


class PaymentOut(BaseModel):
    """A payment as it stands; amounts in minor units, times in microseconds."""

    order_id: str
    account: str
    holder: str
    custody: str
    standing: str
    reason: str
    since: int
    currency: str
    required_minor: int
    total_minor: int
    authorised_minor: int
    captured_minor: int
    refunded_minor: int
    by_hand_minor: int
    unknown_minor: int
    at_risk_minor: int
    cleared: list[str]
    waits: list[WaitOut]


class PaymentPage(BaseModel):
    """A page; `cursor` is for the next one, null at the end."""

    items: list[PaymentOut]
    cursor: str | None


class Queues(BaseModel):
    """All that waits, the most money first; `more` says that there is more than is shown."""

    items: list[WaitOut]
    more: bool


class HolderOut(BaseModel):
    """Captures by holder, currency and state, for the comparison with the holder's books."""

    holder: str
    currency: str
    state: str
    captures: int
    captured_minor: int
    refunded_minor: int
    by_hand_minor: int


class DecisionIn(BaseModel):
    """What a person decides on a payment that waits.

    adopt and absent need `effect_id`; adopt needs `reference`, what the provider calls it. settle
    is of what is due, or with `refund_id` of a refund that was put back on a voucher by hand.
    paid-back is of a refund that the provider refuses (`refund_id`) and that went back by a
    transfer, in cash or by cheque; `reference` names that payment, and nobody. Or it is the id of a
    dispute that was lost: the buyer has the money by that.
    """

    model_config = ConfigDict(extra="forbid")
    decision: Literal["retry", "capture", "release", "adopt", "absent", "settle", "paid-back"]
    reason: Note = ""
    effect_id: str = Field(default="", max_length=40)
    reference: Reference = ""
    refund_id: str = Field(default="", max_length=40)


class SettleIn(BaseModel):
    """How a disagreement was settled outside."""

    model_config = ConfigDict(extra="forbid")
    holder: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")
    provider_reference: str = Field(pattern=r"^[A-Za-z0-9_]{1,120}$")
    decision: Note


def payment_out(row: PaymentRow) -> PaymentOut:
    """Return a payment as it is shown."""
    return PaymentOut(
        order_id=row.order_id, account=row.account, holder=row.holder, custody=row.custody,
        standing=row.standing, reason=row.reason, since=row.since, currency=row.currency,
        required_minor=row.required_minor, total_minor=row.total_minor,
        authorised_minor=row.authorised_minor, captured_minor=row.captured_minor,
        refunded_minor=row.refunded_minor, by_hand_minor=row.by_hand_minor,
        unknown_minor=row.unknown_minor,
        at_risk_minor=row.at_risk_minor, cleared=list(row.cleared),
        waits=[wait_out(row, one) for one in row.waits],
    )  # fmt: skip


def wait_out(row: PaymentRow, one: Wait) -> WaitOut:
    """Return what waits in a payment as it is shown."""
    return WaitOut(
        order_id=row.order_id, what=one.what, subject=one.subject, reason=one.reason,
        owner=one.owner, next_action=one.next_action, at_risk_minor=one.at_risk_minor,
        currency=row.currency, since=one.since, deadline=one.deadline,
    )  # fmt: skip


def disagreement_out(row: DisagreementRow) -> WaitOut:
    """Return what a provider said of something unknown as it is shown."""
    action = "compare with the provider, then settle"
    if row.expected_minor:
        wanted = f"{to_text(row.expected_minor, row.expected_currency)} {row.expected_currency}"
        action = f"{wanted} was expected here: {action}"
    return WaitOut(
        order_id=row.order_id, what="disagreement",
        subject=f"{row.holder}:{row.provider_reference}", reason=row.code, owner="operations",
        next_action=action,
        at_risk_minor=row.amount_minor, currency=row.currency, since=row.since,
        deadline=row.deadline,
    )  # fmt: skip
