"""What a shop says after the seller's report is, to the receiver, the same order a little later."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from msgspec import json

from libs.contracts import common
from services.channels.adapters import shopify, standard, woocommerce
from services.channels.adapters.neutral import Terms, Whole
from services.sandbox.config import Settings, shops
from services.sandbox.retail import rows
from services.sandbox.retail.content import State
from services.sandbox.retail.plan import plan_run
from services.sandbox.shops import render
from services.sandbox.shops.reported import Report

READERS = {"shopify": shopify, "woocommerce": woocommerce, "standard": standard}
SECRETS = {"shopify-uk": "a", "woo-uk": "b", "store-uk": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLjSw"}
TOPICS = {"shopify": "orders/updated", "woocommerce": "order.updated", "standard": "order.updated"}
DECODER = json.Decoder(float_hook=Decimal)
PLANS = {paid: plan_run(rows.read(), 7, 200, paid) for paid in ("channel", "us")}


@dataclass(frozen=True)
class Reading:
    """An account's orders as its adapter reads them, before and after a report."""

    account: str

    def read(self, state: State, *reports: Report, custody: common.Custody = "us") -> Whole:
        shop = shops(Settings(SECRETS))[self.account]
        message: Any = DECODER.decode(
            render.body(shop, TOPICS[shop.provider], state, None, reports)
        )
        terms = Terms(self.account, "main", "Europe/London", "backorder", 0, custody)
        found = READERS[shop.provider].understand(TOPICS[shop.provider], message, terms)
        assert isinstance(found, Whole)
        return found

    def states(self, paid: str = "channel") -> list[State]:
        return [
            one.state
            for one in PLANS[paid].happenings
            if one.state.content.account.name == self.account and one.state.status == "open"
        ]


@pytest.mark.parametrize("account", sorted(SECRETS))
def test_a_dispatch_changes_the_version_and_nothing_that_was_ordered(account: str) -> None:
    reading = Reading(account)
    for state in reading.states()[:30]:
        lines = {line.id: state.remaining(line) for line in state.content.lines}
        told = {"status": "completed", "meta_data": []}
        report = Report(account, state.content.number, "dispatch", 1, 0, 0, lines, "T1", told=told)
        before, after = reading.read(state).order, reading.read(state, report).order
        assert after.version.updated_at > before.version.updated_at
        same = {"version": before.version, "status_word": before.status_word}
        assert msgspec.structs.replace(after, **same) == before


@pytest.mark.parametrize("account", sorted(SECRETS))
def test_a_cancellation_of_ours_is_read_as_one(account: str) -> None:
    reading = Reading(account)
    state = next(one for one in reading.states() if not one.cancelled)
    lines = {line.id: line.quantity for line in state.content.lines}
    told = {"status": "cancelled", "meta_data": []}
    report = Report(account, state.content.number, "cancellation", 1, 0, 0, lines, told=told)
    assert reading.read(state, report).order.cancelled


def test_an_order_that_we_are_to_charge_is_committed_unpaid_and_has_its_means() -> None:
    reading = Reading("store-uk")
    for state in reading.states("us"):
        order = reading.read(state).order
        assert (order.commitment, order.funds) == ("committed", "none")
        if state.content.total:
            (tender,) = order.tenders
            assert (tender.kind, tender.reference) == ("card", state.content.means)
            assert tender.amount == state.content.total
