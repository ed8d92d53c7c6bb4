"""The configuration: `lonja.toml`, overridden by the environment. Reads it; decides nothing."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from libs.runtime.errors import ConfigurationError
from libs.security.secrets import Secret

__all__ = [
    "Account",
    "ConfigurationError",
    "Limits",
    "Location",
    "PaymentAccount",
    "Server",
    "Settings",
    "load",
]

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Account(_Section):
    """One connection to a shop or marketplace."""

    provider: Literal["shopify", "woocommerce", "standard"]
    webhook_secrets: tuple[str, ...] = Field(default=(), repr=False)
    webhook_secrets_file: Path | None = None
    entity: str = "main"
    currency: str = Field(default="GBP", pattern="^[A-Z]{3}$")
    time_zone: str = "Europe/London"
    shortage: Literal["backorder", "split", "cancel"] = "backorder"
    decide_within_hours: int = Field(default=48, ge=1, le=24 * 60)
    hold_minutes: int = Field(default=60, ge=1, le=60 * 24 * 30)
    priority: int = Field(default=100, ge=0, le=1000)
    custody: Literal[
        "us", "channel_captures_at_our_order", "channel_remits_gross", "channel_remits_net"
    ] = "channel_remits_gross"
    payments: str | None = None  # the payments account that charges where custody is us

    def secrets(self) -> tuple[Secret, ...]:
        """Return the webhook secrets, newest first; two during a rotation."""
        return _secrets(self.webhook_secrets, self.webhook_secrets_file)


def _secrets(listed: tuple[str, ...], file: Path | None) -> tuple[Secret, ...]:
    if file is not None:
        listed += tuple(file.read_text().split())
    return tuple(Secret(value) for value in listed)


class PaymentAccount(_Section):
    """One account with a payment provider."""

    provider: Literal["stripe"]
    api_url: str = Field(default="https://api.stripe.com", pattern="^https?://[^ ?#]+$")
    api_key: str = Field(default="", repr=False)
    api_key_file: Path | None = None
    webhook_secrets: tuple[str, ...] = Field(default=(), repr=False)
    webhook_secrets_file: Path | None = None
    second_parcel: Literal["capture_all", "one_parcel", "capture_then_reauthorise"] = "one_parcel"
    authorisation_expiry: Literal["capture", "reauthorise", "release"] = "release"
    expiry_margin_hours: int = Field(default=24, ge=0, le=24 * 7)
    accept_risk_minor: int = Field(default=0, ge=0)
    statement: str = Field(default="", max_length=22)

    def secrets(self) -> tuple[Secret, ...]:
        """Return the webhook secrets, newest first; two during a rotation."""
        return _secrets(self.webhook_secrets, self.webhook_secrets_file)

    def key(self) -> Secret:
        """Return the key of the provider's API."""
        if self.api_key_file is not None:
            return Secret(self.api_key_file.read_text().strip())
        return Secret(self.api_key)


class Location(_Section):
    """A place where units are kept."""

    kind: Literal["own", "third_party", "channel", "store", "transit"] = "own"
    master: Literal["us", "them"] = "us"


class Server(_Section):
    """Where the HTTP server listens; another address than loopback needs tokens."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    tokens: Mapping[str, Literal["reader", "operator"]] = Field(default_factory=dict, repr=False)


class Limits(_Section):
    """Bounds that protect the service."""

    webhook_bytes: int = Field(default=256 * 1024, ge=1024)
    inbox_days: int = Field(default=30, ge=1)
    keys_days: int = Field(default=90, ge=1)


class Settings(_Section):
    """Everything that can be configured; each key is described in `lonja.example.toml`."""

    server: Server = Server()
    limits: Limits = Limits()
    channels: Mapping[Name, Account] = Field(default_factory=dict)
    payments: Mapping[Name, PaymentAccount] = Field(default_factory=dict)
    locations: Mapping[Name, Location] = Field(default_factory=lambda: {"main": Location()})
    topic_prefix: str = ""
    database_prefix: str = "lonja_"

    @model_validator(mode="after")
    def _accounts_exist(self) -> Self:
        for name, account in self.channels.items():
            if account.payments is not None and account.payments not in self.payments:
                raise ValueError(f"channels.{name}.payments names no account of [payments]")
        return self


def _override(data: dict[str, Any], environ: Mapping[str, str]) -> None:
    """Take LONJA_CHANNELS__<ACCOUNT>__WEBHOOK_SECRETS and the like from the environment."""
    for name, value in environ.items():
        path = re.fullmatch(r"LONJA_(SERVER|LIMITS|CHANNELS|PAYMENTS|LOCATIONS)__(.+)", name)
        if path is None:
            continue
        keys = [path[1].lower(), *path[2].lower().split("__")]
        place = data
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        place[keys[-1]] = value.split(",") if keys[-1] == "webhook_secrets" else value


def load(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the file (LONJA_CONFIG, else ./lonja.toml where it exists) and the environment.

    Raises ConfigurationError with the key and the reason.
    """
    environ = os.environ if environ is None else environ
    path = path or Path(environ.get("LONJA_CONFIG", "lonja.toml"))
    data: dict[str, Any] = {}
    if path.exists():
        try:
            data = tomllib.loads(path.read_text())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path.name} is not TOML: {error}") from error
    _override(data, environ)
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        raise ConfigurationError(f"{path.name}: {faults}") from None
