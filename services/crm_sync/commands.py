"""What crm_sync can be asked, each command to one stream; and the names of its streams. Pure."""

import msgspec

from libs.contracts.common import Evidence, EvidenceKind, IdentityStrength
from libs.values.ids import short

BY_EVIDENCE = "evidence"
BY_ERASURE = "erasure"
_BY_HAND = "hand_"


class SightCustomer(msgspec.Struct, frozen=True, tag=True):
    """An order names this buyer; `occurred_at` is when it was placed.

    `statutory`: it tells what the law wants kept.
    """

    entity: str
    customer_id: str
    subject: str
    account: str
    guest: bool
    evidence: tuple[Evidence, ...]
    order_id: str
    occurred_at: int
    at: int
    statutory: bool = True


class UnmergeCustomer(msgspec.Struct, frozen=True, tag=True):
    """A person says that this customer is not who these pieces of evidence say."""

    entity: str
    customer_id: str
    merged_id: str
    indexes: tuple[str, ...]
    by: str
    reason: str
    at: int


class NoteMerge(msgspec.Struct, frozen=True, tag=True):
    """A person made this customer one with another, by a merge of this index."""

    entity: str
    customer_id: str
    subject: str
    index: str
    at: int


class ForgetCustomer(msgspec.Struct, frozen=True, tag=True):
    """The customer's contact key is gone: what told who it was goes, too."""

    entity: str
    customer_id: str
    subject: str
    at: int


CustomerCommand = SightCustomer | UnmergeCustomer | NoteMerge | ForgetCustomer


class Named(msgspec.Struct, frozen=True):
    """A customer that evidence names, with its one subject."""

    customer_id: str
    subject: str
    account: str


class NameCustomer(msgspec.Struct, frozen=True, tag=True):
    """This evidence names a customer."""

    entity: str
    index: str
    kind: EvidenceKind
    strength: IdentityStrength
    customer: Named
    occurred_at: int
    at: int


class MergeByHand(msgspec.Struct, frozen=True, tag=True):
    """A person says that two customers are one: evidence of its own, that names both."""

    entity: str
    index: str
    first: Named
    second: Named
    by: str
    at: int


class PartCustomer(msgspec.Struct, frozen=True, tag=True):
    """This evidence is to name the customer no longer, whatever comes."""

    entity: str
    index: str
    customer_id: str
    by: str
    reason: str
    at: int


EvidenceCommand = NameCustomer | MergeByHand | PartCustomer


class RequestErasure(msgspec.Struct, frozen=True, tag=True):
    """These subjects are to be forgotten; `last_order_at` is 0 where they never ordered."""

    entity: str
    customer_id: str
    subjects: tuple[str, ...]
    last_order_at: int
    by: str
    answer_by: int
    at: int


class RecordErasure(msgspec.Struct, frozen=True, tag=True):
    """The vault has destroyed the keys; statutory ones live until `retained_until`."""

    entity: str
    customer_id: str
    subjects: tuple[str, ...]
    retained_until: int | None
    at: int


ErasureCommand = RequestErasure | RecordErasure


def customer_id(subject: str) -> str:
    """Return the id of the customer that a subject is, taken alone; it never changes."""
    return "cus_" + short(subject)


def customer_stream(customer: str) -> str:
    """Return the stream of a customer."""
    return f"customer-{customer}"


def evidence_stream(index: str) -> str:
    """Return the stream of a piece of evidence."""
    return f"evidence-{index}"


def erasure_stream(customer: str) -> str:
    """Return the stream of the erasures that were asked for by a customer's id."""
    return f"erasure-{customer}"


def scoped(index: str, account: str) -> str:
    """Return where a relay address meets its equals: within one account only."""
    return f"{index}.{short(account)}"


def index_of(evidence: Evidence, account: str) -> str:
    """Return the index under which evidence of an account meets its equals."""
    return scoped(evidence.index, account) if evidence.relay else evidence.index


def hand_index(first: str, second: str, key: str) -> str:
    """Return the index of a merge by hand: another merge of the same two is another one."""
    return _BY_HAND + short(*sorted((first, second)), key)


def by_hand(index: str) -> bool:
    """Say whether the index is that of a merge by hand."""
    return index.startswith(_BY_HAND)
