"""An option means the same in every verb, and the help names what can be asked for."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from libs.cli import run
from services.console.cli.main import Verbs, app
from services.console.composition import SERVICES


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Give every verb, imported, with the words that call it."""
    for name in group.list_commands(None):
        found = group.get_command(None, name)
        if isinstance(group, Verbs):
            _, found, _ = group.resolve_command(None, [name])
        if hasattr(found, "list_commands"):
            yield from commands(found, (*words, name))
        else:
            yield " ".join((*words, name)), found


ROWS = "Another file of the same retailer."  # the demo finds its folder by LONJA_DATA
VERBS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_takes_json_and_the_folder_of_a_system_under_the_same_names(verb: str) -> None:
    options = {name: one for one in VERBS[verb].params for name in one.opts}
    assert "--json" in options
    folder = "Folder of all data; else LONJA_DATA, .lonja."
    assert options["--data"].help == {"demo": ROWS}.get(verb, folder)


def test_the_help_of_serve_names_every_service() -> None:
    (argument,) = [one for one in VERBS["serve"].params if one.name == "services"]
    assert all(name in argument.help for name in SERVICES)


@pytest.mark.parametrize("words", [["rebuild"], ["rebuild", "order"], ["rebuild", "x", "--all"]])
def test_a_rebuild_of_nothing_names_what_there_is(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.run(typer.main.get_command(app), words, "lonja") == 2
    told = capsys.readouterr().err
    assert all(one.name in told for service in SERVICES.values() for one in service.projections)
