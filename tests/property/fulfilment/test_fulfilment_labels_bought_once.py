"""A label is bought once, whatever is lost on the way: the adapter under the worker's policy."""

import asyncio
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from libs.contracts import fulfilment as events
from libs.effects.kinds import Confirmed, EffectKind, NotYet, Rejected, Result, Unknown
from libs.effects.policy import FINAL, step, verdict
from libs.eventsourcing.testing import given as history
from libs.store.store import Call
from services.fulfilment import easypost, easypost_results
from services.fulfilment import shipment_commands as commands
from services.fulfilment.decider import SHIPMENT
from services.fulfilment.process import BUY
from tests.examples import examples
from tests.unit.fulfilment.samples import CARRIED, NOW, bought, cleared, label_of, quoted, share

SECOND = 1_000_000
FAULTS = st.sampled_from(["none", "lost", "before", "throttled", "unreachable", "down", "slow"])


class Desk:
    """A carrier that sells one label per shipment, and whose answers may be lost.

    What it is slow at is sold some questions later; meanwhile it is in progress.
    """

    def __init__(self) -> None:
        self.sold, self.fault, self.busy = 0, "none", 0

    async def get(self, account: str, path: str) -> Result:
        del account, path
        self._go_on()
        return self._answer(Confirmed(self._shipment()))

    def _go_on(self) -> None:
        self.busy, ends = max(0, self.busy - 1), self.busy == 1
        self.sold += ends

    async def post(self, account: str, path: str, body: Any = None) -> Result:
        del account, body
        assert path == "shipments/shp_ep/buy"
        if self.fault in {"before", "throttled", "unreachable", "down"}:
            return self._answer(Confirmed(None))
        if self.sold:
            return self._answer(Rejected("shipment-postage-exists", 422))
        if self.busy:
            self._go_on()
            return self._answer(Rejected("shipment-purchase-in-progress", 422))
        if self.fault == "slow":
            self.busy = 4
            return Unknown("carrier-silent")
        self.sold += 1
        return self._answer(Confirmed(self._shipment()))

    def _answer(self, result: Result) -> Result:
        match self.fault:
            case "none" | "slow":
                return result
            case "throttled":
                return NotYet("throttled", SECOND)
            case "unreachable":
                return NotYet("carrier-unreachable")
            case _:
                return Unknown("carrier-silent")

    def _shipment(self) -> dict[str, Any]:
        label = {"label_url": "https://labels.invalid/1"} if self.sold else None
        return {
            "id": "shp_ep", "postage_label": label, "tracking_code": "TRACK1",
            "tracker": {"id": "trk_1"},
            "selected_rate": {"rate": "4.50", "currency": "GBP", "carrier": "R", "service": "F"},
        }  # fmt: skip


class Purchase(RuleBasedStateMachine):
    """The worker's attempts at one purchase, with crashes between the call and its commit."""

    def __init__(self) -> None:
        super().__init__()
        self.desk, self.now, self.state, self.doubt = Desk(), NOW, "planned", 0
        self.attempt, self.told = 0, list[commands.ShipmentCommand]()
        wanted = events.LabelQuoted(
            entity="main", occurred_at=NOW, shipment_id="shp", label_id=label_of(),
            provider_shipment="shp_ep", provider_rate="rate_1", cost=450, currency="GBP",
            account="post",
        )  # fmt: skip
        self.request = msgspec.msgpack.encode(wanted)
        adapter = easypost.Buys(self.desk)  # type: ignore[arg-type]
        self.kind = EffectKind(
            BUY, adapter, easypost_results.tell_bought, "ask", "easypost", attempts=10**6
        )

    def _call(self) -> Call:
        self.attempt += 1
        return Call(
            f"{label_of()}:buy", BUY, "shipment-shp", self.request, self.attempt, self.attempt,
            self.doubt, NOW,
        )  # fmt: skip

    @rule(fault=FAULTS, crash=st.booleans())
    def attempt_it(self, fault: str, crash: bool) -> None:
        if self.state in FINAL:
            return
        call, self.desk.fault = self._call(), fault
        self.now += SECOND
        taken = step(self.kind, call, self.now)
        assert taken != "queue"
        work = self.kind.adapter.perform if taken == "perform" else self.kind.adapter.ask
        result = asyncio.run(work(call))
        if crash:  # its lease ends: whoever claims it next must think that it took effect
            self.doubt = self.doubt or self.now
            return
        done = verdict(self.kind, call, taken, result, self.now)
        self.state = done.state
        if done.state == "planned":
            self.doubt = 0
        elif done.doubt:
            self.doubt = self.doubt or self.now
        if done.state in FINAL:
            told = self.kind.tell(call, result, self.now)
            assert told is not None
            self.told.append(told)

    @invariant()
    def at_most_one_is_sold(self) -> None:
        assert self.desk.sold <= 1

    def teardown(self) -> None:
        """With a carrier that answers it ends, and the parcel has the label that was sold."""
        for _ in range(8):
            if self.state not in FINAL:
                self.attempt_it("none", False)
        assert self.desk.sold == 1
        assert [type(one) for one in self.told] == [commands.RecordLabel]


TestPurchase = Purchase.TestCase
TestPurchase.settings = settings(max_examples=examples(60), stateful_step_count=15, deadline=None)


def test_a_label_that_is_told_of_twice_is_written_down_once() -> None:
    outcome = history(SHIPMENT).when(share(policy=CARRIED), quoted(), bought(), bought(), cleared())
    assert outcome.state.status == "dispatched"
    again = history(SHIPMENT).when(share(policy=CARRIED), quoted(), quoted())
    assert again.events == []


def test_a_purchase_that_is_in_progress_at_the_carrier_is_not_refused() -> None:
    """Else a person would have another label bought, and nobody would give the first one back."""
    purchase = Purchase()
    for fault in ("slow", "none", "none", "none"):
        purchase.attempt_it(fault, False)
    purchase.teardown()
