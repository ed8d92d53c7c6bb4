"""What callers of crm_sync see and send: shapes at the edge. Decides nothing."""

from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from libs.runtime.ports import Answer
from libs.web import texts

CustomerId = Annotated[str, Path(pattern="^cus_[0-9a-f]{20}$")]
Id = Annotated[str, Field(pattern="^cus_[0-9a-f]{20}$")]
By = Annotated[texts.By, Field(min_length=1, max_length=80)]
Code = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]{0,59}$")]


class _View(BaseModel):
    # An e-mail that does not fit must not come back in the refusal, nor reach a log.
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Lookup(_View):
    """Whom to look for; it stands in a body, so that no address and no log of URLs holds it."""

    email: str | None = Field(default=None, min_length=3, max_length=320, repr=False)
    phone: str | None = Field(default=None, min_length=7, max_length=40, repr=False)


class MergeIn(_View):
    """Who else is this customer."""

    other_id: Id
    by: By = "operator"


class UnmergeIn(_View):
    """Who is not this customer; without `indexes`, all that they share names them no longer."""

    merged_id: Id
    reason: Code = Field(default="not-the-same", description="A code: no names here.")
    indexes: tuple[Annotated[str, Field(min_length=1, max_length=120)], ...] = Field(
        default=(), max_length=100
    )
    by: By = "operator"


class ErasureIn(_View):
    """The plan that was agreed to, by its subjects."""

    subjects: tuple[Annotated[str, Field(max_length=80)], ...] = Field(min_length=1)
    by: By = "operator"


class MemberOut(_View):
    """A buyer of one account, taken alone."""

    customer_id: str
    subject: str
    account: str
    guest: bool
    erased: bool


class LinkOut(_View):
    """Evidence that makes members one. `by` is "evidence", or who joined them."""

    index: str
    kind: str
    by: str
    members: tuple[str, ...]


class SuggestionOut(_View):
    """A customer who may be the same person; somebody has to look."""

    customer_id: str
    member: str
    kind: str
    index: str


class CustomerOut(_View):
    """A person as far as evidence goes; every member's id leads here."""

    customer_id: str = Field(description="The smallest of the members' ids.")
    members: tuple[MemberOut, ...]
    links: tuple[LinkOut, ...]
    suggestions: tuple[SuggestionOut, ...] = ()
    orders: int
    last_order_at: int | None
    total_minor: dict[str, int] = Field(description="What the orders came to, by currency.")
    erased: bool = Field(description="No member's contact can be opened any more.")


class FactOut(_View):
    """One event of the timeline; `at` in microseconds since the epoch."""

    at: int
    event_id: str
    service: str
    what: str
    code: str
    reference: str
    amount_minor: int | None
    currency: str
    order_ids: tuple[str, ...]


class TimelineOut(_View):
    """What happened, oldest first; `cursor` asks for what comes behind, None at the end."""

    customer_id: str
    facts: tuple[FactOut, ...]
    cursor: str | None


class OpenedOut(_View):
    """What a member's sealed fields say."""

    customer_id: str
    account: str
    fields: dict[str, str] = Field(repr=False)


class ContactOut(_View):
    """Opened fields of a person's members; `erased` members have none any more."""

    customer_id: str
    opened: tuple[OpenedOut, ...]
    erased: tuple[str, ...]


class KeyOut(_View):
    """A key of the plan: `destroy`, or `keep` until a date (microseconds)."""

    subject: str
    clearance: str
    action: str
    until: int | None = None


class ScrubOut(_View):
    """Rows that lose what they hold of a person."""

    read_model: str
    rows: int
    what: str


class ErasureOut(_View):
    """What an erasure does, or did, and what is kept until when."""

    customer_id: str
    state: str = Field(description="planned, requested or completed.")
    subjects: tuple[str, ...]
    keys: tuple[KeyOut, ...]
    read_models: tuple[ScrubOut, ...]
    retained: tuple[str, ...]
    raw_deliveries_until: int
    requested_at: int | None
    answer_by: int | None
    retained_until: int | None
    owner: str
    next_action: str


class PendingOut(_View):
    """A subject that was asked to be forgotten and is not yet; times in microseconds."""

    subject: str
    customer_id: str
    requested_at: int
    answer_by: int
    by: str
    owner: str
    next_action: str


class Done(_View):
    """A write that is committed; `token` is for `?after=`."""

    customer_id: str
    events: tuple[str, ...]
    token: str


def done(customer_id: str, answer: Answer) -> Done:
    """Show what a write to a customer led to."""
    return Done(customer_id=customer_id, events=answer.events, token=answer.token)
