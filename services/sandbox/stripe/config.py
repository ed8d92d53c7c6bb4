"""What a Stripe-shaped process is told."""

from msgspec import Struct

from services.sandbox.chance import Faults
from services.sandbox.hooks import Pace
from services.sandbox.reading import Given

DAY = 86_400


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """Durations are seconds of the provider's own clock, which runs `speed` times as fast as ours.

    `order_key` and `intent_key` name the metadata by which the books tell orders and the caller's
    own intents apart. `short_share` of the authorisations end after `short_seconds`, the others
    after `authorisation_seconds`; a buyer who is asked to act answers after `action_seconds`, and
    `action_succeeds` of them successfully. A search finds an object after `search_lag`. Webhooks
    go out for `enabled_events` only, as an endpoint chooses them at Stripe ("*": all).
    """

    api_key: Given
    webhook_secret: Given
    account: str = "stripe-main"
    path: str = "/payments/webhooks/stripe/{account}"
    enabled_events: tuple[str, ...] = ("*",)
    seed: int = 1
    speed: float = 1.0
    order_key: str = "lonja_order"
    intent_key: str = "lonja_intent"
    authorisation_seconds: int = 7 * DAY
    short_share: float = 0.0
    short_seconds: int = 3_600
    action_seconds: int = 600
    action_succeeds: float = 0.7
    search_lag: float = 20.0
    key_seconds: int = DAY
    faults: Faults = Faults()
    hooks: Pace = Pace()
