"""What is said next about an order, as calls that a person can paste. Sends nothing itself."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from services.console.queues import Waiting

_TO_ORDERS = frozenset({"retry", "backorder", "cancel", "reship", "refund", "claim", "accept"})
# What one word says. Others need more (adopt, bought, paid-back), and nothing is offered in their
# stead: /docs says what they need.
_ELSEWHERE = {
    "payments": frozenset({"retry", "settle"}), "channels": frozenset({"retry", "confirmed"}),
    "fulfilment": frozenset(
        {"new-label", "keep", "delivered", "given-back", "not-given-back"}
    ),
}  # fmt: skip
_BY_ITSELF = "unlinked-listing"  # a hold that ends with its cause, and by nobody's word


class Call(NamedTuple):
    """A write: where to, what, and which other decisions may stand in it."""

    path: str
    body: Mapping[str, str]
    others: Sequence[str] = ()


def for_order(row: Mapping[str, Any]) -> Iterator[Call]:
    """Give what an order's next action is said by; none where it is said elsewhere."""
    action, path = row["next_action"], f"/orders/{row['order_id']}"
    decide = re.search(r"\bdecide\b(.*)", action)
    words = _words(decide[1] if decide else action, _TO_ORDERS - (set() if decide else {"cancel"}))
    if words:
        yield Call(f"{path}/decisions", {"decision": words[0]}, words[1:])
    for name, hold in row["holds"].items():
        if hold["reason"] != _BY_ITSELF and "release" in action:
            yield Call(f"{path}/holds/{name}/release", {})
    if not decide and re.search(r"\bcancel\b", action):
        yield Call(f"{path}/cancellations", {})


def elsewhere(one: Waiting) -> Iterator[Call]:
    """Give what is said to another service than orders, where one word says it."""
    here = re.search(r"\bhere: (.*)", one.next_action)
    action = here[1] if here else one.next_action
    words = _words(action, _ELSEWHERE.get(one.service, frozenset()))
    if words and one.decisions:
        yield Call(one.decisions, {"decision": words[0]}, words[1:])


def _words(action: str, known: frozenset[str]) -> list[str]:
    return [word for word in re.findall(r"[a-z-]+", action) if word in known]


def pasted(call: Call, url: str, key: str, token: bool) -> str:
    """Return a call as a shell takes it; by its own `key` pasting it twice does it once."""
    headers = ["Content-Type: application/json", f"Idempotency-Key: {key}"]
    told = " ".join(f"-H '{one}'" for one in headers)
    told += ' -H "Authorization: Bearer $LONJA_TOKEN"' if token else ""
    others = f"  # or {', '.join(call.others)}" if call.others else ""
    return f"curl {url}{call.path} {told} -d '{json.dumps(call.body)}'{others}"
