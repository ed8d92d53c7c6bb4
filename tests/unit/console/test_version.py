"""Which release this is: said in one place, and the same everywhere."""

import tomllib
from pathlib import Path

import pytest
import typer

from libs.cli import run
from services.console.cli.main import app

PROJECT = Path(__file__).parents[3] / "pyproject.toml"


def test_the_command_line_names_the_projects_release(capsys: pytest.CaptureFixture[str]) -> None:
    version = tomllib.loads(PROJECT.read_text())["project"]["version"]
    assert run.run(typer.main.get_command(app), ["--version"], "lonja") == 0
    assert capsys.readouterr().out == f"lonja {version}\n"
