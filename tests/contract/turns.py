"""Turns on what a store holds now."""

from libs.eventsourcing.decided import Turn
from libs.eventsourcing.inputs import Head, Input
from libs.eventsourcing.turn import take_turn
from libs.store.folding import Heads
from libs.store.store import Store
from tests.contract import toy
from tests.contract.toy import NOON

MIND = toy.mind()


async def turn_of(store: Store, *inputs: Input, heads: dict[str, Head] | None = None) -> Turn:
    """Decide on what the store holds now, and commit nothing."""
    loaded = heads or await Heads(MIND, store).load(s for i in inputs for s in i.streams())
    return take_turn(MIND, inputs, loaded, NOON)


async def done(store: Store, *inputs: Input) -> Turn:
    turn = await turn_of(store, *inputs)
    await store.commit(turn)
    return turn
