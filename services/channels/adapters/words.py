"""Providers' words for means of payment and references of businesses, as ours. Pure."""

import re
from collections.abc import Mapping

from libs.contracts import common
from libs.security.accountnumbers import holds_iban
from libs.security.cardnumbers import holds_card_number

_REFERENCE = re.compile(r"(?=.*[0-9])[A-Za-z0-9][A-Za-z0-9 ./#_-]{0,39}")
_LETTERS = re.compile(r"[A-Za-z]+")
_CODE = 3  # letters beside digits that are a code ("inv-33"); more, not all large, may be a name
_NUMBER = re.compile(r"[0-9]+(?:[ ./#_-]+[0-9]+)*")
_YEAR = re.compile(r"(?:19|20)[0-9]{2}(?![0-9])")
_TRUNK = re.compile(r"00?[1-9]")  # what a phone number begins with, to another town or country
_PHONE = 9  # digits of the shortest phone number that is written with its town's
_BUSINESS = frozenset({
    "advance", "after", "contract", "date", "day", "days", "delivery", "due", "eom", "from", "in",
    "invoice", "net", "no", "number", "of", "order", "p", "o", "po", "project", "purchase", "quote",
    "ref", "reference", "within",
})  # fmt: skip
_REASONS = frozenset({
    "address", "buyer", "channel", "customer", "declined", "duplicate", "fraud", "inventory",
    "other", "out-of-stock", "payment-expired", "price", "seller", "staff",
})  # fmt: skip
_SHOPIFY: Mapping[str, common.TenderKind] = {
    "shopify_payments": "card", "stripe": "card", "authorize_net": "card", "adyen": "card",
    "gift_card": "gift_card", "shopify_store_credit": "store_credit",
    "cash on delivery (cod)": "cash_on_delivery", "bank deposit": "bank_transfer",
    "money order": "other", "manual": "other", "paypal": "wallet", "amazon_payments": "wallet",
    "shopify_installments": "other",
}  # fmt: skip
_WOO: Mapping[str, common.TenderKind] = {
    "stripe": "card", "stripe_cc": "card", "woocommerce_payments": "card", "square": "card",
    "bacs": "bank_transfer", "cheque": "other", "cod": "cash_on_delivery", "paypal": "wallet",
    "ppcp-gateway": "wallet", "ppec_paypal": "wallet", "gift_card": "gift_card",
    "store_credit": "store_credit", "invoice": "on_account",
}  # fmt: skip


def shopify_tender(word: str) -> common.TenderKind:
    """Return what a Shopify gateway carries."""
    return _SHOPIFY.get(word.lower(), "unknown")


def woo_tender(word: str) -> common.TenderKind:
    """Return what a WooCommerce payment method carries."""
    return _WOO.get(word.lower(), "unknown")


def cancellation_reason(value: str) -> str:
    """Return a known word for why an order was cancelled, "" for what a person wrote instead."""
    word = re.sub(r"[ _]", "-", value.strip().lower())
    return word if word in _REASONS else ""


def business_reference(value: str) -> str | None:
    """Return a reference with a number in it ("PO-1234", "Net 30"), never other free text.

    What may be a name, a phone number or a card number is none.
    """
    if not _REFERENCE.fullmatch(value) or _may_be_paid_from(value):
        return None
    return None if _may_name(value) or _may_call(value) else value


def payment_reference(value: str) -> str | None:
    """Return a provider's transaction id; never what could be a card's or an account's number."""
    found = value.strip()
    if not re.fullmatch(r"[A-Za-z0-9_.:/-]{1,128}", found):
        return None
    return None if _may_be_paid_from(found) else found


def _may_be_paid_from(value: str) -> bool:
    """Look through whatever stands between the digits of a card's or an account's number."""
    return holds_iban(value) or holds_card_number(re.sub(r"[^A-Za-z0-9]+", " ", value))


def _may_name(value: str) -> bool:
    """Say whether a word of it is neither a business's word nor, beside digits, a code."""
    return any(
        word.lower() not in _BUSINESS
        and (part.isalpha() or (len(word) > _CODE and not word.isupper()))
        for part in re.split(r"[ .]+", value)
        for word in _LETTERS.findall(part)
    )


def _may_call(value: str) -> bool:
    """Say whether a number of it is as long as a phone number, and begins or is grouped like one.

    What begins with a year is a document's number.
    """
    return any(
        len(re.sub("[^0-9]", "", number)) >= _PHONE
        and not _YEAR.match(number)
        and (not number.isdigit() or _TRUNK.match(number) is not None)
        for number in _NUMBER.findall(value)
    )
