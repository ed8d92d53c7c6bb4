"""From a planned delivery to the bytes and headers on the wire; pure, the clock is handed in."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from msgspec import Struct, json

from services.sandbox.retail.content import Content, State
from services.sandbox.retail.mischief import STEP, Delivery
from services.sandbox.retail.plan import RunPlan
from services.sandbox.shops import (
    reported,
    shopify,
    shopify_parts,
    signing,
    standard,
    woocommerce,
)
from services.sandbox.shops.reported import Report
from services.sandbox.shops.shapes import naive_utc
from services.sandbox.shops.signing import Shop

_PAYLOADS: Mapping[str, Callable[[State, str, State | None], dict[str, Any]]] = {
    "shopify": shopify.payload,
    "woocommerce": woocommerce.payload,
    "standard": standard.payload,
}
_SIGN: Mapping[str, Callable[[Shop, Delivery, bytes, int], dict[str, str]]] = {
    "shopify": signing.shopify,
    "woocommerce": signing.woocommerce,
    "standard": signing.standard,
}
_IDS: Mapping[str, Callable[[Content], int | str]] = {
    "shopify": shopify_parts.order_id,
    "woocommerce": woocommerce.order_id,
    "standard": standard.order_id,
}


class Wire(Struct, frozen=True):
    """What is sent. `key` is the delivery's identity by the provider's documentation."""

    path: str
    headers: dict[str, str]
    body: bytes
    key: str


class Timeline(Struct, frozen=True):
    """Each order's states with the position from which they hold."""

    states: dict[str, tuple[tuple[int, State], ...]]

    def at(self, number: str, position: int) -> State:
        """The newest state at a position; the first one before that."""
        states = self.states[number]
        held = [state for since, state in states if since <= position]
        return held[-1] if held else states[0][1]

    def before(self, number: str, version: int) -> State | None:
        found = [state for _, state in self.states[number] if state.version < version]
        return found[-1] if found else None


def timeline(plan: RunPlan) -> Timeline:
    found: dict[str, dict[int, tuple[int, State]]] = {}
    for delivery in plan.deliveries:
        state = plan.happenings[delivery.happening].state
        since = delivery.id * STEP
        found.setdefault(delivery.number, {}).setdefault(state.version, (since, state))
    return Timeline({number: tuple(v[k] for k in sorted(v)) for number, v in found.items()})


def external_id(content: Content) -> str:
    return str(_IDS[content.account.provider](content))


def path(shop: Shop) -> str:
    """Where the receiver takes this shop's webhooks."""
    return f"/channels/webhooks/{shop.provider}/{shop.account}"


def body(
    shop: Shop, topic: str, state: State, before: State | None, reports: Sequence[Report] = ()
) -> bytes:
    """The payload of a topic with what the seller has reported laid over it."""
    now = reported.told(state, reports) if reports else state
    payload = _PAYLOADS[shop.provider](now, topic, before)
    return json.encode(reported.SHOWN[shop.provider](payload, now, reports))


def signed(shop: Shop, delivery: Delivery, content: bytes, now: int) -> dict[str, str]:
    """The headers of one attempt at `now`, in microseconds."""
    return _SIGN[shop.provider](shop, delivery, content, now)


def wire(
    shop: Shop,
    delivery: Delivery,
    sent_state: State,
    before: State | None,
    now: int,
    reports: Sequence[Report] = (),
) -> Wire:
    """One attempt at `now` (microseconds), with the state that the caller chose."""
    content = body(shop, delivery.topic, sent_state, before, reports)
    held = reported.told(sent_state, reports) if reports else sent_state
    return Wire(
        path=path(shop),
        headers=signed(shop, delivery, content, now),
        body=content,
        key=_key(shop, delivery, held, content),
    )


def _key(shop: Shop, delivery: Delivery, state: State, body: bytes) -> str:
    match shop.provider:
        case "woocommerce":
            source = f"https://{shop.host}/"
            resource = external_id(state.content)
            modified = naive_utc(state.updated_at)
            parts = (source, delivery.topic, resource, modified, sha256(body).hexdigest())
            return "|".join(parts)
        case "standard":
            return f"msg_{delivery.key.replace('-', '')}"
        case _:
            return delivery.key
