"""What a payment's decisions need to know of it. Changes nothing."""

from collections.abc import Mapping

import msgspec
from immutables import Map

from libs.contracts import common
from services.payments.commands import What

LATER = {"on_account": "on_account", "on_delivery": "on_delivery"}  # funds that are paid afterwards
TAKEN = frozenset({"paid", "part_refunded", "refunded"})  # the channel has the money
# What the buyer holds with the channel itself, by the name that stands where a holder's does.
VOUCHERS: Mapping[str, common.TenderKind] = {
    "gift-card": "gift_card", "store-credit": "store_credit",
}  # fmt: skip
# They stand where a holder's name does, for what went back in another way; no account is called so.
BY_HAND, BY_DISPUTE = "by hand", "by dispute"
ELSEWHERE = frozenset({BY_HAND, BY_DISPUTE})
# The code, and the reason of the refund, where what was paid back by hand went back anyway.
PAID_TWICE = "refund-paid-twice"
OPEN = frozenset({"asked", "action", "authorised"})


class Intent(msgspec.Struct, frozen=True, array_like=True):
    """An authorisation: `amount` asked or set aside, `captured` of it captured or asked for.

    `status`: asked, action, authorised, voiding, voided, expired, declined, closed.
    `capture_before` is the end that the provider told; it was asked for at `asked_at` and
    `lasts` so long by the rule; what becomes of it is decided at `decide_by`; microseconds.
    """

    amount: int
    holder: str
    status: str
    provider_intent: str = ""
    capture_before: int | None = None
    single: bool = True
    mandate: bool = False
    captured: int = 0
    outside: bool = False  # set aside at the channel: not ours to capture
    asked_at: int = 0
    lasts: int = 0
    decide_by: int | None = None


class Capture(msgspec.Struct, frozen=True, array_like=True):
    """Money that is ours, or asked for. `refunded` has gone back, or is asked to.

    `status`: asked, made, failed.
    """

    intent_id: str
    amount: int
    holder: str
    custody: common.Custody
    tender: common.TenderKind
    status: str
    shipment_id: str | None
    lines: tuple[common.LineAmount, ...] = ()
    charges: int = 0
    final: bool = True
    refunded: int = 0


class Refund(msgspec.Struct, frozen=True, array_like=True):
    """Money on its way back. `status`: asked, made, failed, by-hand (it went back in another way).

    `since` is when it was tried again, or sent back by somebody else, after it had failed: what
    failed before then (microseconds) is no news. `waived` is what of it nobody here had asked for.
    """

    capture_id: str
    amount: int
    executor: common.Executor
    status: str
    since: int = 0
    waived: int = 0


class CameBack(msgspec.Struct, frozen=True, array_like=True):
    """A refund that was made and failed later, at `at` by the provider's clock, microseconds.

    `capture_id` is empty where it was told before the word of its capture.
    """

    capture_id: str
    amount: int
    at: int


class Parcel(msgspec.Struct, frozen=True, array_like=True):
    """Units of the order in one parcel, by line, and whether it may go.

    `share` is what they cost when it was last looked at; `reason` why it waits.
    """

    units: Map[str, int]
    share: int = 0
    cleared: bool = False
    reason: str = ""
    deadline: int | None = None
    seen: int = 0  # the shipment's version whose withdrawal was taken


class Doubt(msgspec.Struct, frozen=True, array_like=True):
    """A call whose outcome is unknown."""

    what: What
    subject: str
    since: int
    owner: str = "policy"


class Dispute(msgspec.Struct, frozen=True, array_like=True):
    """A buyer's dispute. `word`: open, inquiry, won, lost; `answer_by` in microseconds.

    `amount` is what it takes of us, in the payment's currency, less what was paid back by it.
    """

    word: str
    amount: int = 0
    answer_by: int | None = None


class PaymentState(msgspec.Struct, frozen=True):
    """An order's payment. Amounts in minor units of `currency`, times in microseconds.

    `amount` is what the confirmed units cost, `total` what the whole order does. `waived` is what
    went back outside (or was settled) and is not asked for again, until the order costs less by
    as much. `halted` says why no further authorisation is asked for until a person, or a new
    statement, decides. `gift` and `credit` are what gift cards and store credit carry. `received`
    and `returned` are what the channel says that it took in all and gave back, where it says so.
    `came_back` are refunds that were made and failed later, by the provider's name of each.
    `renewed` is since when authorisations that ended are asked for anew, with nothing captured in
    between. `unused`: the buyer has given the method since money was last asked for; `mandate`: it
    may be charged without the buyer.
    """

    order_id: str = ""
    entity: str = ""
    revision: int = 0
    account: str = ""
    holder: str = ""
    custody: common.Custody = "unknown"
    funds: common.Funds = "unknown"
    currency: str = ""
    amount: int = 0
    total: int = 0
    lines: Map[str, tuple[int, int]] = Map()
    charges: int = 0
    gift: int = 0
    credit: int = 0
    tender: common.TenderKind = "unknown"
    method: str | None = None
    decide_by: int = 0
    second_parcel: str = "one_parcel"
    on_expiry: str = "release"
    margin: int = 0
    accept_risk: int = 0
    lasts: int = 0
    not_required: int = 0  # the revision for which that was said
    later: bool = False  # on account or on delivery
    halted: str = ""
    waived: int = 0
    mandate: bool = False
    intents: Map[str, Intent] = Map()
    captures: Map[str, Capture] = Map()
    refunds: Map[str, Refund] = Map()
    parcels: Map[str, Parcel] = Map()
    doubts: Map[str, Doubt] = Map()
    disputes: Map[str, Dispute] = Map()
    disagreed: tuple[str, ...] = ()
    settled: tuple[str, ...] = ()
    received: int | None = None
    returned: int | None = None
    came_back: Map[str, CameBack] = Map()
    renewed: int | None = None
    unused: bool = False

    @property
    def known(self) -> bool:
        """Whether the order has said what it costs."""
        return self.revision > 0
