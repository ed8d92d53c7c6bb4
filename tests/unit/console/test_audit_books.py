"""The audit finds what is missing in the ledger and what was booked for somebody else; each lie once."""

import json
from types import SimpleNamespace

import pytest

from services.console.audit.books import at_provider
from services.console.audit.journal import JournalCheck
from services.console.audit.ledger import LedgerCheck
from services.console.audit.money import MoneyCheck
from services.console.audit.reports import ReportsCheck
from services.console.audit.stock import StockCheck
from services.console.audit.topics import ASYNCAPI, read_record, schemas
from services.console.audit.valued import ValuedCheck
from tests.unit.console.auditing import (
    BOOKED,
    NOW,
    Story,
    back,
    captured,
    cleared,
    codes,
    dispatched,
    money_codes,
    noted,
    placed,
    posted,
)

GOLDEN = ASYNCAPI.parent / "golden"
ROWS = json.loads(ASYNCAPI.read_text())["components"]["messages"].values()
OLDER = [
    (one["x-schema-id"], one["name"], one["x-schema-version"], fields)
    for one in ROWS
    for newest in [max((r for r in ROWS if r["name"] == one["name"]), key=lambda r: r["x-schema-version"])]
    for fields in [{field["name"] for field in newest["payload"]["schema"]["fields"]}]
    if newest is not one
]  # fmt: skip


@pytest.mark.parametrize(("number", "name", "version", "fields"), OLDER)
def test_what_an_older_release_wrote_is_read_as_what_it_says_today(
    number: int, name: str, version: int, fields: set[str]
) -> None:
    service, event = name.split(".")[1:]
    body = (GOLDEN / service / f"{event}.{version}.avro").read_bytes()
    headers = {"ce_type": name, "ce_id": "i", "ce_time": "2026-01-01T00:00:00Z", "lonja": "0" * 96}
    message = SimpleNamespace(
        headers=[(key, text.encode()) for key, text in headers.items()], key=b"k", partition=0,
        offset=0, value=b"\0" + number.to_bytes(4, "big") + body,
    )  # fmt: skip
    record = read_record(service, message, schemas())
    assert record.data.keys() == fields
    for check in (MoneyCheck(NOW, NOW), LedgerCheck(NOW), ValuedCheck(NOW)):
        check.see(record)


def test_what_one_company_has_too_much_makes_up_for_no_other() -> None:
    story = posted(captured(placed(Story())), entity="other")
    assert money_codes(story.records) == ["ledger-differs", "ledger-differs"]


def test_money_in_one_currency_makes_up_for_none_in_another() -> None:
    story = posted(captured(placed(Story()), currency="JPY"))
    assert money_codes(story.records) == ["charged-too-much", "ledger-differs", "ledger-differs"]
    story = posted(captured(placed(Story()), currency="JPY"), currency="JPY")
    assert money_codes(story.records) == ["charged-too-much"]
    money = MoneyCheck(NOW, NOW)
    codes(money, story.records)
    books = {"account": "stripe", "captured_minor": {"GBP": 1000}, "refunded_minor": {},
             "double_charges": [], "faults": {}}  # fmt: skip
    assert [one.code for one in at_provider(books, money)[0]] == ["books-differ", "books-differ"]
    same = books | {"captured_minor": {"JPY": 1000}}
    assert at_provider(same, money)[0] == []


def test_money_that_was_taken_for_no_order_is_found() -> None:
    assert money_codes(posted(captured(Story())).records) == ["charged-without-order"]


def test_what_waits_in_a_queue_of_the_ledger_is_no_difference_until_it_is_posted() -> None:
    story = noted(captured(placed(Story())), "currency-unknown")
    assert money_codes(story.records) == []
    assert money_codes(posted(story).records) == []
    assert money_codes(posted(story, source="e2").records) == ["ledger-differs"]
    story = back(captured(placed(Story())), 400, "RefundMade")
    story = noted(posted(story), "currency-differs", kind="refunded", amount=400, source_event="e2")
    assert money_codes(story.records) == []


def test_a_parcel_that_the_ledger_has_nothing_of_is_found_after_a_while() -> None:
    story = dispatched(cleared(placed(Story())))
    assert codes(LedgerCheck(NOW - 1), story.records) == []
    assert codes(LedgerCheck(NOW), story.records) == ["parcel-not-posted"]
    for code in ("", "tax-country-unknown"):
        story = dispatched(cleared(placed(Story())))
        story = noted(story, code, kind="dispatched", reference="s1", amount=0, holder="")
        assert codes(LedgerCheck(NOW), story.records) == []


