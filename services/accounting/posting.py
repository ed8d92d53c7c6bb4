"""The posting table, as data: what is measured, what it debits and what it credits. Moves nothing.

A row is one quantity of a sale or of a SKU. When the quantity grows by an amount, that is what is
debited and credited; when it shrinks, the other way round. `README.md` shows this very table.
"""

from collections.abc import Mapping

import msgspec

from libs.contracts import common
from services.accounting import chart

CUSTOMER = "customer"  # deposits while the buyer has paid ahead, else receivable


class Row(msgspec.Struct, frozen=True):
    """One row: the fact that moves the quantity, the entry's kind, and the two accounts."""

    quantity: str
    kind: common.EntryKind
    when: str
    debit: str
    credit: str


_LINES: Mapping[common.LineKind, str] = {
    "goods": chart.GOODS, "digital": chart.DIGITAL, "service": chart.SERVICES,
    "gift_card": chart.VOUCHERS, "fee": chart.CHARGES, "tip": chart.TIPS,
    "donation": chart.DONATIONS, "custom": chart.OTHER, "unknown": chart.OTHER,
}  # fmt: skip
_CHARGES: Mapping[common.ChargeKind, str] = {
    "shipping": chart.SHIPPING, "handling": chart.CHARGES, "gift_wrap": chart.CHARGES,
    "duty": chart.DUTIES, "fee": chart.CHARGES, "unknown": chart.CHARGES,
}  # fmt: skip
_PAID, _BACK = "PaymentCaptured", "RefundMade, RefundReturned"
_ORDER = "OrderPlaced, OrderAmended"
_SENT = "ShipmentDispatched, OrderCompleted"
_FIRST, _LAST = "the first ShipmentDispatched", "the last ShipmentDispatched, OrderCompleted"

ROWS: tuple[Row, ...] = (
    Row("redeemed", "gift_card_redeemed", _ORDER, chart.VOUCHERS, CUSTOMER),
    Row("captured", "payment", _PAID, chart.CLEARING, CUSTOMER),
    *(
        Row(f"sold-{kind}", "dispatch_revenue", _SENT, CUSTOMER, account)
        for kind, account in _LINES.items()
        if kind != "gift_card"
    ),
    *(
        Row(f"charged-{kind}", "dispatch_revenue", _FIRST, CUSTOMER, account)
        for kind, account in _CHARGES.items()
    ),
    Row("tax", "dispatch_revenue", _SENT, CUSTOMER, chart.TAX),
    Row("tax-held", "dispatch_revenue", _SENT, CUSTOMER, chart.TAX_HELD),
    Row("sold-gift_card", "gift_card_sold", _SENT, CUSTOMER, chart.VOUCHERS),
    Row("rounding", "rounding", _LAST, CUSTOMER, chart.ROUNDING),
    Row("refunded", "refund", _BACK, CUSTOMER, chart.CLEARING),
    Row("repaid", "refund", "RefundMade by hand", CUSTOMER, chart.BANK),
    Row("charged-back", "refund", "RefundMade by dispute", CUSTOMER, chart.DISPUTES),
    Row(
        "restored", "gift_card_redeemed", f"{_BACK} to a gift card or store credit",
        CUSTOMER, chart.VOUCHERS,
    ),
    Row("returned", "refund", f"{_BACK} after dispatch", chart.RETURNS, CUSTOMER),
    Row("returned-gift_card", "refund", f"{_BACK} after dispatch", chart.VOUCHERS, CUSTOMER),
    Row("returned-donation", "refund", f"{_BACK} after dispatch", chart.DONATIONS, CUSTOMER),
    Row("returned-duty", "refund", f"{_BACK} after dispatch", chart.DUTIES, CUSTOMER),
    Row("returned-tax", "refund", f"{_BACK} after dispatch", chart.TAX, CUSTOMER),
    Row("returned-tax-held", "refund", f"{_BACK} after dispatch", chart.TAX_HELD, CUSTOMER),
    Row("disputed", "dispute", "DisputeOpened", chart.DISPUTED, chart.CLEARING),
    Row("dispute-won", "dispute", "DisputeWon", chart.CLEARING, chart.DISPUTED),
    Row("dispute-lost", "dispute", "DisputeLost", chart.DISPUTES, chart.DISPUTED),
    Row("received", "goods_received", "StockReceived", chart.STOCK, chart.NOT_INVOICED),
    Row(
        "corrected", "cost_correction", "StockReceived after StockShipped",
        chart.CORRECTIONS, chart.STOCK,
    ),
    Row("shipped", "dispatch_cost", "StockShipped", chart.COST, chart.STOCK),
    Row("lost", "goods_adjusted", "StockAdjusted, StockCounted down", chart.SHRINKAGE, chart.STOCK),
    Row("found", "goods_adjusted", "StockAdjusted, StockCounted up", chart.STOCK, chart.FOUND),
)  # fmt: skip
BY_QUANTITY: Mapping[str, Row] = {row.quantity: row for row in ROWS}
KINDS: tuple[common.EntryKind, ...] = tuple(dict.fromkeys(row.kind for row in ROWS))


def table() -> str:
    """Return the posting table as Markdown, as it stands in the README."""
    lines = ["| When | What | Debit | Credit | Entry |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.when} | {row.quantity} | {_name(row.debit)} | {_name(row.credit)} | {row.kind} |"
        for row in ROWS
    ]
    return "\n".join(lines)


def accounts() -> str:
    """Return the chart of accounts as Markdown, as it stands in the README."""
    lines = ["| Account | Name | Nature | Told apart by |", "|---|---|---|---|"]
    lines += [
        f"| {one.number} | {one.name} | {one.nature} | {one.dimension or '-'} |"
        for one in chart.ACCOUNTS
    ]
    return "\n".join(lines)


def _name(account: str) -> str:
    if account == CUSTOMER:
        return f"{chart.DEPOSITS} deposits, or {chart.RECEIVABLE} receivable"
    return f"{account} {chart.BY_NUMBER[account].name.partition(':')[0].lower()}"
