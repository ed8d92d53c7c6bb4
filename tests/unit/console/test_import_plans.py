"""What an import would do, line by line, before anything is sent."""

from pathlib import Path

import pytest

from libs.cli.run import run
from services.console.cli.importing import app
from services.console.importing import Plan, plan

HEADER = "sku,location,quantity,unit_cost,currency,document\n"


def stock(*lines: str) -> Plan:
    return plan("stock", HEADER + "\n".join(lines), "run")


def refusal(line: str) -> str:
    (refused,) = stock(line).refused
    return refused.code


def test_a_line_becomes_a_receipt_of_the_normalised_sku() -> None:
    (write,) = stock(" 85123a ,main,6,2.55,GBP,delivery-1").writes
    assert (write.line, write.sku) == (2, "85123A")
    assert write.path == "/inventory/stock/85123A/receipts"
    document, _, line = write.body.pop("document").partition("#")
    assert (document, len(line)) == ("delivery-1", 20)
    assert write.body == {
        "quantity": 6, "location": "main", "unit_cost": "2.55", "currency": "GBP", "by": "import",
    }  # fmt: skip


def test_a_sku_stands_in_the_path_as_one_part() -> None:
    (write,) = stock("A/B 1,,1,,,").writes
    assert write.path == "/inventory/stock/A%2FB%201/receipts"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (",main,1,,,", "sku-missing"),
        ("ÄB,main,1,,,", "sku-malformed"),
        ("A,main,,,,", "quantity-missing"),
        ("A,main,1.5,,,", "quantity-not-whole"),
        ("A,main,-1,,,", "quantity-not-whole"),
        ("A,main,0,,,", "quantity-out-of-range"),
        ("A,main,1,two,GBP,", "unit-cost-malformed"),
        ("A,main,1,2,gbp,", "currency-malformed"),
        ("A,main,1,2,,", "currency-missing"),
        ("A,main,1,,GBP,", "unit-cost-missing"),
        ("A,main,1,,,d,extra", "too-many-columns"),
        (f"A,main,1,,,{'d' * 180}", "document-too-long"),
    ],
)
def test_a_line_that_cannot_be_taken_is_refused_by_name(line: str, code: str) -> None:
    assert refusal(line) == code


def test_a_refused_line_names_its_number_and_stops_no_other() -> None:
    planned = stock("A,main,1,,,", "B,main,x,,,", "C,main,3,,,")
    assert [one.sku for one in planned.writes] == ["A", "C"]
    assert [(one.line, one.sku) for one in planned.refused] == [(3, "B")]


def receipts(planned: Plan) -> list[str]:
    """Return the names that inventory counts once."""
    return [write.body["document"] for write in planned.writes]


def test_the_same_file_has_the_same_receipts_whenever_it_is_imported() -> None:
    text = HEADER + "A,main,1,,,\nA,main,1,,,\n"
    first, second = plan("stock", text, "monday"), plan("stock", text, "tuesday")
    assert receipts(first) == receipts(second)
    assert len(set(receipts(first))) == 2


def test_each_import_has_keys_of_its_own_and_each_line_one() -> None:
    text = HEADER + "A,main,1,,,\nA,main,1,,,\n"
    plans = [plan("stock", text, run) for run in ("monday", "tuesday")]
    assert len({write.key for planned in plans for write in planned.writes}) == 4


def test_a_document_is_the_same_receipt_in_any_file() -> None:
    alone = receipts(stock("A,main,1,,,d7"))[0]
    among = receipts(stock("B,main,9,,,", "A,main,1,,,d7"))[1]
    assert alone == among
    assert receipts(stock("A,main,1,,,d8"))[0] != alone


def test_equal_lines_of_different_files_are_different_receipts() -> None:
    assert receipts(stock("A,main,1,,,"))[0] != receipts(stock("A,main,1,,,", "B,,1,,,"))[0]


def test_a_product_may_be_a_kit() -> None:
    text = "sku,description,barcode,components\nkit-1,A set,50123,a:2; b:1;a:1\n"
    (write,) = plan("products", text, "run").writes
    assert write.path == "/inventory/items/KIT-1"
    assert write.body["components"] == [{"sku": "A", "units": 3}, {"sku": "B", "units": 1}]


