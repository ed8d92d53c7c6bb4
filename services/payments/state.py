"""What a payment's decisions need to know of it, and sums over that. Changes nothing."""

from collections.abc import Iterable, Mapping

import msgspec
from immutables import Map

from libs.contracts import common
from services.payments.commands import What

# The least that Stripe charges, minor units: docs.stripe.com/currencies, "Minimum and maximum".
MINIMUM: Mapping[str, int] = {
    "AED": 200, "AUD": 50, "BGN": 100, "BRL": 50, "CAD": 50, "CHF": 50, "CZK": 1500, "DKK": 250,
    "EUR": 50, "GBP": 30, "HKD": 400, "HUF": 17500, "INR": 50, "JPY": 50, "MXN": 1000, "MYR": 200,
    "NOK": 300, "NZD": 50, "PLN": 200, "RON": 200, "SEK": 300, "SGD": 50, "THB": 1000, "USD": 50,
}  # fmt: skip

REMITTED = frozenset({"channel_remits_gross", "channel_remits_net"})
LATER = {"on_account": "on_account", "on_delivery": "on_delivery"}  # funds that are paid afterwards
TAKEN = frozenset({"paid", "part_refunded", "refunded"})  # the channel has the money
# What the buyer holds with the channel itself, by the name that stands where a holder's does.
VOUCHERS: Mapping[str, common.TenderKind] = {
    "gift-card": "gift_card", "store-credit": "store_credit",
}  # fmt: skip
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
    """Money on its way back. `status`: asked, made, failed.

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
    """A refund that was made and failed later, at `at` by the provider's clock, microseconds."""

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


class PaymentState(msgspec.Struct, frozen=True):
    """An order's payment. Amounts in minor units of `currency`, times in microseconds.

    `amount` is what the confirmed units cost, `total` what the whole order does. `waived` is what
    went back outside (or was settled) and is not asked for again, until the order costs less by
    as much. `halted` says why no further authorisation is asked for until a person, or a new
    statement, decides. `gift` and `credit` are what gift cards and store credit carry. `received`
    and `returned` are what the channel says that it took in all and gave back, where it says so.
    `came_back` are refunds that were made and failed later, by the provider's name of each.
    `renewed` is since when authorisations that ended are asked for anew, with nothing captured in
    between.
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
    disputes: Map[str, str] = Map()
    disagreed: tuple[str, ...] = ()
    settled: tuple[str, ...] = ()
    received: int | None = None
    returned: int | None = None
    came_back: Map[str, CameBack] = Map()
    renewed: int | None = None

    @property
    def known(self) -> bool:
        """Whether the order has said what it costs."""
        return self.revision > 0


def goal(state: PaymentState) -> int:
    """Return what is to be ours in the end, as far as the order says by now.

    A channel takes the money for the whole order at once; we only for units that are confirmed.
    """
    if state.custody == "us":
        return state.amount
    if state.amount == 0 or state.funds == "refunded":
        return 0
    guessed = state.funds == "part_refunded" and state.returned is None
    return state.amount if guessed else state.total


def held(state: PaymentState) -> int:
    """Return what is captured, less what has gone or is asked to go back."""
    return sum(one.amount - one.refunded for one in state.captures.values() if one.status == "made")


def asked(state: PaymentState) -> int:
    """Return what is asked for and may be captured already."""
    return sum(one.amount for one in state.captures.values() if one.status == "asked")


def taken(state: PaymentState) -> int:
    """Return what is captured in all, whatever has gone back."""
    return sum(one.amount for one in state.captures.values() if one.status == "made")


def contradicted(state: PaymentState) -> int:
    """Return what a channel says that it took, or sent back, less than it had said before."""
    back = sum(one.amount for one in state.refunds.values() if one.status == "made")
    told = ((state.received, taken(state)), (state.returned, back))
    ours = state.custody == "us"
    return max(0 if said is None or ours else known - said for said, known in told)


def forgiven(state: PaymentState) -> int:
    """Return what is not asked for: waived, or less than the price at a channel that says paid."""
    if state.custody == "us" or state.received is None or state.funds not in TAKEN:
        return state.waived
    kept = state.received - (state.returned or 0)
    return max(state.waived, goal(state) - kept)


def lack(state: PaymentState) -> int:
    """Return what is still to be asked for: neither captured, nor asked, nor forgiven."""
    return max(goal(state) - forgiven(state) - held(state) - asked(state), 0)


def set_aside(state: PaymentState) -> int:
    """Return what is authorised, or may be, and not captured."""
    return sum(
        one.amount - one.captured
        for one in state.intents.values()
        if one.status in OPEN and not one.outside
    )


def uncovered(state: PaymentState) -> int:
    """Return what is due and no money is set aside for: asked for anew, or settled outside.

    What is set aside and could not be captured covers nothing.
    """
    covered = 0 if state.halted == "capture-failed" else set_aside(state)
    return max(lack(state) - covered, 0)


def owed_by_hand(state: PaymentState, one: Refund) -> bool:
    """Say whether a refund is at a channel that need not tell of it, for we take the money."""
    at_channel = one.executor == "channel" and one.status == "asked" and one.amount > 0
    return at_channel and state.custody == "us"


def unsettled(state: PaymentState) -> tuple[str, ...]:
    """Return the disagreements that no person has settled, as they were told."""
    return tuple(told for told in state.disagreed if told not in state.settled)


def about_what(told: str) -> tuple[str, str, int]:
    """Return the code, the provider's reference and the amount of a disagreement."""
    about, amount, _ = told.rsplit(":", 2)
    code, _, reference = about.partition(":")
    return code, reference, int(amount)


def cost(state: PaymentState, parcels: Iterable[Parcel]) -> int:
    """Return what these parcels' units cost together; the first one carries the charges.

    Cumulative by line, so that the last unit of a line takes the remainder.
    """
    packed = together(parcels)
    if not packed:
        return 0
    if all(packed.get(line, 0) >= units for line, (units, _) in state.lines.items()):
        return state.amount
    share = sum(
        state.lines[line][1] * min(units, state.lines[line][0]) // state.lines[line][0]
        for line, units in packed.items()
        if line in state.lines and state.lines[line][0]
    )
    return min(share + state.charges, state.amount)


def together(parcels: Iterable[Parcel]) -> dict[str, int]:
    """Return the units of parcels by line."""
    packed: dict[str, int] = {}
    for parcel in parcels:
        for line, units in parcel.units.items():
            packed[line] = packed.get(line, 0) + units
    return packed


def unstated(state: PaymentState, parcels: Iterable[Parcel]) -> bool:
    """Say whether parcels hold more units than the order wants now."""
    return any(
        units > state.lines.get(line, (0, 0))[0] for line, units in together(parcels).items()
    )


def all_packed(state: PaymentState) -> bool:
    """Say whether every unit that the order wants now is in a parcel."""
    packed = together(state.parcels.values())
    return all(packed.get(line, 0) >= units for line, (units, _) in state.lines.items())


def minimum(currency: str) -> int:
    """Return the least that a provider charges, minor units; 1 where none is known."""
    return MINIMUM.get(currency, 1)
