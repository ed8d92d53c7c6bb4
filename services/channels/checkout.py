"""A checkout of our own store, read as the order that its webhook would tell. Pure."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from libs.security.cardnumbers import masked
from libs.values.money import to_text
from services.channels.adapters import standard
from services.channels.adapters.amounts import product
from services.channels.adapters.neutral import Terms, Whole
from services.channels.adapters.parsing import ChannelDataError, decimal, money

Amount = Annotated[str, Field(pattern=r"^-?[0-9]{1,12}(\.[0-9]{1,6})?$")]
Text = Annotated[str, Field(max_length=200)]
FreeText = Annotated[Text, AfterValidator(masked)]  # a person wrote it: never a card number


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class CheckoutLine(_Body):
    """What the buyer takes, by listing or by SKU; `tax` is for the whole quantity, on top."""

    listing_id: Text | None = None
    sku: Text | None = None
    title: FreeText = ""
    quantity: int = Field(ge=1, le=10**9, strict=True)
    unit_price: Amount
    tax: Amount = "0"
    tax_rate: Amount = "0"


class CheckoutCustomer(_Body):
    """The buyer; an id is the store's own, without one the buyer is a guest of this order."""

    id: Text | None = None
    email: Text | None = Field(default=None, repr=False)
    name: Text | None = Field(default=None, repr=False)
    phone: Text | None = Field(default=None, repr=False)
    tax_id: Text | None = Field(default=None, repr=False)


class CheckoutAddress(_Body):
    """Where to; the country is ISO 3166-1 alpha-2."""

    name: Text | None = Field(default=None, repr=False)
    company: Text | None = Field(default=None, repr=False)
    line1: Text | None = Field(default=None, repr=False)
    line2: Text | None = Field(default=None, repr=False)
    city: Text | None = Field(default=None, repr=False)
    postcode: Text | None = Field(default=None, repr=False)
    region: Text | None = Field(default=None, repr=False)
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")] | None = None
    phone: Text | None = Field(default=None, repr=False)


class Checkout(_Body):
    """A cart that the buyer is about to pay; its units are held for the account's hold time."""

    lines: list[CheckoutLine] = Field(min_length=1, max_length=500)
    customer: CheckoutCustomer = CheckoutCustomer()
    shipping_address: CheckoutAddress | None = None
    billing_address: CheckoutAddress | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    total: Amount


class CheckoutAnswer(BaseModel):
    """The order that holds the units; `token` is for `?after=`."""

    order_id: str
    external_id: str
    token: str


def order_of(checkout: Checkout, external_id: str, placed_at: str, terms: Terms) -> Whole:
    """Read a checkout as a tentative order. Raises ChannelDataError."""
    lines = [_line(number, line, checkout) for number, line in enumerate(checkout.lines, 1)]
    data: dict[str, Any] = {
        "external_id": external_id,
        "display_number": external_id,
        "placed_at": placed_at,
        "currency": checkout.currency,
        "status": "pending",
        "funds": "none",
        "customer": checkout.customer.model_dump(),
        "shipping_address": _dumped(checkout.shipping_address),
        "billing_address": _dumped(checkout.billing_address or checkout.shipping_address),
        "lines": lines,
        "totals": {
            "net": _sum(lines, "net", checkout.currency),
            "tax": _sum(lines, "tax", checkout.currency),
            "total": checkout.total,
        },
    }
    whole = standard.whole(data, terms)
    if abs(whole.order.totals.rounding) > len(lines):
        raise ChannelDataError("totals-disagree", "total")
    return whole


def _line(number: int, line: CheckoutLine, checkout: Checkout) -> dict[str, Any]:
    if not (line.listing_id or line.sku):
        raise ChannelDataError("missing-listing", f"lines.{number}")
    price = decimal(line.unit_price, "unit_price")
    net = product(price, line.quantity, checkout.currency)
    return line.model_dump() | {
        "id": f"line_{number}",
        "net": to_text(net, checkout.currency),
        "kind": "goods",
    }


def _sum(lines: list[dict[str, Any]], name: str, currency: str) -> str:
    return to_text(sum(money(line[name], currency, name) for line in lines), currency)


def _dumped(address: CheckoutAddress | None) -> dict[str, Any] | None:
    return None if address is None else address.model_dump()
