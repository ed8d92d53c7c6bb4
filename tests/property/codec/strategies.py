"""Random values of any schema, as fastavro takes them."""

from typing import Any

from hypothesis import strategies as st

from libs.codec.schemas import Schema, definitions, full_name

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=80)
LONG = st.one_of(
    st.integers(-70, 70),
    st.integers(0, 2**51),
    st.integers(-(2**63), 2**63 - 1),
    st.builds(
        lambda sign, bits, more: max(-(2**63), min(2**63 - 1, sign * (1 << bits) + more)),
        st.sampled_from((-1, 1)),
        st.integers(0, 63),
        st.integers(-1, 1),
    ),
)
PRIMITIVES: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXT,
    "bytes": st.binary(max_size=200),
    "long": LONG,
    "int": st.integers(-(2**31), 2**31 - 1),
    "boolean": st.booleans(),
}


def values(schema: Schema) -> st.SearchStrategy[dict[str, Any]]:
    """Values of a whole schema: every field, arrays of zero to three items, null and not."""
    named = definitions(schema)

    def of(kind: Any, space: str) -> st.SearchStrategy[Any]:
        match kind:
            case str() if kind in PRIMITIVES:
                return PRIMITIVES[kind]
            case ["null", inner]:
                return st.none() | of(inner, space)
            case {"type": "array", "items": inner}:
                return st.lists(of(inner, space), max_size=3)
        full = full_name(kind, space)
        found = named[full]
        if found["type"] == "enum":
            return st.sampled_from(found["symbols"])
        inside = full.rpartition(".")[0]
        return st.fixed_dictionaries({f["name"]: of(f["type"], inside) for f in found["fields"]})

    return of(full_name(schema, ""), "")
