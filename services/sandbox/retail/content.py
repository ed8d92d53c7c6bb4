"""What an order of a sandbox shop says, before any provider's shape; only data and its sums."""

from typing import Literal

from msgspec import Struct

Provider = Literal["shopify", "woocommerce", "standard"]
Status = Literal["draft", "pending", "open", "cancelled"]
Kind = Literal["goods", "custom", "gift-card"]

CURRENCY = "GBP"


class Account(Struct, frozen=True):
    """A shop: the name that its webhooks are addressed to, and whose shapes it speaks."""

    name: str
    provider: Provider


class Person(Struct, frozen=True):
    """Synthetic. `id` is the file's customer number; a guest has neither id nor e-mail."""

    id: str | None
    email: str | None
    first: str
    last: str
    phone: str

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"


class Address(Struct, frozen=True):
    """Synthetic but for the country; an unknown country is None twice."""

    street: str
    city: str
    postcode: str
    country: str | None
    country_code: str | None


class Line(Struct, frozen=True):
    """`listing` names the shop's listing, `code` its SKU as the shop spells it.

    `sku` is our SKU behind it (None: takes no stock), `row` the file's line (None: synthetic).
    `net` and `tax` are pence for the whole quantity, `price` and `rate` decimal strings.
    """

    id: int
    listing: str
    code: str
    sku: str | None
    title: str
    kind: Kind
    quantity: int
    price: str
    net: int
    tax: int
    rate: str
    row: int | None


class Charge(Struct, frozen=True):
    """A shipping charge; `net` and `tax` in pence."""

    id: int
    code: str
    title: str
    net: int
    tax: int
    rate: str
    row: int | None


class Content(Struct, frozen=True):
    """An order. `shift` is by how many pence the shop's total disagrees with its parts.

    `means` is the buyer's means of payment where not the shop but we take the money.
    """

    number: str
    account: Account
    placed_at: int
    person: Person
    address: Address
    lines: tuple[Line, ...]
    charges: tuple[Charge, ...]
    case: str | None = None
    shift: int = 0
    means: str | None = None

    @property
    def net(self) -> int:
        return sum(line.net for line in self.lines) + sum(charge.net for charge in self.charges)

    @property
    def tax(self) -> int:
        return sum(line.tax for line in self.lines) + sum(charge.tax for charge in self.charges)

    @property
    def total(self) -> int:
        """What the shop says the buyer pays, in pence."""
        return self.net + self.tax + self.shift


class Cut(Struct, frozen=True):
    """An edit that made an order cheaper: the units that it took out by line id, and by how much.

    `owed` is what of it had been paid (pence), `back_at` when the shop gave that back (None: not
    yet).
    """

    at: int
    units: dict[int, int]
    owed: int = 0
    back_at: int | None = None


class State(Struct, frozen=True):
    """An order as its shop holds it from `updated_at` on; `cancelled` is quantity by line id.

    `content` is what the last edit left: a line that was taken out has the quantity 0.
    """

    content: Content
    version: int
    updated_at: int
    status: Status
    paid: bool
    cancelled: dict[int, int] = {}
    cut: Cut | None = None

    def remaining(self, line: Line) -> int:
        return line.quantity - self.cancelled.get(line.id, 0)
