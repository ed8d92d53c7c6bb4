"""What a demo run must know of itself after any crash: its seed, its input, its keys, its phase."""

import base64
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from libs.cli.errors import Stop
from services.console.places import private
from services.sandbox.retail.orders import ACCOUNTS

NAME = "demo.json"
Phase = Literal["stock", "selling", "linking", "finished"]


class Memory(msgspec.Struct, frozen=True):
    """A run. `run` is in every idempotency key; times are microseconds; `orders` None means all.

    `secrets` sign the shops' webhooks, by account; `keys` are what the services call the shops, the
    payment provider and the carrier with, and what the latter two sign theirs with.
    """

    run: str
    seed: int
    orders: int | None
    rate: float | None
    rows: str | None
    secrets: Mapping[str, str]
    keys: Mapping[str, str]
    started_at: int
    phase: Phase = "stock"
    seconds: float = 0.0


def begin(*, seed: int | None, orders: int | None, rate: float | None, rows: Path | None) -> Memory:
    """Return a new run with random secrets, the second part of a rotation left out."""
    return Memory(
        run=secrets.token_hex(4),
        seed=1 if seed is None else seed,
        orders=orders,
        rate=rate,
        rows=None if rows is None else str(rows.resolve()),
        secrets={one.name: _secret(one.provider) for one in ACCOUNTS},
        keys=_keys(),
        started_at=time.time_ns() // 1000,
    )


def _secret(provider: str) -> str:
    if provider == "standard":
        return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    return secrets.token_hex(24)


def _keys() -> Mapping[str, str]:
    """Return the shops' tokens (WooCommerce's a pair), and a key and a secret by provider."""
    keys = {}
    for one in ACCOUNTS:
        token = secrets.token_hex(20)
        pair = one.provider == "woocommerce"
        keys[one.name] = f"ck_{token}:cs_{secrets.token_hex(20)}" if pair else token
    for name in ("card", "post"):
        keys[name] = f"sk_test_{secrets.token_hex(16)}"
        keys[f"{name} webhooks"] = f"whsec_{secrets.token_hex(24)}"
    return keys


def keep(data: Path, memory: Memory) -> Memory:
    """Write a run down, readable by this account only."""
    private(data / NAME, msgspec.json.encode(memory).decode())
    return memory


def recall(data: Path) -> Memory | None:
    """Return the run of this folder, or None. Raises Stop where the file is no run."""
    path = data / NAME
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Memory)
    except msgspec.DecodeError as error:
        raise Stop("demo-unreadable", f"{path} is no demo run ({error}); use --fresh") from error


def same_input(memory: Memory, *, seed: int | None, orders: int | None, rows: Path | None) -> bool:
    """Tell whether options ask for the run that is there."""
    return (
        seed in {None, memory.seed}
        and orders in {None, memory.orders}
        and (rows is None or str(rows.resolve()) == memory.rows)
    )