@pytest.mark.parametrize(
    ("parts", "code"),
    [("A", "components-malformed"), ("A:0", "components-malformed"), ("K:1", "kit-of-itself")],
)
def test_a_kit_that_makes_no_sense_is_refused(parts: str, code: str) -> None:
    planned = plan("products", f"sku,components\nK,{parts}\n", "run")
    assert [one.code for one in planned.refused] == [code]


def test_an_item_can_be_defined_the_first_way_again() -> None:
    text = "sku,description\nA,first\n"
    keys = {plan("products", text, run).writes[0].key for run in ("monday", "tuesday")}
    assert len(keys) == 2


@pytest.mark.parametrize("text", ["", "\n", "quantity\n1\n", "sku,colour\nA,red\n"])
def test_a_file_with_other_columns_is_refused_as_a_whole(text: str) -> None:
    with pytest.raises(ValueError, match="column"):
        plan("stock", text, "run")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('A,main,1,,,"DN-1\nB,main,2,,,DN-2\n', 2),
        ('A,main,1,,,DN-1\n\nB,main,2,,,"DN-2\n', 4),
        ('A,main,1,,,"DN-1\nB,main,2,,,"DN-2"\n', 2),
        ('A,main,1,,,"' + "B,main,2,,,DN-2\n" * 10_000, 2),
    ],
    ids=["to the end", "after a blank line", "to the next quote", "over more than a cell can hold"],
)
def test_a_quote_that_is_not_closed_is_named_by_its_line(text: str, line: int) -> None:
    with pytest.raises(ValueError, match=rf"^line {line} is not CSV"):
        stock(text)


def test_a_quote_that_swallows_lines_up_to_the_next_one_is_refused() -> None:
    planned = stock('A,main,1,,,"DN-1', 'B,main,2,,,DN-2"', "C,main,3,,,DN-3")
    assert [(one.line, one.code) for one in planned.refused] == [(2, "line-break-in-cell")]
    assert [(one.line, one.sku) for one in planned.writes] == [(4, "C")]


def test_a_header_may_be_in_capitals_and_spaced() -> None:
    (one,) = plan("stock", "SKU , Quantity\nA,3\n", "run").writes
    assert (one.sku, one.body["quantity"]) == ("A", 3)


def test_a_header_that_is_not_one_is_repeated_so_that_one_sees_why() -> None:
    with pytest.raises(ValueError, match=r"says sku;quantity; .* with commas between: sku,loc"):
        plan("stock", "sku;quantity\nA;1\n", "run")


def test_a_plan_shows_a_kit_as_the_file_writes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kits.csv").write_text("sku,components\nKIT,A:2;B:1\n")
    assert run(app, ["products", str(tmp_path / "kits.csv")], "lonja import") == 0
    assert "  line 2: KIT: components A:2;B:1\n1 line to send" in capsys.readouterr().out


def test_a_file_in_another_encoding_is_refused_with_the_way_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "note.csv").write_bytes("sku,quantity\nCAFÉ,1\n".encode("latin-1"))
    assert run(app, ["stock", str(tmp_path / "note.csv")], "lonja import") == 2
    assert "is not text in UTF-8: save it as CSV UTF-8" in capsys.readouterr().err


def test_a_column_named_twice_refuses_the_file() -> None:
    with pytest.raises(ValueError, match="the first line names the column quantity twice"):
        plan("stock", "sku,quantity,quantity\nA,1,9\n", "run")


@pytest.mark.parametrize(
    "text", ['sku,quantity\nA,"1\n', 'sku,quantity\nA,"' + "1\n" * 100_000, "sku,sku\nA,B\n"]
)
def test_a_bad_file_ends_the_verb_with_one_line_and_the_code_of_bad_files(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "note.csv").write_text(text)
    assert run(app, ["stock", str(tmp_path / "note.csv")], "lonja import") == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.endswith("[file-unreadable]\n")
