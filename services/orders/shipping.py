"""What fulfilment shall hand over of an order, and what of it money and holds let go. Pure."""

import hashlib

import msgspec

from libs.contracts import orders
from services.orders.paying import covered, paid, sent_back
from services.orders.state import OrderState
from services.orders.units import leaving, shortages, spent


def terms(said: orders.FulfilmentRequested | OrderState) -> str:
    """Return a text by which a change of where to and until when is known."""
    told = (said.customer, said.ship_by, said.deliver_by, said.service_level)
    return hashlib.sha256(msgspec.msgpack.encode(told)).hexdigest()[:12]


def blocked(state: OrderState) -> str | None:
    """Return why nothing more may go now: a hold, or units that a confirmed order lost.

    A hold on captures blocks too, for a parcel that is packed asks for its money.
    """
    if state.ended is None and state.confirmed is None:
        return "out-of-stock"
    return min((hold.reason for hold in state.holds.values()), default=None)


def wished(state: OrderState) -> dict[str, int]:
    """Return the units by line that shall be handed over in all, did the money allow it."""
    if state.ended is not None:
        return {}
    last = state.requested.lines if state.requested is not None else {}
    sure = state.confirmed if state.confirmed is not None else last
    settled = not state.pending and not shortages(state)
    found, gone = dict[str, int](), spent(state)
    for name, line in sorted(state.lines.items()):
        back = gone.get(name, 0)
        units = min(sure.get(name, 0), line.remaining) + back
        if state.confirmed is None:
            units = min(sure.get(name, 0), line.remaining + line.resent + back)
        elif line.resent:
            before = max(0, last.get(name, 0) - units)
            units += line.resent if settled else min(line.resent, before)
        units -= sum(stop.lines.get(name, 0) for stop in state.stops.values())
        if line.ours and units > 0:
            found[name] = units
    return found


def wanted(state: OrderState) -> dict[str, int]:
    """Return the units by line to be handed over in all: no more than is paid for, nor than left.

    Units that have left stay included, and what was asked for is not taken back for want of money.
    """
    units = wished(state)
    if not covered(state):
        last = state.requested.lines if state.requested is not None else {}
        units = {name: min(count, last.get(name, 0)) for name, count in units.items()}
    for name, gone in leaving(state).items():
        if name in state.lines:
            units[name] = max(units.get(name, 0), gone)
    return {name: count for name, count in sorted(units.items()) if count}


def given_away(state: OrderState) -> bool:
    """Say whether units are to leave yet though the buyer has all the money back."""
    if not sent_back(state):
        return False
    gone, left = leaving(state), wanted(state)
    if state.requested is None:
        left = {name: line.remaining for name, line in state.lines.items() if line.ours}
    return any(units > gone.get(name, 0) for name, units in left.items())


def unpaid(state: OrderState) -> bool:
    """Say whether want of money keeps something of the order back.

    What others hand over is kept back by no want of money that was there and has gone back.
    """
    if state.bill is None or not state.bill.amount or covered(state):
        return False
    now = wanted(state)
    ours = any(count > now.get(name, 0) for name, count in wished(state).items())
    others = not any(line.ours for line in state.lines.values() if line.remaining)
    return ours or (others and not paid(state))
