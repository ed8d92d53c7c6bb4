"""Each rule of the schema files, broken once."""

import json
from typing import Any

import pytest

from libs.codec.lint import violations
from tests.unit.codec.workshop import Workshop, array, enum, field, record

BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "no doc": (record("Sold", field("n", "long")) | {"doc": " "}, "says in `doc`"),
    "another name": (record("Bought", field("n", "long")), "the file's is 'Sold'"),
    "other namespace": (record("Sold", field("n", "long")) | {"namespace": "shop"}, "namespace"),
    "a float": (record("Sold", field("n", "float")), "decimal string"),
    "a double": (record("Sold", field("n", "double")), "decimal string"),
    "a logical type": (
        record("Sold", field("n", {"type": "long", "logicalType": "timestamp-micros"})),
        "logical types",
    ),
    "a decimal": (
        record("Sold", field("n", {"type": "bytes", "logicalType": "decimal", "precision": 4})),
        "logical types",
    ),
    "a fixed": (record("Sold", field("n", {"type": "fixed", "name": "F", "size": 2})), "this form"),
    "a map": (record("Sold", field("n", {"type": "map", "values": "long"})), "this form"),
    "null alone": (record("Sold", field("n", "null")), "not allowed"),
    "a wide union": (record("Sold", field("n", ["null", "long", "string"])), "a union can only"),
    "null at the end": (record("Sold", field("n", ["long", "null"])), "a union can only"),
    "nullable without default": (record("Sold", field("n", ["null", "long"])), "default null"),
    "nullable items": (record("Sold", field("n", array(["null", "long"]))), "a union can only"),
    "items of null": (record("Sold", field("n", array("null"))), "not allowed"),
    "enum without default": (
        record("Sold", field("n", enum("Way", "a", "b") | {"default": "c"})),
        "needs a default",
    ),
    "an enum too large": (
        record("Sold", field("n", enum("Way", *(f"s{n}" for n in range(65))))),
        "1 to 64",
    ),
    "a symbol twice": (record("Sold", field("n", enum("Way", "a", "a"))), "different names"),
    "a nested record": (record("Sold", field("n", record("Inner"))), "file of its own"),
    "a keyword": (record("Sold", field("from", "long")), "a name in Python"),
    "a field twice": (record("Sold", field("n", "long"), field("n", "long")), "stands twice"),
    "an alias": (record("Sold", field("n", "long", aliases=["m"])), "'aliases' is not allowed"),
    "a wrong default": (record("Sold", field("n", "long", default="1")), "not of the field's"),
    "an unknown name": (record("Sold", field("n", "lonja.common.Gone")), "there is no"),
    "another service's": (record("Sold", field("n", "lonja.channels.Told")), "not allowed"),
    "no fields": (record("Sold"), "has no fields"),
    "itself": (record("Sold", field("n", array("lonja.orders.Sold"))), "recursive"),
}


@pytest.mark.parametrize(("schema", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_is_named_with_its_file(
    workshop: Workshop, schema: dict[str, Any], reason: str
) -> None:
    workshop.put(record("Told", field("n", "long"), space="channels"))
    path = workshop.path("orders", "Sold")
    path.parent.mkdir()
    path.write_text(json.dumps(schema))

    found = violations(workshop.places.root)

    assert [v.file for v in found if reason in v.reason] == ["orders/Sold.avsc"]


def test_sound_schemas_break_nothing(workshop: Workshop) -> None:
    workshop.put(
        record("Part", field("n", "long"), space="common"),
        enum("Way", "unknown", "up", namespace="lonja.common"),
        record(
            "Sold",
            field("parts", array("lonja.common.Part"), default=[]),
            field("way", "lonja.common.Way", default="up"),
            field("note", ["null", "string"], default=None),
            field("by", enum("By", "unknown", "us")),
            field("seal", "bytes"),
        ),
    )

    assert violations(workshop.places.root) == []


def test_a_file_that_is_not_json_is_named(workshop: Workshop) -> None:
    workshop.put(record("Sold", field("n", "long")))
    workshop.path("orders", "Sold").write_text('{"type": ')

    (found,) = violations(workshop.places.root)

    assert (found.file, found.reason[:11]) == ("orders/Sold.avsc", "is not JSON")


def test_recursion_over_two_records_is_found(workshop: Workshop) -> None:
    workshop.put(
        record("Left", field("n", ["null", "lonja.common.Right"], default=None), space="common"),
        record("Right", field("n", ["null", "lonja.common.Left"], default=None), space="common"),
    )

    assert {v.file for v in violations(workshop.places.root)} == {
        "common/Left.avsc",
        "common/Right.avsc",
    }


def test_an_enum_that_two_records_define_is_found(workshop: Workshop) -> None:
    workshop.put(
        record("Sold", field("n", enum("Way", "a"))), record("Bought", field("n", enum("Way", "b")))
    )

    assert any("defined twice" in v.reason for v in violations(workshop.places.root))
