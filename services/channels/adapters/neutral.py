"""What an adapter understood, in words that no provider owns; personal fields stand apart."""

from collections.abc import Iterable, Mapping
from typing import Literal, NoReturn

import msgspec

from libs.contracts import common
from libs.values.ids import short

Fields = dict[str, str]
Taken = tuple[int | None, int | None]  # received of the buyer, given back; None: it does not say


class Terms(msgspec.Struct, frozen=True):
    """What the configuration says of an account, as far as reading an order needs it."""

    account: str
    entity: str
    time_zone: str
    shortage: common.ShortagePolicy
    priority: int
    custody: common.Custody


class Person:
    """The personal fields of an order by clearance; no text and no encoder shows them.

    `customer` is the channel's own id of the buyer, None for a guest; `verified` says that the
    channel has made sure that the e-mail is the buyer's.
    """

    __slots__ = ("contact", "customer", "statutory", "verified")

    def __init__(
        self, customer: str | None, contact: Fields, statutory: Fields, *, verified: bool = False
    ) -> None:
        self.customer, self.contact, self.statutory = customer, contact, statutory
        self.verified = verified

    def __repr__(self) -> str:
        return "Person(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("personal fields are sealed, not written")


class Whole(msgspec.Struct, frozen=True):
    """An order, whole; its customer is not sealed yet and its lines are not linked yet.

    `restored` says that its channel has taken its deletion back; `sent` are our ids of the lines of
    goods of which all that is wanted has been sent, by whomever.
    """

    order: common.Order
    person: Person
    by: common.Party = "unknown"
    reason: str = ""
    reason_word: str = ""
    restored: bool = False
    sent: tuple[str, ...] = ()


class Draft(msgspec.Struct, frozen=True):
    """An order that is counted and goes no further."""

    external_id: str
    reason: Literal["draft", "test"]
    status_word: str
    version: common.Version
    occurred_at: int


class Deleted(msgspec.Struct, frozen=True):
    """An order that its channel has thrown away; it says neither why nor when."""

    external_id: str


class Nothing(msgspec.Struct, frozen=True):
    """A delivery that means nothing for us, for a named reason."""

    reason: str


Understood = Whole | Draft | Deleted | Nothing


def goods_sent(lines: Iterable[common.OrderLine], units: Mapping[str, int]) -> tuple[str, ...]:
    """Return our ids of the lines of goods of which so many units, by the channel's id, are all."""
    return tuple(
        line.line_id
        for line in lines
        if line.kind == "goods"
        and units.get(line.external_line_id, 0) >= line.quantity + line.refunded_units
    )


def line_id(terms: Terms, external_id: str, external_line_id: str) -> str:
    """Return our stable id of a line."""
    return "ln_" + short(terms.account, external_id, external_line_id)


def customer(
    *, country: str, region: str | None, guest: bool, business: bool,
    purchase_order: str | None = None, payment_terms: str | None = None,
) -> common.Customer:  # fmt: skip
    """Return a customer without its sealed fields."""
    return common.Customer(
        subject="", guest=guest, contact=None, statutory=None, ship_to_country=country,
        ship_to_region=region, business=business, purchase_order_number=purchase_order,
        payment_terms=payment_terms,
    )  # fmt: skip


def filled(**fields: str | None) -> Fields:
    """Return the fields that hold something."""
    return {name: value for name, value in fields.items() if value}
