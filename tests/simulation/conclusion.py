"""What must hold when everything has come to its end: checked against inputs, log and store."""

from collections import Counter
from itertools import chain
from typing import Any

from libs.bus.screening import Cursor, screen_marks
from libs.eventsourcing.projection import Key
from libs.replay.folding import Parsed, fold, touched
from libs.values.lanes import PARTITIONS
from services.orders import commands as orders
from services.orders.standing import LineRow, OrderRow
from services.sandbox.retail.content import State
from services.sandbox.shops.reported import shipped
from services.sandbox.shops.shopify_parts import line_id
from tests.simulation.privacy import nowhere
from tests.simulation.shops import Order
from tests.simulation.units import expect
from tests.simulation.wares import CARD, KIT, KITS, SKUS, parts_of
from tests.simulation.world import World


def conclude(world: World) -> None:
    """Check all promises that can be checked at the end only. Raises Broken."""
    _deliveries(world)
    _wishes(world)
    for name in world.durables:
        _log(world, name)
        _read_models(world, name)
    for order in world.buyers.orders:
        _order(world, order)
    _listings(world)
    _stock(world)
    if world.ledgers is not None:
        world.ledgers.rest(world.tables, world.durables)
    if world.privacy is not None:
        world.privacy.rest()
    if world.identities is not None:
        world.identities.rest()
    nowhere(world.buyers.orders, world.broker, world.durables)


def _deliveries(world: World) -> None:
    ended: Counter[tuple[str, str, str]] = Counter()
    for service, home in world.durables.items():
        for entry in home.store.inbox:
            name = (service, entry.delivery.account, entry.delivery.key)
            expect("P1", entry.state in {"done", "ignored"}, f"{name} is {entry.state}")
            ended[name] += entry.finished
    for name in sorted(world.callers.acknowledged):
        expect("P1", ended[name] == 1, f"{name} was acknowledged and effective {ended[name]} times")


def _wishes(world: World) -> None:
    for wish in world.clerks.wishes:
        expect("P1", wish.answer is not None, f"{wish.name} was never answered")
        facts = world.promises.units.facts[wish.name]
        if wish.service == "inventory" and not wish.stream.endswith(KIT):
            expect("P1", len(facts) == 1, f"{wish.name} took effect {len(facts)} times")
        if wish.adds is not None:
            expect("P1", facts == [wish.adds], f"{wish.name} moved {facts}, not {wish.adds}")


def _log(world: World, name: str) -> None:
    store = world.durables[name].store
    for lane in range(PARTITIONS):
        end = world.broker.end((f"{name}.events", lane))
        sent = world.promises.sent_up_to(name, lane)
        kept = len(store.lanes[lane])
        expect("P1", sent == kept, f"{name}/{lane}: {sent} of {kept} events are in the log")
        for reader, home in world.durables.items():
            for consumer, topic, partition in home.store.positions:
                if (topic, partition) == (f"{name}.events", lane):
                    at = home.store.positions[consumer, topic, partition].next_offset
                    expect("P1", at == end, f"{reader}: {consumer} stands at {at} of {end}")


def _read_models(world: World, name: str) -> None:
    """The live rows are those that the log gives when it is read from its beginning.

    Where each row is of one stream, lane by lane: then no row may be in two of them.
    """
    home = world.durables[name]
    parsed: dict[tuple[str, int], list[Any]] = {}
    for topic in sorted({t for p in home.service.projections for t in p.topics}):
        for lane in range(PARTITIONS):
            records = world.broker.partitions[f"{topic}.events", lane]
            parsed[topic, lane] = _told(
                Parsed(records, home.codec.decode_shared), f"{topic}/{lane}"
            )
    for projection in home.service.projections:
        lanes = [
            [one for topic in sorted(projection.topics) for one in parsed[topic, lane]]
            for lane in range(PARTITIONS)
        ]
        shares = lanes if projection.by_stream else [list(chain(*lanes))]
        fresh: dict[Key, Any] = {}
        for told in shares:
            rows = fold(projection, touched(projection, told), {})
            twice = sorted(rows.keys() & fresh.keys())
            expect("P5", not twice, f"{projection.name}: {twice} are of several lanes")
            fresh.update(rows)
        _same(projection, fresh, home.tables[projection.name])


