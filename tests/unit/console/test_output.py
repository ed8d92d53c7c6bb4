"""What a verb shows of a long wait: always something, to a person; nothing to a program."""

import pytest

from libs.cli.output import Output


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
