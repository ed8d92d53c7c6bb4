"""Seeded buyers in three shops: what they order and change, and the webhooks that tell of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from msgspec.structs import replace

from services.sandbox.retail.cases import priced
from services.sandbox.retail.content import Account, Content, State, Status
from services.sandbox.retail.mischief import Delivery
from services.sandbox.retail.people import address, person
from services.sandbox.shops.render import Wire, external_id, signed, wire
from services.sandbox.shops.reported import Report, told
from services.sandbox.shops.signing import Shop
from tests.simulation.wares import basket, redeemed, thrown_away, with_gift

SECOND = 1_000_000
MINUTE = 60 * SECOND
ACCOUNTS = (
    Account("shop", "shopify"), Account("woo", "woocommerce"), Account("store", "standard")
)  # fmt: skip
OWN = ACCOUNTS[-1]
SHOPS = {
    "shop": Shop("shop", "shopify", "shopify-secret"),
    "woo": Shop("woo", "woocommerce", "woo-secret"),
    "store": Shop("store", "standard", "whsec_c3RvcmUtc2VjcmV0LW9mLWEtdGVzdA=="),
}
_CREATED = {"shopify": "orders/create", "woocommerce": "order.created", "standard": "order.created"}
DELETED = "order.deleted"
_BINS = {"binned": DELETED, "restored": "order.restored"}  # WooCommerce's words
_UPDATED = {
    "shopify": "orders/updated", "woocommerce": "order.updated", "standard": "order.updated"
}  # fmt: skip


@dataclass(eq=False)
class Order:
    """An order as its shop holds it: all its states, and what the buyer will do yet.

    `redeemed` are the pence that a gift card carries; who is slow changes only what seems settled.
    """

    states: list[State]
    ahead: list[str]
    redeemed: int = 0
    slow: bool = False
    binned: Status | None = None  # what it was before somebody threw it away

    @property
    def now(self) -> State:
        return self.states[-1]

    @property
    def account(self) -> str:
        return self.now.content.account.name

    @property
    def external_id(self) -> str:
        return external_id(self.now.content)


@dataclass(eq=False)
class Webhook:
    """A delivery that a shop repeats until it is acknowledged, and sometimes after that."""

    order: Order
    topic: str
    version: int
    key: str
    sent: int = 0
    acknowledged: bool = False
    reports: tuple[Report, ...] = ()  # what the seller had told the shop when it was written
    service: str = "channels"

    def wire(self, now: int, reports: Sequence[Report] = ()) -> Wire:
        """Return what is sent now; WooCommerce tells the order as it is at the delivery."""
        states = self.order.states
        if self.order.now.content.account.provider == "woocommerce":
            state, before = states[-1], None
        else:
            state = states[self.version - 1]
            before = states[self.version - 2] if self.version > 1 else None
            reports = self.reports
        delivery = Delivery(0, self.order.account, state.content.number, self.topic, 0, self.key,
                            self.key, ())  # fmt: skip
        sent = wire(SHOPS[self.order.account], delivery, state, before, now, reports)
        pence = self.order.redeemed
        if pence:
            body = with_gift(sent.body, pence, state.content.total - pence)
            return _signed(sent, delivery, body, now)
        if self.topic == DELETED or self.order.binned:
            return _signed(sent, delivery, thrown_away(sent.body, self.topic), now)
        return sent


def _signed(sent: Wire, delivery: Delivery, body: bytes, now: int) -> Wire:
    """Let a message say something else; it is signed as it is sent."""
    headers = signed(SHOPS[delivery.account], delivery, body, now)
    return replace(sent, body=body, headers=headers)


@dataclass(eq=False)
class Notice:
    """What a provider tells one of our services, repeated like a shop's delivery."""

    service: str
    provider: str
    account: str
    key: str
    topic: str
    body: bytes
    sent: int = 0
    acknowledged: bool = False


