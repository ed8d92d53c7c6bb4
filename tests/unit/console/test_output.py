"""What a verb shows of a long wait: always something, to a person; nothing to a program."""

import io

import pytest
from rich.console import Console

from libs.cli.output import Output, fitted, table
from services.console.cli.audit import _lines


def test_a_wait_is_named_where_nobody_watches_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Output().waiting("Looking"):
        pass
    assert capsys.readouterr() == ("", "Looking\n")


def test_a_count_is_told_now_and_then_in_lines_of_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Output()
    for seconds in (100.0, 101.0, 104.9, 105.0, 109.0):
        monkeypatch.setattr("time.monotonic", lambda now=seconds: now)
        told.count(f"[{seconds:.0f}] of 1,000 records")
    assert capsys.readouterr() == ("", "  [100] of 1,000 records\n  [105] of 1,000 records\n")


def test_a_program_is_told_of_no_waits(capsys: pytest.CaptureFixture[str]) -> None:
    told = Output(as_json=True)
    told.count("1 of 2")
    with told.waiting("Looking"):
        pass
    assert capsys.readouterr() == ("", "")


ORDER = "ord_0123456789abcdef0123"


def printed(width: int) -> list[str]:
    rows = table("when", "what", "units", "behind it", "reason", whole=("when", "what"))
    rows.add_row("2026-11-29 14:16:21", "StockReserved", "+12", ORDER, "")
    out = Console(file=io.StringIO(), width=width)
    out.print(fitted(rows, width))
    assert isinstance(out.file, io.StringIO)
    return [line.rstrip() for line in out.file.getvalue().splitlines() if line.strip()]


def test_a_table_has_no_column_in_which_nothing_stands() -> None:
    head, _, row = printed(80)
    assert head.split() == ["when", "what", "units", "behind", "it"]
    assert row.split() == ["2026-11-29", "14:16:21", "StockReserved", "+12", ORDER]


def test_on_a_narrow_terminal_a_row_stands_in_lines_of_its_own_and_no_id_is_broken() -> None:
    assert printed(60) == [
        "2026-11-29 14:16:21  StockReserved", "    units: +12", f"    behind it: {ORDER}",
    ]  # fmt: skip


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_count_leaves_nothing_of_itself_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    both = Terminal()
    for name, value in {"TERM": "xterm", "COLUMNS": "30"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout", both)
    monkeypatch.setattr("sys.stderr", both)
    told = Output()
    told.count("a count that is longer than the terminal is wide")
    told.count("2 of 2")
    told.say("done", "Done.")
    first, second, last = both.getvalue().split("\x1b[2K")
    assert first == "  a count that is longer than\r"
    assert second == "  2 of 2\r"
    assert last == "Done.\n"


def test_figures_are_told_a_table_under_its_name_and_nothing_for_an_empty_one() -> None:
    figures = {"paid": 1200, "by_holder": {"card": {"captured": 5, "lost": 0}}, "effects": {}}
    assert list(_lines("money", figures)) == [
        "money: paid 1,200", "  by_holder:", "    card: captured 5, lost 0",
    ]  # fmt: skip
