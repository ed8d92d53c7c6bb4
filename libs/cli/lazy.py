"""A command whose verbs are imported when they are called, so that `--help` is quick."""

import importlib
from collections.abc import Mapping
from typing import Any, ClassVar

import typer.main
from typer.core import TyperCommand, TyperGroup


class LazyGroup(TyperGroup):
    """`verbs` gives, by name, the module whose `app` is the verb, and a line of help."""

    verbs: ClassVar[Mapping[str, tuple[str, str]]] = {}

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        """Return the verbs in the order of their list."""
        return list(self.verbs)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - typer's signature
        """Return a stand-in that knows its help only."""
        if cmd_name not in self.verbs:
            return None
        return TyperCommand(cmd_name, help=self.verbs[cmd_name][1])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import the verb that is called."""
        if args[0] not in self.verbs:
            return super().resolve_command(ctx, args)
        app: Any = importlib.import_module(self.verbs[args[0]][0]).app
        command = typer.main.get_command(app)
        command.name = args[0]
        return args[0], command, args[1:]
