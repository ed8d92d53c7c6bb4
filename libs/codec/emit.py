"""Writes Python for a schema: structs, straight-line encoders and decoders.

The text is all that it makes; `generate` decides what goes where.
"""

from typing import Any

Named = dict[str, dict[str, Any]]
_TYPES = {"string": "str", "long": "int", "int": "int", "boolean": "bool", "bytes": "bytes"}


def short(name: str) -> str:
    """Return the last part of a full name."""
    return name.rpartition(".")[2]


class Emitter:
    """Emits for one module. `local` are the names it defines; the others come from `common`."""

    def __init__(self, named: Named, local: frozenset[str], space: str) -> None:
        self.named, self.local, self.space = named, local, space
        self.counter = 0

    def ref(self, schema: Any) -> tuple[str, dict[str, Any]]:
        """Return the full name and the definition behind a reference."""
        if isinstance(schema, dict):
            full = f"{schema.get('namespace', self.space)}.{schema['name']}"
        else:
            full = schema if "." in schema else f"{self.space}.{schema}"
        return full, self.named[full]

    def at(self, full: str, prefix: str = "") -> str:
        """Return how this module calls a generated name."""
        return f"{prefix}{short(full)}" if full in self.local else f"c.{prefix}{short(full)}"

    def python_type(self, schema: Any) -> str:
        """Return the annotation of a field."""
        if isinstance(schema, str) and schema in _TYPES:
            return _TYPES[schema]
        if isinstance(schema, list):
            return f"{self.python_type(schema[1])} | None"
        if isinstance(schema, dict) and schema["type"] == "array":
            return f"tuple[{self.python_type(schema['items'])}, ...]"
        return self.at(self.ref(schema)[0])

    def enum(self, full: str) -> list[str]:
        """Emit an enum: a Literal, its symbols in order, and their encoded places."""
        symbols = self.named[full]["symbols"]
        name = short(full)
        return [
            f"{name} = Literal[{', '.join(map(repr, symbols))}]",
            f"symbols_{name}: tuple[{name}, ...] = ({', '.join(map(repr, symbols))},)",
            f"places_{name}: dict[str, int] = {{s: n << 1 for n, s in enumerate(symbols_{name})}}",
            "",
        ]

    def struct(self, full: str) -> list[str]:
        """Emit a record's struct."""
        schema = self.named[full]
        out = [
            f"class {short(full)}(msgspec.Struct, frozen=True, gc=False, kw_only=True):",
            f'    """{schema["doc"]}"""',
            "",
        ]
        for field in schema["fields"]:
            default = f" = {self.default(field)}" if "default" in field else ""
            out.append(f"    {field['name']}: {self.python_type(field['type'])}{default}")
        return [*out, ""]

    def default(self, field: dict[str, Any]) -> str:
        """Return a field's default as Python."""
        return "()" if field["default"] == [] else repr(field["default"])

    def writer(self, full: str) -> list[str]:
        """Emit `write_X(o, v)`."""
        out = [f"def write_{short(full)}(o: bytearray, v: {self.at(full)}) -> None:"]
        for field in self.named[full]["fields"]:
            out += self._write(field["type"], f"v.{field['name']}", "    ")
        return [*out, ""]

    def _write(self, schema: Any, value: str, pad: str) -> list[str]:
        if isinstance(schema, list):
            self.counter += 1
            name = f"u{self.counter}"
            return [
                f"{pad}{name} = {value}",
                f"{pad}if {name} is None:",
                f"{pad}    o.append(0)",
                f"{pad}else:",
                f"{pad}    o.append(2)",
                *self._write(schema[1], name, pad + "    "),
            ]
        match schema if isinstance(schema, str) else schema["type"]:
            case "string":
                return [
                    f"{pad}e = {value}.encode()",
                    f"{pad}if 0 in e:",
                    f"{pad}    nul()",
                    f"{pad}n = len(e)",
                    f"{pad}o.append(n << 1) if n < 64 else number(o, n)",
                    f"{pad}o += e",
                ]
            case "bytes":
                return [f"{pad}e = {value}", f"{pad}number(o, len(e))", f"{pad}o += e"]
            case "long" | "int" as kind:
                self.counter += 1
                name = f"x{self.counter}"
                check = [f"{pad}small({name})"] if kind == "int" else []
                return [
                    f"{pad}{name} = {value}",
                    *check,
                    f"{pad}o.append({name} << 1) if 0 <= {name} < 64 else number(o, {name})",
                ]
            case "boolean":
                return [f"{pad}o.append(1 if {value} else 0)"]
            case "array":
                self.counter += 1
                items, item = f"a{self.counter}", f"i{self.counter}"
                return [
                    f"{pad}{items} = {value}",
                    f"{pad}if {items}:",
                    f"{pad}    number(o, len({items}))",
                    f"{pad}    for {item} in {items}:",
                    *self._write(schema["items"], item, pad + "        "),
                    f"{pad}o.append(0)",
                ]
        full, definition = self.ref(schema)
        if definition["type"] == "enum":
            place = f"{self.at(full, 'places_')}[{value}]"
            if len(definition["symbols"]) <= 64:
                return [f"{pad}o.append({place})"]
            return [f"{pad}number(o, {place} >> 1)"]
        return [f"{pad}{self.at(full, 'write_')}(o, {value})"]

    def reader(self, full: str) -> list[str]:
        """Emit `read_X(b, i)` for bytes of the present schema."""
        fields = self.named[full]["fields"]
        out = [
            f"def read_{short(full)}(b: bytes, i: int) -> tuple[{self.at(full)}, int]:",
            "    z = len(b)",
        ]
        for field in fields:
            out += self._read(field["type"], f"f_{field['name']}", "    ")
        arguments = ", ".join(f"{f['name']}=f_{f['name']}" for f in fields)
        return [*out, f"    return {self.at(full)}({arguments}), i", ""]

    def _read_length(self, pad: str) -> list[str]:
        return [
            f"{pad}n = b[i]",
            f"{pad}i += 1",
            f"{pad}if n > 127:",
            f"{pad}    n, i = more(b, i, n)",
            f"{pad}j = i + (n >> 1)",
            f"{pad}if n & 1 or j > z:",
            f'{pad}    raise bad("A length is beyond the bytes.")',
        ]

    def _read(self, schema: Any, name: str, pad: str) -> list[str]:
        if isinstance(schema, list):
            return [
                f"{pad}{name}: {self.python_type(schema)} = None",
                f"{pad}n = b[i]",
                f"{pad}i += 1",
                f"{pad}if n == 2:",
                *self._read(schema[1], f"{name}_", pad + "    "),
                f"{pad}    {name} = {name}_",
                f"{pad}elif n:",
                f'{pad}    raise bad("A union has no such branch.")',
            ]
        match schema if isinstance(schema, str) else schema["type"]:
            case "string":
                return [
                    *self._read_length(pad),
                    f'{pad}{name} = str(b[i:j], "utf-8")',
                    f"{pad}i = j",
                ]
            case "bytes":
                return [*self._read_length(pad), f"{pad}{name} = b[i:j]", f"{pad}i = j"]
            case "long" | "int":
                return [
                    f"{pad}n = b[i]",
                    f"{pad}i += 1",
                    f"{pad}if n > 127:",
                    f"{pad}    n, i = more(b, i, n)",
                    f"{pad}{name} = n >> 1 ^ -(n & 1)",
                ]
            case "boolean":
                return [
                    f"{pad}n = b[i]",
                    f"{pad}i += 1",
                    f"{pad}if n > 1:",
                    f'{pad}    raise bad("A boolean is neither 0 nor 1.")',
                    f"{pad}{name} = n == 1",
                ]
            case "array":
                return self._read_array(schema, name, pad)
        full, definition = self.ref(schema)
        if definition["type"] == "enum":
            return [
                f"{pad}n = b[i]",
                f"{pad}i += 1",
                f"{pad}if n & 1:",
                f'{pad}    raise bad("An enum has no such symbol.")',
                f"{pad}{name} = {self.at(full, 'symbols_')}[n >> 1]",
            ]
        return [f"{pad}{name}, i = {self.at(full, 'read_')}(b, i)"]

    def _read_array(self, schema: Any, name: str, pad: str) -> list[str]:
        item_type = self.python_type(schema["items"])
        return [
            f"{pad}{name}_l: list[{item_type}] = []",
            f"{pad}while True:",
            f"{pad}    n = b[i]",
            f"{pad}    i += 1",
            f"{pad}    if n > 127:",
            f"{pad}        n, i = more(b, i, n)",
            f"{pad}    if not n:",
            f"{pad}        break",
            f"{pad}    m = n >> 1",
            f"{pad}    if n & 1:",
            f"{pad}        m += 1",
            f"{pad}        n = b[i]",
            f"{pad}        i += 1",
            f"{pad}        if n > 127:",
            f"{pad}            n, i = more(b, i, n)",
            f"{pad}    if m > z - i:",
            f'{pad}        raise bad("An array has more items than bytes.")',
            f"{pad}    for _ in range(m):",
            *self._read(schema["items"], f"{name}_i", pad + "        "),
            f"{pad}        {name}_l.append({name}_i)",
            f"{pad}{name} = tuple({name}_l)",
        ]
