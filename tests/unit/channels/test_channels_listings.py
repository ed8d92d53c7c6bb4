"""What a listing sells, and the lines that wait for it."""

from typing import Any

from libs.contracts import channels, common
from libs.eventsourcing.testing import given
from services.channels import commands
from services.channels.listing_decider import LISTING
from services.channels.read_model import ItemRow, ListingRow
from services.channels.suggestions import suggest

TEE = common.Component(sku="TEE", units=1)


def need(line: Any = "ln_1", order: Any = "2001") -> Any:
    return commands.NeedListing(
        entity="main", account="shop", listing_id="501", channel_sku="tee", title="T-shirt",
        external_id=order, line_id=line, at=1,
    )  # fmt: skip


def link(sku: Any = "TEE", units: Any = 1, by: Any = "operator") -> Any:
    return commands.LinkListing(
        entity="main", account="shop", listing_id="501", channel_sku="tee", sku=sku,
        units_per_listing=units, components=(common.Component(sku=sku, units=1),), by=by, at=2,
    )  # fmt: skip


UNLINK = commands.UnlinkListing(
    entity="main", account="shop", listing_id="501", by="operator", at=3
)


def types(*said: Any) -> Any:
    state, found = LISTING.initial, []
    for command in said:
        for event in LISTING.decide(command, state):
            state = LISTING.evolve(state, event)
            found.append(type(event).__name__.removeprefix("Listing"))
    return found


def test_a_line_waits_once_and_the_link_resolves_every_line_that_waits() -> None:
    assert types(need(), need(), need("ln_2"), link()) == [
        "Needed", "Needed", "Linked", "LineResolved", "LineResolved",
    ]  # fmt: skip


def test_a_line_that_asks_after_the_link_is_answered_at_once_and_once() -> None:
    assert types(link(), need(), need()) == ["Linked", "LineResolved"]


def test_a_resolved_line_takes_the_units_of_the_listing() -> None:
    outcome = given(LISTING).when(need(), link(units=6))
    resolved = outcome.events[1]
    assert isinstance(resolved, channels.ListingLineResolved)
    assert resolved.components == (common.Component(sku="TEE", units=6),)
    assert outcome.events[0].components == (TEE,)


def test_linking_the_same_again_changes_nothing_and_another_sku_does() -> None:
    assert types(link(), link()) == ["Linked"]
    assert types(link(), link("MUG")) == ["Linked", "Linked"]


def test_a_rule_never_overrules_a_person() -> None:
    rule = commands.EQUAL_SKU
    assert types(link("MUG"), link(by=rule)) == ["Linked"]
    assert types(link(by=rule), UNLINK, UNLINK, link(by=rule)) == ["Linked", "Unlinked"]
    assert types(UNLINK, link()) == ["Unlinked", "Linked"]


def test_suggestions_are_by_sku_then_barcode_then_spelling() -> None:
    items = [
        ItemRow("TEE-RED", "Red t-shirt"), ItemRow("5012345", "Mug"), ItemRow("TEE-RDE", "Other"),
        ItemRow("X", "Something else", barcode="TEE-RED"),
    ]  # fmt: skip
    found = suggest(ListingRow("shop", "501", channel_sku=" tee-red", title="Red T-Shirt"), items)
    assert [(one.sku, one.why) for one in found] == [
        ("TEE-RED", "equal-sku"), ("X", "barcode"), ("TEE-RDE", "spelling"),
    ]  # fmt: skip
