"""What units cost, what is due, and what is known of the money. Tells nothing. Pure."""

from collections.abc import Sequence

from msgspec.structs import replace

from libs.contracts import common, orders
from services.orders import commands
from services.orders.progress import Payment
from services.orders.state import REFUNDED, OrderState

TAKEN = frozenset({"paid", "part_refunded"})  # the channel has the buyer's money
WITHOUT_CHARGE = frozenset({"gift_card", "store_credit", "on_account", "cash_on_delivery"})


def share(amount: int, units: int, of: int) -> int:
    """Return what so many units of a line cost; all of them cost exactly the amount.

    The remainder of the division goes to the first units, one minor unit each.
    """
    if not of:
        return 0
    sign, whole = (-1, -amount) if amount < 0 else (1, amount)
    return sign * (units * (whole // of) + min(units, whole % of))


def taken(state: OrderState) -> bool:
    """Say whether the channel has taken money: it is there, whatever becomes of the order."""
    took = state.funds in TAKEN if state.received is None else state.received > 0
    return state.custody not in {"us", "unknown"} and took


def redeemed(state: OrderState) -> bool:
    """Say whether a voucher that its channel has redeemed pays for a part of what we charge."""
    vouchers = {"gift_card", "store_credit"}
    return state.custody == "us" and any(
        one.kind in vouchers and one.amount > 0 for one in state.tenders
    )


def forgiven(state: OrderState) -> int:
    """Return what a channel that calls the order paid has less of the bill than it comes to."""
    if state.bill is None or state.received is None or state.custody == "us":
        return 0
    kept = state.received - (state.refunded or 0)
    return max(0, state.bill.amount - kept) if state.funds in TAKEN else 0


def due_of(amount: int, tenders: Sequence[common.Tender]) -> int:
    """Return what has to be charged: the amount less what cards, credit or an account carry."""
    carried = sum(tender.amount for tender in tenders if tender.kind in WITHOUT_CHARGE)
    return max(0, amount - max(0, carried))


def terms_of(said: orders.PaymentRequired | OrderState) -> str:
    """Return a text by which a change of how the order is paid is known."""
    tenders = ",".join(f"{one.kind}:{one.amount}:{one.reference or ''}" for one in said.tenders)
    taken = "" if said.received is None else f"|{said.received}-{said.refunded}"
    return f"{said.custody}|{said.funds}|{said.currency}|{tenders}{taken}"


def covered(state: OrderState) -> bool:
    """Say whether the money is there, or need not be, for what the bill says.

    It opens the way to fulfilment only; whether a parcel may leave is for payments to say.
    """
    bill, payment = state.bill, state.payment
    if bill is None:
        return False
    if payment.standing == "not_required":
        return True
    if sent_back(state) and refunded_hold(state) in state.waived:
        return True  # a person sends it all the same
    if state.custody == "channel_captures_at_our_order" and state.funds in {"authorised", "paid"}:
        return True
    said = payment.standing != "unknown"
    there = payment.authorised + payment.captured - payment.refunded
    return said and there >= bill.due - forgiven(state)


def paid(state: OrderState) -> bool:
    """Say whether nothing is left to be captured."""
    bill, payment = state.bill, state.payment
    if bill is None or payment.standing == "unknown":
        return False
    return payment.standing == "not_required" or payment.captured >= max(1, bill.due)


def sent_back(state: OrderState) -> bool:
    """Say whether all the money that was there for what is still sold has gone back.

    Where we charge, what went back of a part is no refund of the order: the rest is asked for.
    """
    bill, payment = state.bill, state.payment
    if bill is None or not bill.amount or not payment.captured:
        return False
    whole = state.custody != "us" or payment.captured >= bill.due
    return whole and payment.authorised + payment.captured <= payment.refunded


def refunded_hold(state: OrderState) -> str:
    """Return the id of the hold of an order whose money went back, another one for each time."""
    return commands.hold_id(state.order_id, REFUNDED, str(state.payment.refunded))


def known(command: commands.RecordPayment, state: OrderState) -> Payment:
    """Return what is known of the money after a fact of payments."""
    old = state.payment
    now = replace(old, seen=command.payment_version, reason=command.reason,
                  deadline=command.deadline)  # fmt: skip
    amount = command.amount
    match command.standing:
        case "authorised":
            return replace(now, standing="authorised", authorised=old.authorised + amount)
        case "captured":
            captured = old.captured + amount
            left = max(0, old.authorised - amount)
            whole = state.bill is None or captured >= state.bill.due
            return replace(now, captured=captured, authorised=left,
                           standing="captured" if whole else "part_captured")  # fmt: skip
        case "refunded":
            refunded = old.refunded + amount
            now = replace(now, refunded=refunded)
            return replace(now, standing="refunded") if refunded >= old.captured else _back(now)
        case "voided" | "authorisation_expired":
            now = replace(now, authorised=max(0, old.authorised - amount))
            enough = now.authorised + now.captured > 0
            return _back(now) if enough else replace(now, standing=command.standing)
        case "declined":  # what could not be captured is no money to count on
            return replace(now, standing="declined", authorised=max(0, old.authorised - amount))
        case "unknown":  # a doubt or a dispute is over
            return _back(now)
        case _:
            return replace(now, standing=command.standing)


def _back(payment: Payment) -> Payment:
    """Return the payment with the standing that its amounts give it."""
    if payment.captured:
        return replace(payment, standing="captured")
    return replace(payment, standing="authorised" if payment.authorised else "expected")
