"""The lines that a report to a channel may name: what its order has, or once had. Pure."""

import msgspec
from immutables import Map
from msgspec.structs import replace

from libs.contracts import common
from services.channels.sent_before import THEIRS


class Line(msgspec.Struct, frozen=True, array_like=True):
    """A line as the channel knows it: its id, and units that parcels can hold in all.

    `gift` is a gift card, which the channel that sold it hands over by itself. `removed` is a line
    that the channel has taken out of its order: it has no units, but may be in a parcel. Of its
    units `cancelled` are told as cancelled by us, and the channel still counts them.
    """

    external_id: str
    units: int
    gift: bool = False
    removed: bool = False
    cancelled: int = 0


def concerns(kind: common.ReportKind, line: Line) -> bool:
    """Say whether the channel must hear of it: not of what it does, or has done, by itself."""
    return not (line.gift if kind == "dispatch" else line.removed)


def lines_at(known: Map[str, Line], order: common.Order) -> Map[str, Line]:
    """Return the lines that a report may name at this version: its own, and removed ones."""
    gone = {name: replace(line, units=0, removed=True, cancelled=0) for name, line in known.items()}
    now = {line.line_id: _line(known.get(line.line_id), line) for line in order.lines}
    return Map(gone | now)


def _line(before: Line | None, line: common.OrderLine) -> Line:
    ours = line.requires_shipping and line.fulfilled_by != THEIRS
    units = line.quantity + line.refunded_units if ours else 0
    cancelled = 0 if before is None else _still_cancelled(before, units)
    gift = line.kind == "gift_card"
    return Line(line.external_line_id, units, gift, cancelled=cancelled)


def _still_cancelled(before: Line, units: int) -> int:
    """Return the cancelled units that `units` still count: fewer of them first echo cancelled."""
    echoed = max(before.units - units, 0)
    return min(max(before.cancelled - echoed, 0), units)
