"""What a channel had sent before we heard of its order: it stays the channel's to hand over. Pure.

A shop tells of an old order whenever it changes. Of what is sent later we cannot tell here who sent
it: the shop says so of our own parcels, too.
"""

from collections.abc import Collection

from msgspec.structs import replace

from libs.contracts import common

THEIRS: common.FulfilledBy = "channel"


def with_theirs(order: common.Order, names: Collection[str]) -> common.Order:
    """Return the order with these lines handed over by the channel, where they were to be ours."""
    if not names:
        return order
    lines = tuple(
        replace(line, fulfilled_by=THEIRS)
        if line.line_id in names and line.fulfilled_by == "us"
        else line
        for line in order.lines
    )
    return replace(order, lines=lines)


def theirs_of(order: common.Order, known: Collection[str]) -> tuple[str, ...]:
    """Return the lines that the channel hands over, with those that are known, in their order."""
    found = {line.line_id for line in order.lines if line.fulfilled_by == THEIRS}
    return tuple(sorted(found.union(known)))
