"""Writes straight-line decoders: bytes of one schema, the writer's, as the present structs.

For an earlier version the evolution is compiled in: dropped fields are stepped over, added ones
take their default, unknown symbols the enum's. `compatibility` has said before that it can be done.
"""

from typing import Any

from libs.codec.emit import Emitter, Named, kind, short
from libs.codec.schemas import full_name, inlined


class Reading:
    """Emits readers of what `written` defines; `version` is "" for the present schemas."""

    def __init__(self, emitter: Emitter, written: Named, version: str = "") -> None:
        self.emitter, self.written, self.version = emitter, written, version
        self.lines: list[str] = []
        self._done: dict[str, str] = {}

    def reader(self, full: str, suffix: str = "") -> None:
        """Add `read_X(b, i)`, after whatever it calls."""
        self._reader(full, full, f"read_{short(full)}{suffix}")

    def _reader(self, full: str, present: str | None, name: str) -> None:
        fields = self.written[full]["fields"]
        space = full.rpartition(".")[0]
        kept = {}
        if present is not None:
            kept = {f["name"]: f["type"] for f in self.emitter.named[present]["fields"]}
        body: list[str] = []
        for field in fields:
            target = kept.get(field["name"])
            body += self._read(field["type"], space, target, f"f_{field['name']}", "    ")
        result, end = "int", "    return i"
        if present is not None:
            mine = self.emitter.at(present)
            arguments = ", ".join(f"{n}=f_{n}" for n in (f["name"] for f in fields) if n in kept)
            result, end = f"tuple[{mine}, int]", f"    return {mine}({arguments}), i"
        self.lines += ["", f"def {name}(b: bytes, i: int) -> {result}:", *body, end, ""]

    def _read(self, schema: Any, space: str, target: Any, name: str, pad: str) -> list[str]:
        if isinstance(schema, list):
            return self._read_union(schema[1], space, target, name, pad)
        if isinstance(target, list):
            target = target[1]
        match kind(schema):
            case "string" | "bytes" as word:
                decode = ".decode()" if word == "string" else ""
                value = [f"{pad}{name} = b[i + 1 : j]{decode}"] if target is not None else []
                span = [
                    f"{pad}j = i + SPAN[b[i]]",
                    f"{pad}if i == j:",
                    f"{pad}    i, j = span(b, i)",
                ]
                return [*span, *value, f"{pad}i = j"]
            case "long" | "int" as word:
                return [
                    f"{pad}n = b[i]",
                    f"{pad}if n < 128:",
                    f"{pad}    {name} = ZIGZAG[n]",
                    f"{pad}    i += 1",
                    f"{pad}else:",
                    f"{pad}    {name}, i = {'long' if word == 'long' else 'small'}(b, i)",
                ]
            case "boolean":
                return [f"{pad}{name} = FLAGS[b[i]]", f"{pad}i += 1"]
            case "array":
                return self._read_array(schema["items"], space, target, name, pad)
        full = full_name(schema, space)
        if self.written[full]["type"] == "enum":
            return [f"{pad}{name} = {self._names(full, target)}[b[i]]", f"{pad}i += 1"]
        call = self._record(full, target)
        return [f"{pad}{'' if target is None else f'{name}, '}i = {call}(b, i)"]

    def _read_union(self, inner: Any, space: str, target: Any, name: str, pad: str) -> list[str]:
        wanted = None if target is None else target[1]
        out = [f"{pad}n = b[i]", f"{pad}i += 1"]
        if target is not None:
            out.insert(0, f"{pad}{name}: {self.emitter.python_type(target)} = None")
        out += [f"{pad}if n == 2:", *self._read(inner, space, wanted, f"{name}_", pad + "    ")]
        if target is not None:
            out.append(f"{pad}    {name} = {name}_")
        return [*out, f"{pad}elif n:", f"{pad}    branch()"]

    def _read_array(self, inner: Any, space: str, target: Any, name: str, pad: str) -> list[str]:
        wanted = None if target is None else target["items"]
        out = [
            f"{pad}while b[i]:",
            f"{pad}    n, i = count(b, i)",
            f"{pad}    for _ in range(n):",
            *self._read(inner, space, wanted, f"{name}_", pad + "        "),
        ]
        if target is None:
            return [*out, f"{pad}i += 1"]
        item = self.emitter.python_type(wanted)
        return [
            f"{pad}{name}_l: list[{item}] = []",
            *out,
            f"{pad}        {name}_l.append({name}_)",
            f"{pad}i += 1",
            f"{pad}{name} = tuple({name}_l)",
        ]

    def _names(self, full: str, target: Any) -> str:
        """Return the table from a written enum's bytes to present symbols."""
        if not self.version:
            return self.emitter.at(full, "names_")
        symbols, name = self.written[full]["symbols"], f"names_{self.version}_{short(full)}"
        present, shown = None, "str"
        if target is not None:
            present_name, present = self.emitter.ref(target)
            shown = self.emitter.at(present_name)
            if present["symbols"] == symbols:
                return self.emitter.at(present_name, "names_")
            symbols = [s if s in present["symbols"] else present["default"] for s in symbols]
        else:
            name = f"{name}_dropped"
        if name not in self._done:
            pairs = ", ".join(f"{n << 1}: {symbol!r}" for n, symbol in enumerate(symbols))
            self._done[name] = name
            self.lines += [f"{name}: dict[int, {shown}] = {{{pairs}}}", ""]
        return name

    def _record(self, full: str, target: Any) -> str:
        """Return the name of the function that reads a nested record."""
        if not self.version:
            return self.emitter.at(full, "read_")
        if target is None:
            name, present = f"skip_{self.version}_{short(full)}", None
        else:
            present = self.emitter.ref(target)[0]
            name = f"read_{self.version}_{short(full)}"
            if inlined(full, self.written) == inlined(present, self.emitter.named):
                return self.emitter.at(present, "read_")
        if name not in self._done:
            self._done[name] = name
            self._reader(full, present, name)
        return name