def test_what_happened_just_now_may_be_on_its_way_from_one_service_to_the_other() -> None:
    taken = captured(placed(Story()))
    assert codes(LedgerCheck(NOW), taken.records) == ["ledger-differs"]
    assert codes(LedgerCheck(NOW - 1), taken.records) == []
    right, wrong = (posted(captured(placed(Story())), n, n, "payments-1") for n in (1000, 900))
    assert codes(LedgerCheck(NOW - 1), right.records) == []
    assert codes(LedgerCheck(NOW - 1), wrong.records) == ["ledger-differs"]
    gone = back(right, 400, "RefundMade")
    assert codes(LedgerCheck(NOW - 1), gone.records) == []
    cheaper = placed(captured(placed(Story())), 800, "OrderAmended")
    assert codes(MoneyCheck(NOW, NOW), cheaper.records) == ["charged-too-much"]
    assert codes(MoneyCheck(NOW, NOW - 1), cheaper.records) == []
    sent = dispatched(Story())
    for check in (StockCheck(NOW - 1), ReportsCheck(NOW, NOW - 1), LedgerCheck(NOW - 1)):
        assert codes(check, sent.records) == []
    for late in (StockCheck(NOW), ReportsCheck(NOW, NOW), LedgerCheck(NOW)):
        assert len(codes(late, sent.records)) == 1


def test_an_amount_in_the_companys_own_currency_is_not_converted() -> None:
    story = posted(Story())
    (record,) = story.records
    for line in record.data["lines"]:
        for side in ("functional_debit", "functional_credit"):
            line[side] *= 2
    found = codes(JournalCheck(), story.records)
    assert found == ["entry-converted-otherwise", "entry-converted-otherwise"]


class Shelf(Story):
    """Units of one SKU, and what they are worth."""

    def moves(self, name: str, units: int) -> "Shelf":
        field = "difference" if name == "StockCounted" else "quantity"
        self.tell("inventory", name, "stock-A", entity="main", sku="A", **{field: units})
        return self

    def worth(self, units: int, value: int, version: int, moved: int) -> "Shelf":
        """Post what moves the stock account, and say what the units are worth."""
        line = {"account": "1400", "dimension": "A", "functional_debit": max(moved, 0),
                "functional_credit": max(-moved, 0)}  # fmt: skip
        if moved:
            self.tell("accounting", "EntryPosted", "cost-main:A", **BOOKED, lines=[line])
        self.tell("accounting", "StockValued", "cost-main:A", entity="main", sku="A", units=units,
                  value=value, source_version=version)  # fmt: skip
        return self

    @property
    def found(self) -> list[str]:
        return codes(ValuedCheck(NOW), self.records)


def test_units_at_cost_are_sound_whichever_topic_is_read_first() -> None:
    shelf = Shelf().moves("StockReceived", 5).worth(5, 500, 1, 500)
    shelf.moves("StockShipped", 2).worth(3, 300, 2, -200)
    shelf.moves("StockCounted", 0).moves("StockCounted", -1).worth(2, 200, 4, -100)
    shelf.worth(2, 260, 4, 60)  # a cost that a person told
    assert shelf.found == []
    shelf.records.sort(key=lambda record: record.service)
    assert shelf.found == []


def test_a_stock_account_that_is_not_its_units_is_found() -> None:
    shelf = Shelf().moves("StockReceived", 5).worth(5, 500, 1, 400)
    assert shelf.found == ["stock-account-differs"]
    shelf = Shelf().moves("StockReceived", 5).worth(4, 400, 1, 400)
    assert shelf.found == ["units-valued-otherwise"]
    shelf = Shelf().moves("StockReceived", 5).worth(5, 500, 2, 500)
    assert shelf.found == ["units-valued-otherwise"]


def test_units_whose_cost_nobody_posted_are_found_after_a_while() -> None:
    shelf = Shelf().moves("StockReceived", 5).worth(5, 500, 1, 500).moves("StockShipped", 2)
    assert shelf.found == ["units-not-valued"]
    assert codes(ValuedCheck(NOW - 1), shelf.records) == []
