"""What the store can hold, and states and commands as bytes."""

import msgspec
import pytest
from immutables import Map

from libs.eventsourcing.decider import Decider, Refused
from libs.eventsourcing.guards import cause
from libs.eventsourcing.names import LONGEST, cleaned, holdable, nameable, renamed
from libs.eventsourcing.states import fold_fingerprint, pack, unpack
from tests.contract import toy


class Item(msgspec.Struct, frozen=True):
    units: int


class Shelves(msgspec.Struct, frozen=True):
    items: Map[str, Item] = Map()


@pytest.mark.parametrize(
    ("text", "fits"),
    [("a", True), ("ñ€😀", True), ("a\0", False), ("€\0", False), ("\ud800", False)],
)
def test_a_text_is_holdable_without_nul_and_lone_surrogates(text: str, fits: bool) -> None:
    assert holdable(text) is fits
    assert nameable(text) is fits


def test_a_name_is_neither_empty_nor_longer_than_an_index_takes() -> None:
    assert not nameable("")
    assert nameable("€" * LONGEST)
    assert not nameable("€" * (LONGEST + 1))


@pytest.mark.parametrize("text", ["", "a\0b", "\ud800", "x" * 9999])
def test_what_stands_for_an_impossible_name_is_possible_and_its_own(text: str) -> None:
    assert nameable(renamed(text))
    assert renamed(text) == renamed(text)
    assert renamed(text) != renamed(text + "\0")
    assert holdable(cleaned(text))


def test_a_map_survives_being_stored() -> None:
    state = Shelves(Map({"a": Item(1), "b": Item(2)}))
    assert unpack(Shelves, pack(state)) == state


def test_the_fingerprint_changes_with_the_version_and_the_shape_of_nested_types() -> None:
    class Other(msgspec.Struct, frozen=True):
        units: str

    def made(kind: type, version: int) -> str:
        shape = msgspec.defstruct("State", [("items", Map[str, kind])], frozen=True)  # type: ignore[valid-type]
        return fold_fingerprint(
            Decider("x", None, shape, shape(Map()), lambda _, __: [], lambda s, _: s, version)
        )

    assert made(Item, 1) == made(Item, 1)
    assert made(Item, 1) < made(Item, 2) < made(Item, 10)
    assert made(Item, 1) != made(Other, 1)


def test_a_fault_is_told_by_its_kind_and_place_and_never_by_its_words() -> None:
    try:
        toy.decide(toy.Put("decide-raises"), toy.Shelf())
    except RuntimeError as error:
        code, detail = cause(error)
    assert code == "fault"
    assert detail.startswith("RuntimeError in decide:")
    assert "falls down" not in detail


def test_the_words_of_a_refusal_are_cleaned() -> None:
    assert cause(Refused("a\0", "b\ud800")) == ("a�", "b?")
