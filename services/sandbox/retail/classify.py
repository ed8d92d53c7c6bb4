"""What each row of the retail file is: a pure function that gives every row exactly one treatment.

It acts on nothing; the rules and their numbers are the table in the sandbox's README.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum

from services.sandbox.retail.rows import Row


class Treatment(StrEnum):
    """The table's rows 1 to 21 in order; the words before the colon are the group."""

    CREDIT_GOODS = "credit-note: goods"
    CREDIT_SHIPPING = "credit-note: shipping"
    CREDIT_DISCOUNT = "credit-note: discount"
    CREDIT_MANUAL = "credit-note: manual"
    CREDIT_SAMPLES = "credit-note: samples"
    CREDIT_CHARITY = "credit-note: charity commission"
    CHANNEL_FEE = "excluded: channel fee"
    BANK_CHARGE = "excluded: bank charge"
    JOURNAL = "excluded: journal"
    SHIPPING = "order: shipping charge"
    SHIPPING_ALONE = "excluded: goods not in the sample"
    NOT_AN_ITEM = "rejected: not an item"
    CUSTOM = "order: custom line"
    MANUAL_ALONE = "excluded: manual charge"
    GIFT_CARD = "order: gift card"
    WRITE_OFF = "stock: write-off"
    ZERO_PRICE = "order: zero price"
    FREE_ISSUE = "stock: free issue"
    FOUND = "stock: found"
    SUB_PENNY = "order: sub-penny price"
    GOODS = "order: goods"
    UNCLASSIFIED = "unclassified"

    @property
    def group(self) -> str:
        return self.value.partition(":")[0]


_GOODS_CODE = re.compile(r"\d{5}[A-Z]*|DCGS.*|PADS")
_GIFT_CODE = re.compile(r"GIFT_.*")
_SHIPPING_CODES = frozenset({"POST", "DOT", "C2"})
_CREDITS = {
    "POST": Treatment.CREDIT_SHIPPING,
    "D": Treatment.CREDIT_DISCOUNT,
    "M": Treatment.CREDIT_MANUAL,
    "S": Treatment.CREDIT_SAMPLES,
    "CRUK": Treatment.CREDIT_CHARITY,
}
_PENNY = Decimal("0.01")
_REASONS = (
    ("recode", re.compile(r"sold as set|wrong barcode")),
    ("damage", re.compile(r"damage|mouldy|\bwet\b|printing|unsaleable|thrown away")),
    ("loss", re.compile(r"\?|missing|lost")),
)


def is_goods(row: Row) -> bool:
    return _GOODS_CODE.fullmatch(row.sku) is not None


def classify(row: Row, invoice: Sequence[Row]) -> Treatment:
    """The treatment of a row among all rows of its invoice, itself included."""
    if row.sku == "AMAZONFEE":
        return Treatment.CHANNEL_FEE
    if row.sku == "BANK CHARGES":
        return Treatment.BANK_CHARGE
    if row.invoice.startswith("C"):
        return _credit(row)
    if row.invoice.startswith("A") or row.sku == "B":
        return Treatment.JOURNAL
    if not row.invoice.isdigit() or Decimal(row.price) < 0 or row.quantity == 0:
        return Treatment.UNCLASSIFIED
    if row.quantity < 0:
        return _negative(row)
    if is_goods(row):
        return _goods(row, invoice)
    return _charge(row, any(_is_order_goods(other, invoice) for other in invoice))


def _credit(row: Row) -> Treatment:
    if row.quantity >= 0 or Decimal(row.price) < 0:
        return Treatment.UNCLASSIFIED
    return (
        Treatment.CREDIT_GOODS if is_goods(row) else _CREDITS.get(row.sku, Treatment.UNCLASSIFIED)
    )


def _negative(row: Row) -> Treatment:
    written_off = is_goods(row) and not Decimal(row.price) and row.customer is None
    return Treatment.WRITE_OFF if written_off else Treatment.UNCLASSIFIED


def _goods(row: Row, invoice: Sequence[Row]) -> Treatment:
    price = Decimal(row.price)
    if price > 0:
        return Treatment.GOODS if price == price.quantize(_PENNY) else Treatment.SUB_PENNY
    if row.customer is not None or any(_is_priced(other) for other in invoice):
        return Treatment.ZERO_PRICE
    return Treatment.FREE_ISSUE if _is_product_name(row.description) else Treatment.FOUND


def _is_order_goods(row: Row, invoice: Sequence[Row]) -> bool:
    if not is_goods(row) or row.quantity <= 0:
        return False
    return _goods(row, invoice) in {Treatment.GOODS, Treatment.SUB_PENNY, Treatment.ZERO_PRICE}


def _is_priced(row: Row) -> bool:
    return row.quantity > 0 and Decimal(row.price) > 0


def _charge(row: Row, with_goods: bool) -> Treatment:
    if row.sku in _SHIPPING_CODES:
        if with_goods:
            return Treatment.SHIPPING
        return Treatment.SHIPPING_ALONE if Decimal(row.price) else Treatment.NOT_AN_ITEM
    if row.sku == "M":
        return Treatment.CUSTOM if with_goods else Treatment.MANUAL_ALONE
    return Treatment.GIFT_CARD if _GIFT_CODE.fullmatch(row.sku) else Treatment.UNCLASSIFIED


def _is_product_name(description: str) -> bool:
    # The file writes products in capitals and notes in small letters.
    word = re.search(r"[A-Za-z]{2,}", description)
    return word is not None and word.group().isupper()


def write_off_reason(note: str) -> str:
    """`recode`, `damage`, `loss` or, for a blank or any other note, `count` (row 16)."""
    return next((reason for reason, words in _REASONS if words.search(note.lower())), "count")
