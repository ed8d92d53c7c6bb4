"""The outside systems' own books beside ours: money by holder, labels, what shops were told."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import aiohttp

from services.console.audit.money import MoneyCheck
from services.console.audit.parcels import ParcelsCheck
from services.console.audit.record import Check, Finding
from services.console.audit.reports import ReportsCheck

Found = tuple[list[Finding], Mapping[str, Any]]


async def compare(name: str, url: str, checks: Mapping[str, Check]) -> Found:
    """Read one system's books and compare; `name` is payments, carrier, or a shop's account.

    A system that cannot be reached is a finding: nothing is proved about it.
    """
    judge = _JUDGES.get(name, _shop)
    try:
        return await judge(name, url, checks)
    except (aiohttp.ClientError, TimeoutError, KeyError, ValueError) as error:
        text = f"{url} cannot be read ({type(error).__name__}); `lonja demo` keeps the demo's up"
        return [Finding("P3", "books-unreachable", name, text)], {}


async def _get(url: str) -> Any:
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(timeout=timeout) as http, http.get(url) as answer:
        answer.raise_for_status()
        return await answer.json()


async def _payments(name: str, url: str, checks: Mapping[str, Check]) -> Found:
    del name
    books, money = await _get(f"{url}/books"), checks["money"]
    assert isinstance(money, MoneyCheck)
    return at_provider(books, money)


def at_provider(books: Any, money: MoneyCheck) -> Found:
    """What the provider holds = captured less refunded, give or take what is in doubt of each.

    A doubt about setting money aside, or giving that back, moves none.
    """
    holder = books["account"]
    taken = Counter[str](books["captured_minor"])
    taken.subtract(books["refunded_minor"])
    ours = money.taken(holder)
    found = []
    for currency in sorted(taken.keys() | ours.keys()):
        here, there, doubt = ours[currency], taken[currency], money.unknown(holder, currency)
        if not here - doubt["refund"] <= there <= here + doubt["capture"]:
            text = (
                f"the provider has {there} {currency}, we say {here} with {doubt['capture']} of "
                f"captures and {doubt['refund']} of refunds in doubt"
            )
            found.append(Finding("P3", "books-differ", holder, text))
    for one in books["double_charges"]:
        text = f"{one['intent']} was captured by {', '.join(one['payment_intents'])}"
        found.append(Finding("P3", "charged-twice", holder, text))
    figures = {
        "holder": holder, "books_minor": taken.total(), "captured_minor": ours.total(),
        "unknown_minor": money.unknown(holder).total(), "faults": books["faults"],
        "double_charges": len(books["double_charges"]),
    }  # fmt: skip
    return found, figures


async def _carrier(name: str, url: str, checks: Mapping[str, Check]) -> Found:
    del name
    books, parcels = await _get(f"{url}/books"), checks["parcels"]
    assert isinstance(parcels, ParcelsCheck)
    return at_carrier(books, parcels)


def at_carrier(books: Any, parcels: ParcelsCheck) -> Found:
    """Each label in force is one of ours, and none is bought twice for one parcel."""
    ours = {record.data["provider_shipment"] for record in parcels.labels.values()}
    theirs = {one["shipment"]: one for one in books["labels"]}
    found = [
        Finding("P1", "label-bought-twice", one["reference"], ", ".join(one["shipments"]))
        for one in books["bought_twice"]
    ]
    for shipment, one in theirs.items():
        known = shipment in ours or shipment in parcels.returned
        if not known and not one["given_back"]:
            text = f"the carrier sold a label for {one['reference']} that we know nothing of"
            found.append(Finding("P3", "label-unknown", shipment, text))
    for shipment in ours - theirs.keys():
        text = "we bought a label that the carrier knows nothing of"
        found.append(Finding("P3", "label-not-in-books", shipment, text))
    figures = {"bought": books["bought"], "bought_twice": len(books["bought_twice"]),
               "faults": books["faults"], "by_status": books["by_status"]}  # fmt: skip
    return found, figures


async def _shop(name: str, url: str, checks: Mapping[str, Check]) -> Found:
    """Each dispatch stands in the shop's own books once; what it has is what we say it holds."""
    told = await _get(f"{url}/books/{name}/reports")
    orders = (await _get(f"{url}/books/{name}/orders"))["orders"]
    money, reports = checks["money"], checks["reports"]
    assert isinstance(money, MoneyCheck)
    assert isinstance(reports, ReportsCheck)
    found = [
        Finding("P9", "told-twice", f"{name} {number}", f"{mark} stands twice in the shop's books")
        for number, mark in told["told_twice"]
    ]
    ours = reports.confirmed_codes(name)
    theirs = {one["tracking"] for one in told["dispatches"] if one["tracking"]}
    for code in sorted(ours - theirs):
        text = f"the shop confirmed {code}, and its books do not have it"
        found.append(Finding("P9", "confirmed-not-in-books", name, text))
    for code in sorted(theirs - reports.codes(name)):
        text = f"the shop has {code}, which nobody here has told it"
        found.append(Finding("P9", "in-books-not-told", name, text))
    found += by_order(name, orders, money)
    taken = sum(one["taken_minor"] for one in orders)
    captured = money.taken(name).total()
    if taken != captured:
        text = f"the shop has {taken}, we say {captured}"
        found.append(Finding("P3", "books-differ", name, text))
    figures = {
        "holder": name, "books_minor": taken, "captured_minor": captured,
        "owed_minor": sum(one["owed_minor"] for one in orders),
        "unknown_minor": money.unknown(name).total(), "dispatches": len(told["dispatches"]),
        "cancellations": len(told["cancellations"]), "told_twice": len(told["told_twice"]),
        "faults": told["faults"],
    }  # fmt: skip
    return found, figures


def by_order(name: str, orders: Sequence[Any], money: MoneyCheck) -> list[Finding]:
    """Compare each order: what the shop has of it, and that what it owes is on its way back."""
    found = []
    for one in orders:
        subject = f"{name} {one['number']}"
        ours, back = money.at_channel(name, one["external_id"])
        if ours != one["taken_minor"]:
            text = f"the shop has {one['taken_minor']} of it, we say {ours}"
            found.append(Finding("P3", "order-books-differ", subject, text))
        if one["owed_minor"] > back:
            text = f"the shop owes its buyer {one['owed_minor']}, {back} stand in a queue"
            found.append(Finding("P3", "owed-not-queued", subject, text))
    return found


_JUDGES: Mapping[str, Callable[[str, str, Mapping[str, Check]], Awaitable[Found]]] = {
    "payments": _payments,
    "carrier": _carrier,
}
