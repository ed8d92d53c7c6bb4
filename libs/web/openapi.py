"""What `/openapi.json` says beyond what FastAPI finds out: summaries, problems, keys, tokens. Pure.

It describes and changes no route.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from libs.web.tokens import OPEN

Schema = dict[str, Any]
Operation = tuple[str, str, Schema]  # method, path, what is said of it

_ERRORS = {
    "4XX": "Refused: `code` is stable, `detail` says why. 400 and 422 the request does not fit, 401"
    " and 403 the token, 404 nothing is called so, 409 the state or the key does not allow it, 410"
    " it is gone, 413 it is too large.",
    "5XX": "Not now: 503 with `Retry-After`, 504 where a read model is behind `?after=`. The same"
    " request with the same key can be sent again.",
}
_TEXT, _KEY = {"type": "string"}, {"type": "string", "minLength": 1, "maxLength": 200}
_FAULT = {"type": "object", "properties": {"where": _TEXT, "why": _TEXT}}
_PROBLEM: Schema = {
    "type": "object",
    "title": "Problem",
    "description": "Problem details (RFC 9457).",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": _TEXT, "title": _TEXT, "status": {"type": "integer"}, "code": _TEXT,
        "detail": _TEXT, "faults": {"type": "array", "items": _FAULT}, "trace": _TEXT,
    },
    "example": {
        "type": "urn:lonja:problem:order-not-found", "title": "order not found", "status": 404,
        "code": "order-not-found", "detail": "There is no such order.",
    },
}  # fmt: skip


def operations(schema: Schema) -> Iterator[Operation]:
    """Give each operation of each path, in the order of the document."""
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def described(schema: Schema) -> Schema:
    """Return the document with all that a caller has to know of every operation."""
    parts = schema.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for known in ("HTTPValidationError", "ValidationError"):
        schemas.pop(known, None)
    schemas["Problem"] = _PROBLEM
    parts["responses"] = {name: _answer(text) for name, text in _ERRORS.items()}
    parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for _, path, operation in operations(schema):
        _describe(path, operation)
    return schema


def _answer(text: str) -> Schema:
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {"description": text, "content": {"application/problem+json": problem}}


def _describe(path: str, operation: Schema) -> None:
    first, _, rest = operation.pop("description", operation["summary"]).partition("\n")
    operation["summary"] = first.removesuffix(".")
    if rest.strip():
        operation["description"] = rest.strip()
    operation["responses"].pop("422", None)
    operation["responses"] |= {name: {"$ref": f"#/components/responses/{name}"} for name in _ERRORS}
    if not path.startswith(OPEN):
        operation["security"] = [{}, {"token": []}]
    for parameter in operation.get("parameters", ()):
        _require(parameter)


def _require(parameter: Schema) -> None:
    """Say that a write's key must be there: the route takes it as optional to answer in words."""
    if parameter["name"] == "idempotency-key":
        text = "One for each write, from the caller; repeated with it, a write has its one answer."
        parameter |= {"required": True, "schema": _KEY, "description": text}


def fields(schema: Schema, part: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Give a body's fields, with their values or parts, and whether each must be there.

    Gives none where the body is no object.
    """
    body = _named(schema, part)
    for field, said in body.get("properties", {}).items():
        values = ", ".join(map(str, said.get("enum", ())))
        shown = f"{field} ({values})" if values else f"{field}{_parts(schema, said)}"
        yield shown, field in body.get("required", ())


def _named(schema: Schema, part: Mapping[str, Any]) -> Mapping[str, Any]:
    name = str(part.get("$ref", "")).rpartition("/")[2]
    found: Mapping[str, Any] = schema["components"]["schemas"].get(name, part)
    return found


def _parts(schema: Schema, said: Mapping[str, Any]) -> str:
    """Return what stands in a field that is an object, or a list of such."""
    for kind in (said.get("items", {}), said, *said.get("anyOf", ())):
        inner = [name if must else f"[{name}]" for name, must in fields(schema, kind)]
        if inner:
            return f" {{{', '.join(inner)}}}"
    return ""
