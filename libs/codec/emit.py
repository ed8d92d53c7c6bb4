"""Writes Python for a schema: enums, structs and straight-line encoders. `emit_read` reads.

The text is all that it makes; `generate` decides what goes where.
"""

from typing import Any

from libs.codec.schemas import full_name

Named = dict[str, dict[str, Any]]
_TYPES = {"string": "str", "long": "int", "int": "int", "boolean": "bool", "bytes": "bytes"}


def short(name: str) -> str:
    """Return the last part of a full name."""
    return name.rpartition(".")[2]


def kind(schema: Any) -> str:
    """Return a type's own word: a primitive, `array`, `union`, or a name."""
    if isinstance(schema, list):
        return "union"
    return schema if isinstance(schema, str) else str(schema["type"])


class Emitter:
    """Emits for one module. `local` are the names it defines; the others come from `common`."""

    def __init__(self, named: Named, local: frozenset[str], space: str) -> None:
        self.named, self.local, self.space = named, local, space
        self.counter = 0

    def ref(self, schema: Any) -> tuple[str, dict[str, Any]]:
        """Return the full name and the definition behind a reference."""
        full = full_name(schema, self.space)
        return full, self.named[full]

    def at(self, full: str, prefix: str = "") -> str:
        """Return how this module calls a generated name."""
        return f"{prefix}{short(full)}" if full in self.local else f"c.{prefix}{short(full)}"

    def python_type(self, schema: Any) -> str:
        """Return the annotation of a field."""
        match kind(schema):
            case "union":
                return f"{self.python_type(schema[1])} | None"
            case "array":
                return f"tuple[{self.python_type(schema['items'])}, ...]"
            case word:
                return _TYPES.get(word) or self.at(self.ref(schema)[0])

    def enum(self, full: str) -> list[str]:
        """Emit an enum: a Literal, and its symbols to bytes and back."""
        name, symbols = short(full), self.named[full]["symbols"]
        return [
            f"{name} = Literal[{', '.join(map(repr, symbols))}]",
            f"symbols_{name}: tuple[{name}, ...] = ({', '.join(map(repr, symbols))},)",
            f"bytes_{name} = {{s: bytes((n << 1,)) for n, s in enumerate(symbols_{name})}}",
            f"names_{name} = {{n << 1: s for n, s in enumerate(symbols_{name})}}",
            "",
        ]

    def struct(self, full: str) -> list[str]:
        """Emit a record's struct."""
        schema = self.named[full]
        out = [
            f"class {short(full)}(msgspec.Struct, frozen=True, gc=False, kw_only=True):",
            f"    {_docstring(schema['doc'])}",
            "",
        ]
        for field in schema["fields"]:
            default = f" = {_default(field)}" if "default" in field else ""
            out.append(f"    {field['name']}: {self.python_type(field['type'])}{default}")
        return [*out, ""]

    def writer(self, full: str) -> list[str]:
        """Emit `write_X(o, v)`, which adds the pieces of a record to a list."""
        me = self.at(full)
        out = [
            f"def write_{short(full)}(o: list[bytes], v: {me}) -> None:",
            f"    if v.__class__ is not {me}:",
            f'        wrong(v, "{short(full)}")',
        ]
        pieces: list[str] = []
        for field in self.named[full]["fields"]:
            lines, made = self._write(field["type"], f"v.{field['name']}", "    ")
            if not made and pieces:
                out.append(f"    o += ({', '.join(pieces)},)")
                pieces = []
            out += lines
            pieces += made
        if pieces:
            out.append(f"    o += ({', '.join(pieces)},)")
        return [*out, ""]

    def _new(self, letter: str) -> str:
        self.counter += 1
        return f"{letter}{self.counter}"

    def _write(self, schema: Any, value: str, pad: str) -> tuple[list[str], list[str]]:
        """Return statements, and the pieces to add after them (none: they add by themselves)."""
        match kind(schema):
            case "union":
                return self._write_union(schema[1], value, pad)
            case "array":
                return self._write_array(schema["items"], value, pad), []
            case "string":
                e = self._new("e")
                made = [f"{pad}{e} = {value}.encode()", f"{pad}if 0 in {e}:", f"{pad}    nul()"]
                return made, [f"NUMBERS[len({e})]", e]
            case "bytes":
                e = self._new("e")
                return self._typed(e, value, "bytes", pad), [f"NUMBERS[len({e})]", e]
            case "boolean":
                x = self._new("x")
                return self._typed(x, value, "bool", pad), [f'b"\\1" if {x} else b"\\0"']
            case "long":
                x = self._new("x")
                return self._typed(x, value, "int", pad), [f"NUMBERS[{x}]"]
            case "int":
                x = self._new("x")
                check = [f"{pad}if not {-(2**31)} <= {x} < {2**31}:", f"{pad}    beyond()"]
                return [*self._typed(x, value, "int", pad), *check], [f"NUMBERS[{x}]"]
        full, definition = self.ref(schema)
        if definition["type"] == "enum":
            return [], [f"{self.at(full, 'bytes_')}[{value}]"]
        return [f"{pad}{self.at(full, 'write_')}(o, {value})"], []

    def _typed(self, name: str, value: str, wanted: str, pad: str) -> list[str]:
        return [
            f"{pad}{name} = {value}",
            f"{pad}if {name}.__class__ is not {wanted}:",
            f'{pad}    wrong({name}, "{wanted}")',
        ]

    def _write_union(self, inner: Any, value: str, pad: str) -> tuple[list[str], list[str]]:
        u, p = self._new("u"), self._new("p")
        lines, made = self._write(inner, u, pad + "    ")
        head = [f"{pad}{u} = {value}", f"{pad}if {u} is None:"]
        if made:
            joined = " + ".join(['b"\\2"', *(f"({m})" if " if " in m else m for m in made)])
            rest = [f'{pad}    {p} = b"\\0"', f"{pad}else:", *lines, f"{pad}    {p} = {joined}"]
            return [*head, *rest], [p]
        first = [f'{pad}    o.append(b"\\0")', f"{pad}else:", f'{pad}    o.append(b"\\2")']
        return [*head, *first, *lines], []

    def _write_array(self, inner: Any, value: str, pad: str) -> list[str]:
        a, item = self._new("a"), self._new("i")
        lines, made = self._write(inner, item, pad + "        ")
        if made:
            lines.append(f"{pad}        o += ({', '.join(made)},)")
        return [
            *self._typed(a, value, "tuple", pad),
            f"{pad}if {a}:",
            f"{pad}    o.append(NUMBERS[len({a})])",
            f"{pad}    for {item} in {a}:",
            *lines,
            f'{pad}o.append(b"\\0")',
        ]


def _docstring(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"""{escaped}"""'


def _default(field: dict[str, Any]) -> str:
    return "()" if field["default"] == [] else repr(field["default"])