def _told(run: Parsed, place: str) -> list[Any]:
    """Return each event of a partition once, in order, though the log may hold them out of it."""
    found: list[Any] = []
    cursor = Cursor(0, 0, "")
    while True:
        begin = cursor.next_offset
        screened = screen_marks(cursor, run.marks[begin:])
        found += run.envelopes(begin + n for n in screened.taken)
        cursor = screened.cursor
        if screened.problem != "filled":
            expect("P1", screened.problem is None, f"{place}: {screened.problem}")
            return found


def _same(projection: Any, fresh: dict[Key, Any], live: dict[Key, Any]) -> None:
    fresh = {key: row for key, row in fresh.items() if row is not None}
    expect("P1", fresh.keys() == live.keys(), f"{projection.name} has other rows than the log")
    columns = [
        name for name in projection.row.__struct_fields__ if name not in projection.undigested
    ]
    for key, row in fresh.items():
        for name in columns:
            ours, theirs = getattr(live[key], name), getattr(row, name)
            expect("P1", ours == theirs,
                   f"{projection.name} {key}: {name} is {ours}, by the log {theirs}")  # fmt: skip


def _order(world: World, order: Order) -> None:
    order_id = orders.order_id(order.account, order.external_id)
    row: OrderRow | None = world.tables["orders"]["orders"].get((order_id,))
    if all(state.status == "draft" for state in order.states):
        expect("P7", row is None, f"{order_id} is a draft and was placed")
        return
    expect("P7", row is not None, f"{order_id} was never placed")
    assert row is not None
    _standing(world, row)
    units = world.promises.units
    wanted = _wanted(world, order, row)
    for sku in SKUS:
        has = sum(units.has[order_id, sku].values())
        lacks = units.lacks[sku].get(order_id, 0)
        sent = units.shipped[order_id, sku]
        asked = wanted.get(sku, 0)
        expect("P2", has + lacks == asked, f"{order_id} wants {asked} {sku}: {has} and {lacks}")
        told = row.demands.get(sku)
        knows = (told.reserved, told.short) if told and told.units else (0, 0)
        fits = has <= knows[0] <= has + sent and knows[1] == lacks
        expect("P2", row.ended is not None or fits,
               f"{order_id} believes {knows} of {sku}, but has {has} and lacks {lacks}")  # fmt: skip


_ON_THEIR_WAY = {"confirmed", "in_fulfilment", "dispatched", "completed", "cancelled"}


def _standing(world: World, row: OrderRow) -> None:
    named = row.state in _ON_THEIR_WAY or bool(
        row.state in {"waiting", "held", "part_confirmed"}
        and row.reason and row.owner and row.next_action
    )  # fmt: skip
    expect("P7", named, f"{row.order_id} is {row.state}, {row.reason or 'for no reason'}")
    late = row.decide_by is not None and row.decide_by < world.loop.now
    if row.state in {"waiting", "part_confirmed"}:
        expect("P7", not late, f"{row.order_id} is beyond its deadline ({row.reason})")
    if row.state == "confirmed":
        lacking = [sku for sku, told in row.demands.items() if told.units and told.short]
        expect("P7", not lacking, f"{row.order_id} is confirmed and lacks {lacking}")


