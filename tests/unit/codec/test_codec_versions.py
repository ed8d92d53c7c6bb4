"""A schema's change: found, frozen as a new version, and every earlier version still read."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.codec.compatibility import incompatible, read, unreadable, write
from libs.codec.errors import DecodeError
from libs.codec.generate import check, make
from libs.codec.lock import lock_text, read_lock
from libs.codec.schemas import SchemaError, load, whole
from tests.property.codec.strategies import values
from tests.unit.codec.workshop import Workshop, array, enum, field, record

NAME = "lonja.orders.Sold"
WAY = enum("Way", "unknown", "ship", "fax", namespace="lonja.common")
PART = record("Part", field("sku", "string"), field("old", "long"), space="common")
GONE = record("Gone", field("why", "string"), field("parts", array("long")), space="common")
FIRST = record(
    "Sold",
    field("id", "string"),
    # What goes later needs a default now: an old reader must do without it.
    field("gone", ["null", "lonja.common.Gone"], default=None),
    field("way", "lonja.common.Way"),
    field("parts", array("lonja.common.Part")),
    field("best", ["null", "lonja.common.Part"], default=None),
    field("lost", array(enum("Lost", "unknown", "here")), default=[]),
    field("count", "int"),
)
SECOND_WAY = enum("Way", "unknown", "ship", "drone", namespace="lonja.common")
SECOND_PART = record(
    "Part",
    field("sku", "string"),
    field("old", "long"),
    field("size", "long", default=7),
    space="common",
)
SECOND = record(
    "Sold",
    field("note", ["null", "string"], default=None),
    field("id", "string"),
    field("way", "lonja.common.Way"),
    field("parts", array("lonja.common.Part")),
    field("best", ["null", "lonja.common.Part"], default=None),
    field("count", "int"),
    field("tags", array("string"), default=[]),
)


@pytest.fixture
def two_versions(workshop: Workshop) -> Workshop:
    workshop.put(WAY, PART, GONE, FIRST)
    assert make(workshop.places) == []
    workshop.put(SECOND_WAY, SECOND_PART, SECOND)
    assert make(workshop.places, freeze=True) == []
    return workshop


def test_generating_twice_changes_nothing(two_versions: Workshop) -> None:
    before = {p: p.read_bytes() for p in two_versions.places.root.parent.rglob("*.*")}

    assert make(two_versions.places) == []
    assert check(two_versions.places) == []

    assert {p: p.read_bytes() for p in two_versions.places.root.parent.rglob("*.*")} == before


def test_a_change_without_a_version_says_what_to_do(workshop: Workshop) -> None:
    workshop.put(WAY, PART, GONE, FIRST)
    make(workshop.places)
    made = (workshop.places.out / "orders.py").read_text()
    workshop.put(SECOND_PART)

    for found in (check(workshop.places), make(workshop.places)):
        assert len(found) == 1
        assert NAME in found[0]
        assert "--freeze" in found[0]
    assert (workshop.places.out / "orders.py").read_text() == made


def test_a_change_of_docs_needs_no_version(workshop: Workshop) -> None:
    workshop.put(WAY, PART, GONE, FIRST)
    make(workshop.places)
    workshop.put(FIRST | {"doc": "Sold to somebody."})

    assert "make contracts" in check(workshop.places)[0]
    assert make(workshop.places) == []
    assert list(read_lock(workshop.places.lock)[NAME]) == ["1"]


def test_freezing_keeps_the_old_schema_and_appends_an_id(two_versions: Workshop) -> None:
    places = two_versions.places
    lock = read_lock(places.lock)[NAME]

    assert {version: entry["id"] for version, entry in lock.items()} == {"1": 100001, "2": 100002}
    assert set(load(places.root).history[NAME]) == {1}
    assert sorted(p.name for p in (places.root / "golden/orders").iterdir()) == [
        "Sold.1.avro",
        "Sold.1.json",
        "Sold.2.avro",
        "Sold.2.json",
    ]
    (contract,) = two_versions.module("orders").CONTRACTS
    assert (contract.version, sorted(contract.decoders)) == (2, [1, 2])


def test_relocking_is_refused_once_a_version_is_frozen(two_versions: Workshop) -> None:
    two_versions.put(record("Part", field("sku", "string"), space="common"))

    with pytest.raises(SchemaError, match="--freeze"):
        make(two_versions.places, relock=True)


def test_relocking_before_a_release_keeps_the_id_and_renews_the_golden_bytes(
    workshop: Workshop,
) -> None:
    workshop.put(WAY, PART, GONE, FIRST)
    make(workshop.places)
    before = read_lock(workshop.places.lock)[NAME]["1"]
    golden = workshop.places.root / "golden/orders/Sold.1.avro"
    old = golden.read_bytes()
    workshop.put(SECOND_PART)

    assert make(workshop.places, relock=True) == []

    after = read_lock(workshop.places.lock)[NAME]["1"]
    assert after["id"] == before["id"]
    assert after["fingerprint"] != before["fingerprint"]
    assert golden.read_bytes() != old
    assert check(workshop.places) == []


def test_an_id_that_two_branches_appended_is_found_and_relocked(workshop: Workshop) -> None:
    workshop.put(record("Sold", field("n", "long")), record("Told", field("n", "long")))
    assert make(workshop.places) == []
    lock = read_lock(workshop.places.lock)
    first = lock[NAME]["1"]["id"]
    lock["lonja.orders.Told"]["1"]["id"] = first
    workshop.places.lock.write_text(lock_text(lock))
    [why] = check(workshop.places)
    assert "lonja.orders.Told has the id of another event" in why
    assert make(workshop.places) == [why]
    assert make(workshop.places, relock=True) == []
    again = read_lock(workshop.places.lock)
    assert again[NAME]["1"]["id"] == first
    assert again["lonja.orders.Told"]["1"]["id"] != first
    assert check(workshop.places) == []


def test_an_event_type_whose_file_is_gone_is_named(two_versions: Workshop) -> None:
    two_versions.path("orders", "Sold").unlink()

    (found,) = check(two_versions.places)

    assert NAME in found
    assert "restore" in found


def test_golden_bytes_that_say_something_else_are_found(two_versions: Workshop) -> None:
    expected = two_versions.places.root / "golden/orders/Sold.1.json"
    expected.write_text(expected.read_text().replace("id 0", "id 1"))

    assert check(two_versions.places) == ["Sold.1.avro does not say what Sold.1.json says"]


def test_an_earlier_version_is_read_as_the_present_struct(two_versions: Workshop) -> None:
    schemas = load(two_versions.places.root)
    old, new = schemas.history[NAME][1], whole(NAME, schemas)
    module = two_versions.module("orders")
    (contract,) = module.CONTRACTS
    common = two_versions.module("common")
    # Symbols that went read as the enum's default, added fields as theirs.
    data = write(_first("fax"), old)

    event = contract.decoders[1](data)

    part = {"sku": "A", "old": 1, "size": 7}
    assert msgspec.to_builtins(event) == {
        "note": None,
        "id": "s-1",
        "way": "unknown",
        "parts": (part, part),
        "best": part,
        "count": -3,
        "tags": (),
    }
    assert type(event).__name__ == "Sold"
    assert type(event.best).__name__ == common.Part.__name__
    assert read(data, old, new) == msgspec.to_builtins(event) | {
        "parts": [part, part],
        "tags": [],
    }


def _first(way: str) -> dict[str, Any]:
    part = {"sku": "A", "old": 1}
    return {
        "id": "s-1",
        "gone": {"why": "it rained", "parts": [1, 2**40]},
        "way": way,
        "parts": [part, part],
        "best": part,
        "lost": ["here", "unknown"],
        "count": -3,
    }


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_versions_read_each_other_as_fastavro_does(two_versions: Workshop, data: Any) -> None:
    schemas = load(two_versions.places.root)
    old, new = schemas.history[NAME][1], whole(NAME, schemas)
    (contract,) = two_versions.module("orders").CONTRACTS
    written = write(data.draw(values(old)), old)

    event = contract.decoders[1](written)

    assert event == msgspec.convert(read(written, old, new), contract.type)
    back = write(data.draw(values(new)), new)
    assert set(read(back, new, old)) == {f["name"] for f in old["fields"]}
    for end in range(0, len(written), 5):
        with pytest.raises(DecodeError):
            contract.decoders[1](written[:end])


def test_a_field_without_a_default_can_never_go(workshop: Workshop) -> None:
    workshop.put(WAY, PART, GONE, FIRST)
    make(workshop.places)
    workshop.put(FIRST | {"fields": FIRST["fields"][1:]})

    assert make(workshop.places, freeze=True) == [
        f"{NAME}: version 1 cannot read version 2: {NAME}.id was added without a default"
    ]
    assert not (workshop.places.root / "history").exists()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (field("n", "long"), field("n", "string"), "had another type"),
        (field("n", "long"), field("n", "int"), "had another type"),
        (field("n", "long"), field("n", array("long")), "had another type"),
        (field("n", array("long")), field("n", array("string")), "had another type"),
        (field("n", ["null", "long"], default=None), field("n", "long"), "was nullable"),
        (field("n", "long"), field("m", "long"), "added without a default"),
        (field("n", "lonja.common.Part"), field("n", "lonja.common.Way"), "was a"),
        (field("n", "lonja.common.Part"), field("n", "string"), "had another type"),
    ],
)
def test_what_cannot_be_read_is_named(
    workshop: Workshop, old: dict[str, Any], new: dict[str, Any], reason: str
) -> None:
    assert reason in " ".join(unreadable(*_pair(workshop, old, new)))


def test_an_int_may_be_read_as_a_long_but_is_not_fully_compatible(workshop: Workshop) -> None:
    old, new = _pair(workshop, field("n", "int"), field("n", "long"))

    assert unreadable(old, new) == []
    assert unreadable(new, old) != []


def _pair(
    workshop: Workshop, old: dict[str, Any], new: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    found = []
    for given_field in (old, new):
        workshop.put(WAY, PART, record("Sold", given_field, field("last", "long")))
        found.append(whole(NAME, load(workshop.places.root)))
    return found[0], found[1]


def test_a_missing_version_in_the_history_is_found(two_versions: Workshop) -> None:
    history = two_versions.places.root / "history/orders"
    (history / "Sold.1.avsc").rename(history / "Sold.3.avsc")

    assert any("every version" in reason for reason in incompatible(load(two_versions.places.root)))
