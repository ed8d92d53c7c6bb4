"""Four services in a random market: what an order is promised is there, and nothing is withheld."""

import random
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from libs.contracts import common, orders
from services.fulfilment import shipment_commands as fulfilment
from services.fulfilment.process import Places
from services.inventory.commands import AdjustStock, ReceiveStock
from services.inventory.stock import Reservation, Stock
from services.orders import commands
from services.orders.state import OrderState
from services.orders.units import by_sku, shipped
from tests.examples import examples
from tests.property.orders.market import Market
from tests.unit.orders.samples import HOUR, NOW, line, order

SEEDED = (Phase.explicit, Phase.reuse, Phase.generate)  # a smaller seed is no simpler story
NAMES = ("e1", "e2", "e3")


def stream_of(name: str) -> str:
    return commands.order_stream(commands.order_id("shop", name))


class Shop:
    """A market whose orders share parts between lines, and somebody who looks at every step."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = random.Random(seed)
        self.market = Market(rng, Places({name: policy(rng) for name in "ew"}, {}, "e"))
        self.terms = {n: rng.choice(["backorder", "split", "cancel"]) for n in NAMES}
        self.versions: dict[str, int] = defaultdict(int)
        self.numbers = iter(range(1000))

    def version(self, name: str) -> None:
        rng = self.rng
        self.versions[name] += 1
        rows = [line("b", rng.randint(1, 3), ("MUG", 1))]
        if rng.random() < 0.8:
            rows.append(line("a", rng.randint(1, 3), ("MUG", 1), ("CUP", 1)))
        told = order(
            *rows, version=self.versions[name], external_id=name, shortage=self.terms[name],
            funds="paid" if self.versions[name] > 1 else rng.choice(["pending", "paid"]),
            commitment="tentative", expires_at=NOW + 4 * HOUR,
        )  # fmt: skip
        self.market.tell(stream_of(name), commands.RecordVersion(told, NOW, NOW))

    def stock(self) -> None:
        rng, document = self.rng, str(next(self.numbers))
        sku, place = rng.choice(["MUG", "CUP"]), rng.choice("ew")
        units = rng.choice([-2, -1, 1, 2, 5, 9])
        told: ReceiveStock | AdjustStock
        if units > 0:
            told = ReceiveStock("main", sku, place, True, units, None, None, document, "x", NOW)
        else:
            told = AdjustStock("main", sku, place, True, units, "lost", document, "", "x", NOW)
        self.market.tell(f"stock-{sku}", told)

    def act(self) -> None:
        """Let somebody do one thing, and all that follows from it happen, looking on."""
        rng, market = self.rng, self.market
        name = rng.choice(NAMES)
        stream = stream_of(name)
        match rng.randrange(7) if stream in market.states else 0:
            case 0:
                self.version(name)
            case 1 | 2:
                self.stock()
            case 3:
                some = (common.LineQuantity(line_id=rng.choice("ab"), quantity=1),)
                request = f"c{next(self.numbers)}"
                market.ask(stream, commands.RequestCancellation(request, some, "buyer", "", NOW))
            case 4:
                decision: Any = rng.choice(["retry", "backorder", "cancel"])
                market.ask(stream, commands.DecideShortage(decision, "", "seller", NOW))
            case 5 if market.effects:
                market.carry()
            case _ if market.shipments():
                market.work(rng.choice(sorted(market.shipments())), stopped=rng.random() < 0.6)
            case _:
                pass
        self.settle()

    def settle(self) -> None:
        """Let facts arrive; an order is cancelled for want of units only where none is free."""
        market = self.market
        seen = len(market.log)
        before = dict(market.states)
        while market.step():
            for told in market.log[seen:]:
                match told.event:
                    case orders.OrderLinesCancelled(reason="out-of-stock", cause="policy"):
                        lacking = lacks(before[told.stream], market.states[told.stream])
                        free = {sku: self.stock_of(sku, before).free() for sku in lacking}
                        assert lacking, "the order lacks nothing"
                        assert not any(free.values()), (lacking, free)
                    case _:
                        pass
            for state in market.orders().values():
                assert_none_below_zero(state)
            seen, before = len(market.log), dict(market.states)

    def stock_of(self, sku: str, states: Mapping[str, object]) -> Stock:
        found = states.get(f"stock-{sku}", Stock())
        assert isinstance(found, Stock)
        return found

    def check(self) -> None:
        """What is confirmed and has not left is reserved for the order."""
        for state in self.market.orders().values():
            gone = shipped(state)
            due = {n: u - gone.get(n, 0) for n, u in (state.confirmed or {}).items()}
            for sku, units in by_sku(state, {n: max(0, u) for n, u in due.items()}).items():
                entry = self.stock_of(sku, self.market.states).reservations.get(state.order_id)
                has = entry.reserved if isinstance(entry, Reservation) else 0
                assert units <= has, (state.order_id, sku, state.confirmed, gone)


def policy(rng: random.Random) -> fulfilment.Policy:
    ways = ["automatic", "by-hand"]
    return fulfilment.Policy(
        carrier=rng.choice(["self", "post"]), packing=rng.choice(ways), hand_over=rng.choice(ways)
    )


def lacks(before: OrderState, after: OrderState) -> set[str]:
    """Return the SKUs that an order needed before its cancellation and was told it lacks."""
    return {n for n, need in after.needs.items() if need.short and before.needs[n].units}


def assert_none_below_zero(state: OrderState) -> None:
    requested = state.requested.lines if state.requested is not None else {}
    for units in (*(state.confirmed or {}).values(), *requested.values()):
        assert units >= 0, (state.confirmed, requested)


@settings(deadline=None, max_examples=examples(200), phases=SEEDED)
@example(22)
@given(st.integers(0, 2**48))
def test_what_is_promised_is_there_and_what_is_there_is_not_refused(seed: int) -> None:
    shop = Shop(seed)
    for _ in range(shop.rng.randint(5, 30)):
        shop.act()
        shop.check()