def _wanted(world: World, order: Order, row: OrderRow) -> dict[str, int]:
    """Return what the order should yet have of stock, from what its buyer did and nothing else.

    What has left is its line's, also where that wants fewer by now: it serves no other one.
    Where something of ours has cancelled units, what its row says of its lines is taken for it.
    """
    shown = world.shown(order)
    if row.ended is not None:
        excused = row.ended in _OURS or shown.status == "cancelled"
        expect("P1", excused, f"{row.order_id} is cancelled ({row.ended}), its shop says otherwise")
        return {}
    reopened = row.order_id in world.promises.reopened
    # What we told the shop before a late word opened the order again cannot be taken back there.
    alive = shown.status != "cancelled" or (reopened and order.now.status != "cancelled")
    expect("P1", alive, f"{row.order_id} is cancelled in its shop only")
    left_us = world.ledgers.parcels.sent if world.ledgers is not None else {}
    sent = {line.line_id: left_us.get((row.order_id, line.line_id), 0) for line in row.lines}
    wanted: Counter[str] = Counter()
    touched_by_us = reopened or any(line.cancelled or line.resent for line in row.lines)
    if touched_by_us:
        return _as_we_left_it(row, sent, _given_back(world, order, shown))
    shown_left, lines = _left(shown), [line for line in row.lines if line.quantity]
    expect("P1", len(shown_left) == len(lines), f"{row.order_id} has {len(lines)} lines")
    for (code, count), line in zip(shown_left, lines, strict=True):
        expect("P1", line.quantity == count, f"{row.order_id} has {line.quantity}, not {count}")
        if line.sku is not None:
            for sku, units in _parts(code, line).items():
                wanted[sku] += units * max(0, count - sent[line.line_id])
        elif code != CARD:
            expect("P7", row.state == "held", f"{row.order_id} has an unlinked line")
            _unlinked(world, row.order_id, line.line_id, code.strip().upper())
    return dict(wanted)


def _as_we_left_it(row: OrderRow, sent: dict[str, int], back: dict[str, int]) -> dict[str, int]:
    """Return what its lines should yet have; units sent and given back stand for none of these."""
    wanted: Counter[str] = Counter()
    for line in row.lines:
        gone = sent[line.line_id]
        left = max(0, line.quantity - line.cancelled) + line.resent
        left += min(gone, back.get(line.external_line_id, 0))
        for part in line.components:
            wanted[part.sku] += max(0, left - gone) * part.units
    return dict(wanted)


def _given_back(world: World, order: Order, shown: State) -> dict[str, int]:
    """Return the units of each line that a Shopify shop knows as sent, beyond those it still has."""
    content = shown.content
    if world.outside is None or content.account.provider != "shopify":
        return {}
    sent = shipped(world.outside.desks.reports(order))
    left = {line.id: shown.remaining(line) for line in content.lines}
    return {
        str(line_id(content, line)): max(0, sent[line] - units)
        for line, units in left.items()
        if units  # it tells nothing of a line of which it has none any more
    }


def _unlinked(world: World, order: str, line: str, code: str) -> None:
    """A line waits for a listing that a person has to link, not for one that the rule does."""
    shown = world.tables["channels"]
    waits = [one for one in shown["listings"].values() if line in one.waiting]
    expect("P7", waits, f"{order} waits for {code}, and nobody is asked to link it")
    known = (code,) in shown["items"] and not any(one.blocked for one in waits)
    expect("P7", not known, f"{order} waits for {code}, of which stock is kept")


def _parts(code: str, line: LineRow) -> dict[str, int]:
    """Return what one of a listing takes; of a kit, what it was made of at some time."""
    if code.strip().upper() != KIT:
        return parts_of(code)
    parts = {one.sku: one.units for one in line.components}
    expect("P2", parts in KITS, f"{KIT} was never made of {parts}")
    return parts


_OURS = {"out-of-stock", "payment-expired", "wish", ""}


def _left(now: State) -> list[tuple[str, int]]:
    """Return the listing's code and what is left, of each line that something is left of."""
    lines = [(line.code, now.remaining(line)) for line in now.content.lines]
    return [(code, count) for code, count in lines if count]


def _listings(world: World) -> None:
    """Nothing waits for a link that is there."""
    for key, listing in world.tables["channels"]["listings"].items():
        waits = listing.linked and listing.waiting
        expect("P7", not waits, f"{listing.waiting} wait for {key}, which is linked")


def _stock(world: World) -> None:
    """Units on hand are what was wished, and the read model says the same as the ledger."""
    units = world.promises.units
    for sku in SKUS:
        on_hand = sum(n for (name, _), n in units.on_hand.items() if name == sku)
        row = world.tables["inventory"]["stock"].get((sku,))
        shown = (row.on_hand, row.promised_without_stock) if row else (0, 0)
        expect("P2", shown == (on_hand, 0), f"{sku}: {on_hand} on hand, shown are {shown}")