@dataclass
class Buyers:
    """All orders of a run; `coming` are those that nobody has placed yet."""

    rng: Random
    skus: tuple[str, ...]
    coming: int
    whole: bool = False  # the own store leaves the payment to us
    orders: list[Order] = field(default_factory=list)
    webhooks: list[Webhook | Notice] = field(default_factory=list)
    reports: Callable[[Order], Sequence[Report]] = lambda _: ()

    def act(self, now: int, *, late: bool = False) -> str | None:
        """Let a buyer do the next thing; None where nothing is left to be done."""
        open_ = [one for one in self.orders if one.ahead and (late or not one.slow)]
        open_ = [one for one in open_ if self._alive(one)]
        if self.coming and (not open_ or self.rng.random() < 0.6):
            self.coming -= 1
            order = self._placed(now)
            self.orders.append(order)
            self._tell(order, _CREATED[order.now.content.account.provider])
            return f"{order.account}:{order.external_id} is placed: {_text(order.now)}"
        if not open_:
            return None
        order = self.rng.choice(open_)
        what = order.ahead.pop(0)
        at = max(now // SECOND * SECOND, order.now.updated_at + SECOND)
        shown = told(order.now, self.reports(order))  # what the seller took out is no line any more
        if what in _BINS:
            order.states.append(_binned(order, at))
        else:
            order.states.append(self._changed(order.now, what, at, shown))
        self._tell(order, _BINS.get(what) or _UPDATED[order.now.content.account.provider])
        return f"{order.account}:{order.external_id} is {what}: {_text(order.now)}"

    def _alive(self, order: Order) -> bool:
        """Say whether anything can be done with it; what was thrown away is so for some time."""
        if order.ahead[0] != "restored":
            return told(order.now, self.reports(order)).status != "cancelled"
        gone = (one for one in self.webhooks if isinstance(one, Webhook) and one.topic == DELETED)
        return all(one.acknowledged for one in gone if one.order is order)

    def _placed(self, now: int) -> Order:
        rng, number = self.rng, str(1000 + len(self.orders))
        account = rng.choice((*ACCOUNTS, OWN) if self.whole else ACCOUNTS)
        at = now // SECOND * SECOND
        customer = rng.choice((None, "11", "11", "11", "12"))
        lines = basket(rng, self.skus)
        content = Content(number, account, at, person(customer, number),
                          address(customer, number, "United Kingdom"), lines, ())  # fmt: skip
        ahead = rng.choice(_LIVES)
        drafts = account.provider != "shopify" and rng.random() < 0.08
        status: Status = "draft" if drafts else "pending" if ahead[:1] == ("paid",) else "open"
        if ahead == ("abandoned",):
            status, ahead = "pending", ()
        elif drafts:
            ahead = ("paid", *ahead)
        state = State(content, 1, at, status, paid=status == "open")
        if self.whole and account.provider == "standard":
            state = replace(state, paid=False, content=replace(content, means=rng.choice(_MEANS)))
        if account.provider == "woocommerce" and rng.random() < 0.15:
            ahead = (*ahead, "binned", *rng.choice(((), ("restored",), ("restored", "binned"))))
        slow = self.whole and ahead[:1] != ("paid",) and rng.random() < 0.4
        own = self.whole and account is OWN
        return Order([state], list(ahead), redeemed(rng, content) if own else 0, slow)

    def _changed(self, state: State, what: str, at: int, shown: State) -> State:
        state = replace(state, version=state.version + 1, updated_at=at)
        content = state.content
        left = [line for line in content.lines if shown.remaining(line)]
        match what:
            case "paid":
                return replace(state, status="open", paid=True)
            case "edited" | "lessened" if left:
                line = self.rng.choice(left)
                most = 5 if what == "edited" else max(1, line.quantity - 1)
                edited = priced(line, self.rng.randint(1, most))
                lines = tuple(edited if one is line else one for one in content.lines)
                return replace(state, content=replace(content, lines=lines))
            case "line-cancelled" if len(left) > 1:
                line = self.rng.choice(left)
                return replace(state, cancelled=state.cancelled | {line.id: line.quantity})
            case "moved":
                place = address(f"{content.number}-{state.version}", "", "United Kingdom")
                return replace(state, content=replace(content, address=place))
            case "called elsewhere":
                other = replace(content.person, phone=f"+442079460{100 + state.version}")
                return replace(state, content=replace(content, person=other))
            case "cancelled":
                gone = {line.id: line.quantity for line in content.lines}
                return replace(state, status="cancelled", cancelled=gone)
        return state

    def _tell(self, order: Order, topic: str) -> None:
        version = order.now.version
        for copy in range(2 if self.rng.random() < 0.2 else 1):
            name = f"{order.account}-{order.external_id}-{version}-{copy}"
            reports = tuple(self.reports(order))
            self.webhooks.append(Webhook(order, topic, version, name, reports=reports))


def _binned(order: Order, at: int) -> State:
    """Throw an order away, or take it out of the bin as it was."""
    status: Status = order.binned or "cancelled"
    order.binned = None if order.binned else order.now.status
    return replace(order.now, version=order.now.version + 1, updated_at=at, status=status)


_LIVES: tuple[tuple[str, ...], ...] = (
    (), (), (), ("edited",), ("edited", "edited"), ("cancelled",), ("edited", "cancelled"),
    ("line-cancelled",), ("lessened",), ("paid", "lessened"), ("paid",), ("paid",), ("paid", "edited"), ("paid", "cancelled"),
    ("abandoned",), ("moved",), ("moved",), ("paid", "moved"), ("moved", "edited"),
    ("called elsewhere",), ("called elsewhere",),
)  # fmt: skip


_MEANS = (
    *["pm_card_visa"] * 4, *["cus_1/pm_card_visa"] * 3, "pm_card_chargeDeclined", "pm_card_authenticationRequired", None,
)  # fmt: skip


def _text(state: State) -> str:
    lines = ", ".join(f"{state.remaining(x)} {x.code.strip()}" for x in state.content.lines)
    return f"{state.status}, {lines}"
