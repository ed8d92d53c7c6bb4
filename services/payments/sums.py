"""Money of a payment: what is to be ours, what is asked, held or lacking. Changes nothing."""

from collections.abc import Iterable, Mapping

from services.payments.state import OPEN, PAID_TWICE, TAKEN, Parcel, PaymentState, Refund

# The least that Stripe charges, minor units: docs.stripe.com/currencies, "Minimum and maximum".
MINIMUM: Mapping[str, int] = {
    "AED": 200, "AUD": 50, "BGN": 100, "BRL": 50, "CAD": 50, "CHF": 50, "CZK": 1500, "DKK": 250,
    "EUR": 50, "GBP": 30, "HKD": 400, "HUF": 17500, "INR": 50, "JPY": 50, "MXN": 1000, "MYR": 200,
    "NOK": 300, "NZD": 50, "PLN": 200, "RON": 200, "SEK": 300, "SGD": 50, "THB": 1000, "USD": 50,
}  # fmt: skip


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


def room(state: PaymentState, capture_id: str) -> int:
    """Return what of a capture its holder can give back: also what went back in another way."""
    by_hand = sum(
        one.amount
        for one in state.refunds.values()
        if one.capture_id == capture_id and one.status == "by-hand"
    )
    one = state.captures[capture_id]
    return one.amount - one.refunded + by_hand


def twice(state: PaymentState, refund_id: str) -> int:
    """Return what of a refund that was paid back by hand went back at its provider, too."""
    told = map(about_what, state.disagreed)
    return max((n for *about, n in told if about == [PAID_TWICE, refund_id]), default=0)


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
