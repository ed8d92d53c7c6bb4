"""What an order's decisions need to know of it, and what they ask of that. Changes nothing."""

import msgspec
from immutables import Map

from libs.contracts import common
from services.orders.progress import (
    Bill,
    Concern,
    Parcel,
    Payment,
    Requested,
    Stop,
)

SECURED = frozenset({"authorised", "paid", "on_account"})  # money that makes an order committed
SHORTAGE = frozenset({"out-of-stock", "decision-overdue"})  # reasons to wait that a person decides

BEFORE = SHORTAGE | {"payment", "status-unknown"}  # reasons to wait before the confirmation

REFUNDED = "refunded-not-sent"  # the hold of what the buyer has the money back for
AUTOMATIC = frozenset({"totals-disagree", "tax-country-unknown", "unlinked-listing", REFUNDED})


class Line(msgspec.Struct, frozen=True, array_like=True):
    """A line and its ledger: the newest version's quantity, and units of it that are cancelled.

    `amounts` and `details` are texts to tell versions apart; `value` is what the buyer pays for
    the line, minor units; `components` are per ordered unit. `ours`: we hand it over. `resent` are
    units to be sent once more, `refunded` those that the buyer gets money for instead;
    `taken_back` are units that were sent and refunded by the channel: `quantity` has them no more.
    """

    external_line_id: str
    quantity: int
    sku: str | None
    components: tuple[common.Component, ...]
    goods: bool
    shipping: bool
    value: int
    amounts: str
    details: str
    cancelled: int = 0
    backordered: int = 0
    kind: common.LineKind = "unknown"
    ours: bool = True
    needs_parcel: bool = True
    resent: int = 0
    refunded: int = 0
    units_per_listing: int = 1
    taken_back: int = 0

    @property
    def remaining(self) -> int:
        """Units that are still wanted."""
        return max(self.quantity - self.cancelled, 0)


class Need(msgspec.Struct, frozen=True, array_like=True):
    """Units of a SKU that were asked for last, and the last answer that counts.

    `answered` is the revision of the answer, `seen` the version of the SKU's stream at it.
    """

    units: int
    answered: int = 0
    reserved: int = 0
    short: int = 0
    seen: int = 0


class Hold(msgspec.Struct, frozen=True, array_like=True):
    """A hold that is in force."""

    reason: str
    lines: tuple[str, ...] = ()
    blocks: str = "both"


class Wait(msgspec.Struct, frozen=True, array_like=True):
    """What an order waits for, until when, and the money at risk, minor units."""

    reason: str
    decide_by: int | None
    value: int = 0


class Ended(msgspec.Struct, frozen=True, array_like=True):
    """How an order came to be cancelled as a whole, and the units that this took."""

    reason: str
    cause: str
    lines: Map[str, int]


class Link(msgspec.Struct, frozen=True, array_like=True):
    """What a line sells, learned before the line itself was."""

    sku: str
    units_per_listing: int
    components: tuple[common.Component, ...]


class OrderState(msgspec.Struct, frozen=True):
    """An order from its first version to its end.

    `revision` is that of the last event that has one, `asked` that of the last StockRequired, to
    which answers must refer; `asked_class` and `asked_until` are what it said. `engaged` are units
    that fulfilment may have in parcels, whether we know the parcels or not; `asked_back` is the
    last request by which it was to have fewer, 0 once it has answered. `stops` are requests
    to cancel units that it may have; `late` units that were told to be beyond a change, and
    `late_accepted` those that a person let be, as `twice_accepted` of those that arrived although
    they were refunded or sent once more; `concerns` the queues it stands in. `received` and
    `refunded` are what the channel says that it took in all and gave back, where it says so.
    """

    order_id: str = ""
    entity: str = ""
    account: str = ""
    external_id: str = ""
    currency: str = ""
    placed_at: int = 0
    version: tuple[int, int] = (-1, 0)
    funds_version: tuple[int, int] = (-1, 0)
    cancel_version: tuple[int, int] = (-1, 0)
    commitment: common.Commitment = "unknown"
    funds: common.Funds = "unknown"
    shortage: common.ShortagePolicy = "unknown"
    priority: int = 0
    country: str = ""
    total: int = 0
    rounding: int = 0
    expires_at: int | None = None
    lines: Map[str, Line] = Map()
    links: Map[str, Link] = Map()
    revision: int = 0
    asked: int = 0
    asked_class: common.ReservationClass = "unknown"
    asked_until: int | None = None
    needs: Map[str, Need] = Map()
    holds: Map[str, Hold] = Map()
    waived: tuple[str, ...] = ()
    wait: Wait | None = None
    decide_by: int = 0
    confirmed: Map[str, int] | None = None
    confirmed_for: int = 0
    once_confirmed: bool = False
    ended: Ended | None = None
    requests: tuple[str, ...] = ()
    provider: str = ""
    custody: common.Custody = "unknown"
    tenders: tuple[common.Tender, ...] = ()
    customer: common.Customer | None = None
    ship_by: int | None = None
    deliver_by: int | None = None
    service_level: str | None = None
    bill: Bill | None = None
    payment: Payment = Payment()
    requested: Requested | None = None
    engaged: Map[str, int] = Map()
    asked_back: int = 0
    parcels: Map[str, Parcel] = Map()
    stops: Map[str, Stop] = Map()
    late: Map[str, int] = Map()
    late_accepted: Map[str, int] = Map()
    concerns: Map[str, Concern] = Map()
    completed: bool = False
    received: int | None = None
    refunded: int | None = None
    twice_accepted: Map[str, int] = Map()

    @property
    def placed(self) -> bool:
        """Whether a version of the order is known."""
        return self.revision > 0

    @property
    def committed(self) -> bool:
        """Whether the buyer has bought: the channel says so, or the money is there."""
        return self.commitment == "committed" or self.funds in SECURED

    @property
    def pending(self) -> bool:
        """Whether an answer to the last question to inventory is still missing."""
        return any(need.units and need.answered < self.asked for need in self.needs.values())


def reference(state: OrderState) -> common.OrderReference:
    """Return the order by our id and by its channel's."""
    return common.OrderReference(
        order_id=state.order_id, account=state.account, provider=state.provider,
        external_id=state.external_id,
    )  # fmt: skip
