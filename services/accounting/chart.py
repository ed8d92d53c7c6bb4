"""The chart of accounts, as data. Decides nothing."""

from collections.abc import Mapping
from typing import Literal

import msgspec

Nature = Literal["asset", "liability", "income", "expense"]


class Account(msgspec.Struct, frozen=True):
    """An account: `dimension` says what its balance is told apart by, or nothing."""

    number: str
    name: str
    nature: Nature
    dimension: str = ""


BANK, CLEARING, RECEIVABLE, DISPUTED, STOCK = "1000", "1100", "1200", "1300", "1400"
DEPOSITS, TAX, TAX_HELD, DUTIES, VOUCHERS, DONATIONS, NOT_INVOICED = (
    "2100", "2200", "2210", "2220", "2300", "2400", "2500",
)  # fmt: skip
GOODS, DIGITAL, SERVICES, OTHER, TIPS = "4000", "4010", "4020", "4090", "4100"
SHIPPING, CHARGES, RETURNS = "4200", "4210", "4900"
COST, CORRECTIONS, SHRINKAGE, FOUND = "5000", "5010", "5100", "5110"
DISPUTES, ROUNDING, EXCHANGE = "6100", "7000", "7010"

ACCOUNTS: tuple[Account, ...] = (
    Account(BANK, "Bank and cash: refunds that were paid back by hand", "asset"),
    Account(CLEARING, "Clearing: money in the hands of providers and channels", "asset", "holder"),
    Account(RECEIVABLE, "Receivable from customers", "asset"),
    Account(DISPUTED, "Disputed payments", "asset", "holder"),
    Account(STOCK, "Stock", "asset", "sku"),
    Account(DEPOSITS, "Customer deposits", "liability"),
    Account(TAX, "Tax payable", "liability", "rate"),
    Account(TAX_HELD, "Tax held by channels and carriers", "liability", "account"),
    Account(DUTIES, "Import duties collected", "liability"),
    Account(VOUCHERS, "Gift cards and store credit", "liability", "tender"),
    Account(DONATIONS, "Donations held for others", "liability"),
    Account(NOT_INVOICED, "Goods received not invoiced", "liability"),
    Account(GOODS, "Sales of goods", "income"),
    Account(DIGITAL, "Sales of digital goods", "income"),
    Account(SERVICES, "Sales of services", "income"),
    Account(OTHER, "Other sales", "income"),
    Account(TIPS, "Tips", "income"),
    Account(SHIPPING, "Shipping income", "income"),
    Account(CHARGES, "Other charges to customers", "income"),
    Account(RETURNS, "Refunds of sales", "income"),
    Account(COST, "Cost of goods sold", "expense"),
    Account(CORRECTIONS, "Corrections of cost after late receipts", "expense"),
    Account(SHRINKAGE, "Stock lost and written off", "expense"),
    Account(FOUND, "Stock found", "income"),
    Account(DISPUTES, "Losses by disputes", "expense"),
    Account(ROUNDING, "Rounding", "expense"),
    Account(EXCHANGE, "Exchange differences", "expense"),
)
BY_NUMBER: Mapping[str, Account] = {account.number: account for account in ACCOUNTS}
