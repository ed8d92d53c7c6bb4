"""Stripe's GET endpoints: retrieve, list newest first, search by metadata. They change nothing.

Source: docs.stripe.com/api/pagination, /api/expanding_objects and /docs/search: a search finds a
new object only after a while, a retrieve and a list see it at once.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from services.sandbox.stripe import objects
from services.sandbox.stripe.account import Account
from services.sandbox.stripe.refusals import Refused, invalid, no_such

Json = dict[str, Any]
_KINDS = {
    "payment_intents": "payment_intent",
    "charges": "charge",
    "refunds": "refund",
    "balance_transactions": "balance_transaction",
    "events": "event",
}
_PATH = re.compile(r"/v1/(payment_intents|charges|refunds|balance_transactions|events)(?:/(\w+))?")
_EXPANDS = {
    "latest_charge": "charge",
    "charge": "charge",
    "payment_intent": "payment_intent",
    "balance_transaction": "balance_transaction",
}
_FILTERS = ("payment_intent", "charge", "type", "source", "customer", "currency")
_CLAUSE = re.compile(
    r"""\s*(?:metadata\[(["'])(?P<name>[^"']+)\1\]|(?P<field>status|currency|customer))"""
    r"""\s*:\s*(["'])(?P<value>[^"']*)\4\s*"""
)


def answer(account: Account, path: str, given: Json, now: float) -> Json:
    """The body of a GET. Raises Refused."""
    found = _PATH.fullmatch(path)
    if found is None:
        text = f"Unrecognized request URL (GET: {path[:120]})."
        raise Refused(404, "invalid_request_error", "", text)
    kind, number = _KINDS[found[1]], found[2]
    if number == "search" and kind == "payment_intent":
        return _search(account, given, now)
    if number is None:
        return _list(account, kind, path, given)
    one = account.find(kind, number)
    if one is None:
        raise no_such(kind, number, "id")
    return expanded(one, given, account.find)


def expanded(one: Json, given: Json, find: Callable[[str, str], Json | None]) -> Json:
    """The object with the asked-for parts in place of their ids, one level deep or two."""
    for path in given.get("expand") or []:
        one = _expand(one, str(path).split("."), find)
    return one


def _expand(one: Json, path: list[str], find: Callable[[str, str], Json | None]) -> Json:
    name, *rest = path
    if name not in _EXPANDS or name not in one:
        raise invalid("expand", f"This property cannot be expanded ({name[:40]}).")
    inner = one[name]
    if isinstance(inner, str):
        inner = find(_EXPANDS[name], inner)
    return one | {name: _expand(inner, rest, find) if rest and inner else inner}


def _limit(given: Json) -> int:
    asked = str(given.get("limit", "10"))
    if not asked.isdigit() or not 1 <= int(asked) <= 100:
        raise invalid("limit", "limit must be between 1 and 100.")
    return int(asked)


def _list(account: Account, kind: str, path: str, given: Json) -> Json:
    chosen = [one for one in reversed(_candidates(account, kind, given)) if _fits(one, given)]
    after = given.get("starting_after")
    if after is not None:
        places = [place for place, one in enumerate(chosen) if one["id"] == after]
        if not places:
            raise no_such(kind, str(after), "starting_after")
        chosen = chosen[places[0] + 1 :]
    return _page(account, path, chosen, given)


def _candidates(account: Account, kind: str, given: Json) -> list[Json]:
    intent = given.get("payment_intent")
    if intent is not None and kind in {"charge", "refund"}:
        return account.of_intent(kind, str(intent))
    return list(account.objects[kind].values())


def _fits(one: Json, given: Json) -> bool:
    created = given.get("created") or {}
    if not isinstance(created, dict):
        raise invalid("created", "created takes gt, gte, lt and lte.")
    try:
        return all(given[name] == one.get(name) for name in _FILTERS if name in given) and (
            int(created.get("gte") or 0) <= one["created"]
            and int(created.get("gt") or -1) < one["created"]
            and one["created"] <= int(created.get("lte") or one["created"])
            and one["created"] < int(created.get("lt") or one["created"] + 1)
        )
    except ValueError as error:
        raise invalid("created", "created takes seconds since the epoch.") from error


def _page(account: Account, path: str, chosen: list[Json], given: Json) -> Json:
    limit = _limit(given)
    deeper = {"expand": [str(one).removeprefix("data.") for one in given.get("expand") or []]}
    page = [expanded(one, deeper, account.find) for one in chosen[:limit]]
    return objects.listing(path, page, has_more=len(chosen) > limit)


def _search(account: Account, given: Json, now: float) -> Json:
    clauses = _clauses(str(given.get("query") or ""))
    named = [(name, value) for kind, name, value in clauses if kind == "metadata"]
    found: Iterable[Json] = account.objects["payment_intent"].values()
    if named:
        found = account.with_metadata(*named[0])
    settled = now - account.settings.search_lag
    chosen = [
        one
        for one in found
        if one["created"] <= settled and all(_matches(one, part) for part in clauses)
    ]
    page = _page(account, "/v1/payment_intents/search", chosen[::-1], given)
    return page | {"object": "search_result", "next_page": None}


def _clauses(query: str) -> list[tuple[str, str, str]]:
    found = []
    for part in re.split(r"\s+AND\s+", query):
        clause = _CLAUSE.fullmatch(part)
        if clause is None:
            raise invalid("query", "We were unable to parse your search query.")
        kind = "metadata" if clause["name"] else "field"
        found.append((kind, clause["name"] or clause["field"], clause["value"]))
    return found


def _matches(one: Json, clause: tuple[str, str, str]) -> bool:
    kind, name, value = clause
    held = one["metadata"].get(name) if kind == "metadata" else one.get(name)
    return bool(held == value)
