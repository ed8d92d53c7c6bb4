"""What a sandbox run is told: read from a JSON file, checked on the way in."""

from pathlib import Path
from typing import Literal

from msgspec import Struct

from services.sandbox.chance import Faults
from services.sandbox.hooks import Pace
from services.sandbox.reading import read
from services.sandbox.retail.orders import ACCOUNTS
from services.sandbox.shops.signing import Shop


class Admin(Struct, frozen=True, forbid_unknown_fields=True):
    """The shops' own APIs: who may call them, and what they do to a caller.

    `tokens` by account: Shopify's access token, WooCommerce's `key:secret`, the store's bearer
    token; an account without one admits nobody.
    `points` and `points_per_second` are Shopify's bucket of query costs (its standard plan's).
    """

    tokens: dict[str, str] = {}
    faults: Faults = Faults()
    points: float = 2000
    points_per_second: float = 100
    hooks: Pace = Pace()


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """`secrets` by account: text for Shopify and WooCommerce, base64 (`whsec_…`) for the store.

    `rate` is orders per second over all shops (None: as fast as they are accepted); retries wait
    their provider's schedule times `time_scale`, at least `retry_floor` and at most `retry_cap`
    seconds. `store_paid_by` "us": the own store's orders come unpaid, with a means of payment.
    """

    secrets: dict[str, str]
    seed: int = 1
    orders: int | None = None
    rows: str | None = None
    rate: float | None = None
    in_flight: int = 16
    timeout: float = 5.0
    time_scale: float = 0.001
    retry_floor: float = 0.05
    retry_cap: float = 5.0
    store_paid_by: Literal["channel", "us"] = "channel"
    admin: Admin = Admin()


def read_settings(path: Path) -> Settings:
    """Raises ValueError naming the file, or the account that has no secret."""
    settings = read(path, Settings)
    missing = [one.name for one in ACCOUNTS if not settings.secrets.get(one.name)]
    if missing:
        raise ValueError(f"{path}: secrets has none for {', '.join(missing)}")
    return settings


def shops(settings: Settings) -> dict[str, Shop]:
    return {
        one.name: Shop(one.name, one.provider, settings.secrets[one.name], webhook_id=index)
        for index, one in enumerate(ACCOUNTS, start=1)
    }
