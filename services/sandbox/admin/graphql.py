"""As much GraphQL as an Admin API's callers write: one operation, variables, selections. Pure.

Fragments and subscriptions are refused. An answer holds what was selected, under its alias.
"""

import re
from typing import Any

from msgspec import Struct, json

Json = dict[str, Any]
_TOKEN = re.compile(
    r"""[\s,]+|\#[^\n]*|(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<number>-?\d+(?:\.\d+)?)"""
    r"""|(?P<name>[_A-Za-z]\w*)|(?P<mark>\.\.\.|[!$():=@\[\]{|}])"""
)
_DEEPEST = 24


class GraphqlError(ValueError):
    """A document that cannot be read or a field that does not exist."""


class Field(Struct, frozen=True):
    """A selected field with its arguments, its directives and what is selected below it."""

    name: str
    alias: str
    arguments: Json
    directives: dict[str, Json]
    selections: tuple["Field", ...]


class Operation(Struct, frozen=True):
    kind: str
    fields: tuple[Field, ...]


def parse(document: str, variables: Json) -> Operation:
    """The document's only operation. Raises GraphqlError."""
    reader = _Reader(_tokens(document), variables)
    operation = reader.operation()
    if not reader.done:
        raise GraphqlError("a document holds one operation here, without fragments")
    return operation


def selected(value: Any, fields: tuple[Field, ...], kind: str) -> Any:
    """What of a value was asked for. Raises GraphqlError on a field that it has not."""
    if value is None or not fields:
        return value
    if isinstance(value, list):
        return [selected(one, fields, kind) for one in value]
    found: Json = {}
    for field in fields:
        if field.name != "__typename" and field.name not in value:
            raise GraphqlError(f"Field '{field.name}' doesn't exist on type '{kind}'")
        inner = kind if field.name == "__typename" else _page(value[field.name], field)
        found[field.alias] = selected(inner, field.selections, field.name)
    return found


def _page(value: Any, field: Field) -> Any:
    """As much of a list or a connection as `first` asks for."""
    first = field.arguments.get("first")
    if not isinstance(first, int):
        return value
    if isinstance(value, list):
        return value[:first]
    if isinstance(value, dict) and len(value.get("nodes") or ()) > first:
        cut = {name: value[name][:first] for name in ("nodes", "edges")}
        end = cut["edges"][-1]["cursor"] if cut["edges"] else None
        return (
            value | cut | {"pageInfo": value["pageInfo"] | {"hasNextPage": True, "endCursor": end}}
        )
    return value


def _tokens(document: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    place = 0
    while place < len(document):
        match = _TOKEN.match(document, place)
        if match is None:
            raise GraphqlError(f"syntax error at character {place}")
        if match.lastgroup is not None:
            found.append((match.lastgroup, match.group()))
        place = match.end()
    return found


class _Reader:
    """A recursive descent over the tokens."""

    def __init__(self, tokens: list[tuple[str, str]], variables: Json) -> None:
        self._tokens, self._place, self._depth = tokens, 0, 0
        self._variables = dict(variables)

    @property
    def done(self) -> bool:
        return self._place >= len(self._tokens)

    def _peek(self) -> str:
        return self._tokens[self._place][1] if not self.done else ""

    def _take(self, wanted: str | None = None) -> str:
        if self.done or (wanted is not None and self._peek() != wanted):
            raise GraphqlError(f"expected {wanted or 'more'}, found {self._peek() or 'the end'}")
        self._place += 1
        return self._tokens[self._place - 1][1]

    def _name(self) -> str:
        if self.done or self._tokens[self._place][0] != "name":
            raise GraphqlError(f"expected a name, found {self._peek() or 'the end'}")
        return self._take()

    def operation(self) -> Operation:
        kind = "query" if self._peek() == "{" else self._name()
        if kind not in {"query", "mutation"}:
            raise GraphqlError(f"no {kind} here")
        if self._peek() not in {"{", "("} and kind != "":
            self._name()
        if self._peek() == "(":
            self._declarations()
        return Operation(kind, self._selections())

    def _declarations(self) -> None:
        self._take("(")
        while self._peek() != ")":
            self._take("$")
            name = self._name()
            self._take(":")
            while self._peek() not in {"$", ")", "="}:
                self._take()
            if self._peek() == "=":
                self._take()
                default = self._value()
                self._variables.setdefault(name, default)
            self._variables.setdefault(name, None)
        self._take(")")

    def _selections(self) -> tuple[Field, ...]:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise GraphqlError("the selections are nested too deeply")
        self._take("{")
        found = []
        while self._peek() != "}":
            found.append(self._field())
        self._take("}")
        self._depth -= 1
        return tuple(found)

    def _field(self) -> Field:
        alias = name = self._name()
        if self._peek() == ":":
            self._take()
            name = self._name()
        arguments = self._arguments()
        directives: dict[str, Json] = {}
        while self._peek() == "@":
            self._take()
            directive = self._name()
            directives[directive] = self._arguments()
        below = self._selections() if self._peek() == "{" else ()
        return Field(name, alias, arguments, directives, below)

    def _arguments(self) -> Json:
        return self._pairs("(", ")") if self._peek() == "(" else {}

    def _pairs(self, opening: str, closing: str) -> Json:
        self._take(opening)
        found: Json = {}
        while self._peek() != closing:
            name = self._name()
            self._take(":")
            found[name] = self._value()
        self._take(closing)
        return found

    def _value(self) -> Any:
        match self._peek():
            case "$":
                self._take()
                name = self._name()
                if name not in self._variables:
                    raise GraphqlError(f"variable ${name} is not declared")
                return self._variables[name]
            case "[":
                return self._list()
            case "{":
                return self._pairs("{", "}")
            case "true" | "false" | "null" as word:
                self._take()
                return {"true": True, "false": False, "null": None}[word]
            case _:
                kind, text = self._tokens[self._place] if not self.done else ("", "")
                self._take()
                if kind not in {"string", "number", "name"}:
                    raise GraphqlError(f"expected a value, found {text}")
                return text if kind == "name" else json.decode(text)

    def _list(self) -> list[Any]:
        self._take("[")
        found = []
        while self._peek() != "]":
            found.append(self._value())
        self._take("]")
        return found
