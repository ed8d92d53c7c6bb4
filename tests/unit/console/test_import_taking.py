"""A delivery note is taken in line by line, each once, and what is said of it is true."""

import asyncio
import json

import pytest

from libs.cli.output import Output
from services.console.cli.importing import send
from services.console.importing import Plan, plan
from tests.unit.inventory.memory import Inventory

HEADER = "sku,location,quantity,unit_cost,currency,document\n"

Said = dict[str, int]


class Clerk:
    """Imports into one inventory, each time as a run of its own."""

    def __init__(self) -> None:
        self.inventory = Inventory()
        self.runs = 0

    def plan(self, *lines: str) -> Plan:
        self.runs += 1
        return plan("stock", HEADER + "\n".join(lines), str(self.runs))

    def take(self, planned: Plan, capsys: pytest.CaptureFixture[str]) -> Said:
        """Send what is planned and return the last thing said of it."""
        assert asyncio.run(send(planned, self.inventory, Output(as_json=True))) == 0
        said = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert (said["event"], said["failed"]) == ("applied", 0)
        return {name: said[name] for name in ("lines", "known")}


def test_two_locations_two_costs_and_two_pallets_are_lines_of_one_document(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clerk = Clerk()
    lines = (
        "MUG,main,10,4.00,GBP,DN-7", "MUG,store,5,4.00,GBP,DN-7", "MUG,main,20,4.10,GBP,DN-7",
        "MUG,main,10,4.00,GBP,DN-7",
    )  # fmt: skip
    assert clerk.take(clerk.plan(*lines), capsys) == {"lines": 4, "known": 0}
    assert clerk.inventory.on_hand() == {("MUG", "main"): 40, ("MUG", "store"): 5}
    assert clerk.take(clerk.plan(*lines), capsys) == {"lines": 0, "known": 4}
    assert clerk.inventory.on_hand() == {("MUG", "main"): 40, ("MUG", "store"): 5}


def test_what_is_said_counts_what_came_in_what_was_there_and_what_was_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clerk = Clerk()
    clerk.take(clerk.plan("MUG,main,1,,,DN-7"), capsys)
    planned = clerk.plan(
        "MUG,main,1,,,DN-7", "MUG,main,2,,,DN-7", "MUG,moon,1,,,DN-7", "MUG,main,x"
    )
    assert asyncio.run(send(planned, clerk.inventory, Output())) == 1
    assert "1 line in, 1 in already, 2 refused." in capsys.readouterr().out


def test_a_line_is_known_again_however_a_spreadsheet_writes_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clerk = Clerk()
    clerk.take(clerk.plan("mug,,010,4.00,GBP,DN-7", "TEA,main,1,100,GBP,DN-7"), capsys)
    again = clerk.plan("TEA,main,1,100.0,GBP,DN-7", " MUG ,main,10,4,GBP, DN-7")
    assert clerk.take(again, capsys) == {"lines": 0, "known": 2}
