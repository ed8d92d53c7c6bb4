"""A demo run from its opening stock to its report; every step may be repeated after a crash."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from libs.cli.errors import Stop
from libs.cli.output import Output
from services.console.demo import filling, report
from services.console.demo.conclusion import conclude, worth_trying
from services.console.demo.memory import Memory
from services.console.demo.outcome import Outcome
from services.console.demo.outside import Outside
from services.console.demo.readings import Readings
from services.console.demo.report import Facts, percentile
from services.console.demo.screen import Screen
from services.console.demo.shops import Shops
from services.console.http import Http, part
from services.sandbox.retail.plan import RunPlan
from services.sandbox.retail.rows import Row

PAUSE = 0.2
LOOK, RECENT = 1.0, 5  # seconds between looks at latencies, and how far back they go
STALLED = 60.0  # seconds without any movement after which waiting ends
UNLINKED = "unlinked-listing"


# How `_show` counts states; the others stand under their own name.
SHOWN = {"placed": "placed", "part_confirmed": "waiting", "in_fulfilment": "confirmed"}
COUNTED = ("confirmed", "dispatched", "completed", "waiting", "held", "cancelled")


class Play:
    """One run; `keep` writes its memory down whenever a phase is over."""

    def __init__(
        self, memory: Memory, plan: RunPlan, http: Http, outside: Outside, readings: Readings,
        output: Output, judge: Callable[[], Awaitable[Outcome]],
    ) -> None:  # fmt: skip
        self.memory, self.plan, self._http = memory, plan, http
        self._outside, self._shops = outside, Shops(outside.processes["sandbox"])
        self._readings, self._output, self._judge = readings, output, judge
        self._handed = set[str]()
        self._screen = Screen(output)
        self._adjusted = 0
        self._next_look, self._recent = 0.0, list[int]()

    async def stock(self) -> None:
        """Bring the opening stock in, and wait until the shops' side knows every item."""
        say, opening = self._output.say, self.plan.opening
        with self._output.waiting(f"Receiving the opening stock of {len(opening)} SKUs"):
            await filling.fill(self._http, self.memory.run, opening)
            end = time.monotonic() + STALLED
            while await self._readings.known_items() < len(opening):
                if time.monotonic() > end:
                    raise Stop(
                        "items-not-known", "channels does not learn the items; see lonja lag"
                    )
                await asyncio.sleep(0.05)
        units = sum(one.units for one in opening)
        say("stock", f"Opening stock: {units} units of {len(opening)} SKUs.", units=units)

    async def sell(self) -> None:
        """Let the shops sell, and wait until all that they sent has come to rest."""
        await self._shops.sell()
        with self._screen.open():
            await self._rest(selling=True)

    async def link(self) -> None:
        """Show the order of the unlinked listing, link the listing, and wait for the order."""
        number = self.plan.cases.get(UNLINKED)
        if number is None:
            return
        account, external_id = await self._find(number)
        before = await self._readings.order(account, external_id)
        code, sku = next(iter(self.plan.unlinked.items()))
        if before is not None and before["state"] == "held":
            text = f"Order {number} is held for {before['reason']}: nobody has linked {code}."
            self._output.say("held", text, order=number, reason=before["reason"])
        listing = await self._unlinked(account, code)
        if listing is not None:
            path = f"/channels/listings/{part(account)}/{part(listing)}/link"
            await self._http.post(path, {"sku": sku}, key=f"demo-{self.memory.run}-link-{code}")
        await self._rest(selling=False)
        after = await self._readings.order(account, external_id)
        state = after["state"] if after is not None else "missing"
        text = f"Linked {code} to {sku}: order {number} went on by itself and is {state}."
        self._output.say("linked", text, order=number, state=state)

    async def _unlinked(self, account: str, code: str) -> str | None:
        """Return the listing with this channel SKU that nobody has linked yet."""
        page = await self._http.get("/channels/listings", account=account, linked="false")
        found = (one["listing_id"] for one in page["items"] if one["channel_sku"] == code)
        return next(found, None)

    async def _find(self, number: str) -> tuple[str, str]:
        for account, book in (await self._shops.books("orders")).items():
            for order in book["orders"]:
                if order["number"] == number:
                    return account, order["external_id"]
        raise Stop("order-not-sold", f"no shop has sold order {number}")

    async def _rest(self, *, selling: bool) -> None:
        """Return when nothing moves any more, or nothing has moved for too long."""
        calm, moved, last = 0, time.monotonic(), ""
        while calm < 2:
            shops = await self._shops.progress()
            await self._hand_over()
            busy = await self._readings.busy(time.time_ns() // 1000)
            # Whoever is busy anyway need not ask the outside, which has its own work to do.
            busy["outside"] = 1 if any(busy.values()) else await self._outside.pending()
            if selling and shops:
                await self._adjust(shops)
            await self._show(shops)
            done = not selling or bool(shops.get("done"))
            calm = calm + 1 if done and not any(busy.values()) else 0
            now, mark = time.monotonic(), f"{shops} {busy}"
            if mark != last:
                moved, last = now, mark
            if now - moved > STALLED:
                text = f"Nothing has moved for {STALLED:.0f} s: {busy}"
                self._output.say("stalled", text, **busy)
                return
            await asyncio.sleep(PAUSE)

    async def _hand_over(self) -> None:
        """Be the driver who takes along what has left us."""
        codes = [code for code in await self._readings.left() if code not in self._handed]
        if codes and await self._outside.hand_over(codes):
            self._handed.update(codes)

    async def _adjust(self, shops: dict[str, Any]) -> None:
        """Record as many adjustments as belong to the part of the run that is over."""
        moves = self.plan.adjustments
        share = shops["acked"] / max(1, shops["planned"])
        until = len(moves) if shops["done"] else int(len(moves) * share)
        if until > self._adjusted:
            await filling.adjust(self._http, self.memory.run, moves[self._adjusted : until])
            self._adjusted = until

    async def _show(self, shops: dict[str, Any]) -> None:
        counts: dict[str, int] = {}
        for one in await self._readings.standings():
            state = SHOWN.get(one.state, one.state)
            counts[state] = counts.get(state, 0) + one.orders
        now = time.time_ns() // 1000
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + LOOK
            self._recent = await self._readings.latencies(now - RECENT * 1_000_000)
        recent = self._recent
        seen = {
            "received": sum(counts.values()),
            **{name: counts.get(name, 0) for name in COUNTED},
            "rate": len(recent) / RECENT,
            "p50": percentile(recent, 0.5),
            "p99": percentile(recent, 0.99),
        }
        self._screen.update(time.monotonic(), shops, seen)

    async def facts(self, rows: tuple[Row, ...]) -> Facts:
        """Read everything that the report is made of."""
        books, progress = await self._shops.books("deliveries"), await self._shops.progress()
        acknowledged = {
            (account, known_key(book["provider"], key))
            for account, book in books.items()
            for one in book["deliveries"]
            for key in one["acknowledged"]
        }
        once, reads = await self._readings.finished_once(), self._readings
        missing, differing = report.compare(await self._shops.books("orders"), await reads.totals())
        return Facts(
            input=self.plan.input, file=report.file_sum(rows), file_rows=len(rows),
            standings=await reads.standings(), stock=await reads.stock(),
            sent=progress.get("sent", 0), distinct=len(acknowledged),
            effective=len(acknowledged & once), parked=await reads.parked(),
            events=await reads.events(), seconds=await reads.seconds(),
            latencies=await reads.latencies(), synthetic=self.plan.synthetic,
            missing=missing, differing=differing, outcome=await self._judge(),
            placed_minor=sum(one.net for one in self.plan.contents if one.case is None),
        )  # fmt: skip

    async def finish(self, rows: tuple[Row, ...]) -> tuple[dict[str, Any], list[str]]:
        """Say what came out; return the report and what is wrong with it."""
        facts = await self.facts(rows)
        if self.memory.seconds:
            facts = msgspec.structs.replace(facts, seconds=self.memory.seconds)
        faults = report.faults(facts)
        shown = (await self._shops.progress())["showcase"]
        account, external_id = await self._find(shown["order"])
        effects = await self._readings.times_received(account, external_id)
        conclude(self._output, facts, (shown["order"], shown["sent"], effects), faults)
        order = await self._readings.order(account, external_id)
        sku, order_id = self.plan.opening[0].sku, order["order_id"] if order else ""
        worth_trying(self._output, self._http.url, order_id, sku, self._outside.data)
        return report.report(facts), faults


def known_key(provider: str, key: str) -> str:
    """Return the key that channels gives a delivery of the shops' books.

    WooCommerce's parts between topic and hash stand in the hashed body; channels drops them.
    """
    if provider != "woocommerce":
        return key
    source, topic, *_, digest = key.split("|")
    return f"{source}|{topic}|{digest}"
