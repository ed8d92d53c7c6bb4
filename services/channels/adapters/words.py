"""Providers' words for means of payment and references of businesses, as ours. Pure."""

import re
from collections.abc import Mapping

from libs.contracts import common

_REFERENCE = re.compile(r"(?=.*[0-9])[A-Za-z0-9][A-Za-z0-9 ./#_-]{0,39}")
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


def business_reference(value: str) -> str | None:
    """Return a reference with a number in it ("PO-1234", "Net 30"), never other free text."""
    return value if _REFERENCE.fullmatch(value) else None


def payment_reference(value: str) -> str | None:
    """Return a provider's transaction id; never what could be a card number."""
    found = value.strip()
    if not re.fullmatch(r"[A-Za-z0-9_.:/-]{1,128}", found):
        return None
    digits = re.sub(r"[^0-9]", "", found)
    return None if found.isdigit() and 12 <= len(digits) <= 19 and _luhn(digits) else found


def _luhn(digits: str) -> bool:
    doubled = (int(d) * 2 if i % 2 else int(d) for i, d in enumerate(reversed(digits)))
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0
