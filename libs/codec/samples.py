"""One value of a schema with every field filled, the same each time: what golden files hold."""

from typing import Any

from libs.codec.schemas import Schema, definitions, full_name


def sample(schema: Schema) -> dict[str, Any]:
    """Return a value of a whole schema: two items in arrays, the last symbol of enums."""
    named = definitions(schema)

    def value(kind: Any, name: str, space: str, at: int) -> Any:
        match kind:
            case ["null", inner]:
                return value(inner, name, space, at)
            case "string":
                return f"{name} {at} ·é€😀"
            case "bytes":
                return bytes((0, 127, 128, 255, at))
            case "long":
                return 1_700_000_000_000_000 + at if name.endswith("_at") else (-1) ** at * 300 * at
            case "int":
                return -70_000 - at
            case "boolean":
                return True
            case {"type": "array", "items": inner}:
                return [value(inner, name, space, n) for n in (1, 2)]
        full = full_name(kind, space)
        found, inside = named[full], full.rpartition(".")[0]
        if found["type"] == "enum":
            return found["symbols"][-1]
        return {
            field["name"]: value(field["type"], field["name"], inside, n)
            for n, field in enumerate(found["fields"])
        }

    filled: dict[str, Any] = value(full_name(schema, ""), "", "", 0)
    return filled
