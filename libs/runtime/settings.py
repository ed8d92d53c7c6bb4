"""The configuration: `lonja.toml`, overridden by the environment. Reads it; decides nothing."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from libs.runtime.errors import ConfigurationError
from libs.security.secrets import Secret

__all__ = ["Account", "ConfigurationError", "Limits", "Location", "Server", "Settings", "load"]

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
RatePair = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}/[A-Z]{3}$")]
Rate = Annotated[str, StringConstraints(pattern=r"^\d{1,9}(\.\d{1,12})?$")]


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

    def secrets(self) -> tuple[Secret, ...]:
        """Return the webhook secrets, newest first; two during a rotation."""
        listed = self.webhook_secrets
        if self.webhook_secrets_file is not None:
            listed += tuple(self.webhook_secrets_file.read_text().split())
        return tuple(Secret(value) for value in listed)


class Location(_Section):
    """A place where units are kept."""

    kind: Literal["own", "third_party", "channel", "store", "transit"] = "own"
    master: Literal["us", "them"] = "us"


class Company(_Section):
    """A legal company of ours: its own currency, the zone of its days, its country of tax."""

    currency: str = Field(default="GBP", pattern="^[A-Z]{3}$")
    time_zone: str = "Europe/London"
    country: str = Field(default="GB", pattern="^[A-Z]{2}$")

    @field_validator("time_zone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, OSError) as error:  # OSError: "Europe" is a folder of zones
            raise ValueError("not a time zone of the IANA list") from error
        return name


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
    locations: Mapping[Name, Location] = Field(default_factory=lambda: {"main": Location()})
    companies: Mapping[Name, Company] = Field(default_factory=lambda: {"main": Company()})
    rates: Mapping[RatePair, Rate] = Field(default_factory=dict)
    topic_prefix: str = ""
    database_prefix: str = "lonja_"

    @model_validator(mode="after")
    def _companies_known(self) -> Self:
        for name, account in self.channels.items():
            if account.entity not in self.companies:
                raise ValueError(f"channels.{name}.entity: no company is called {account.entity}")
        return self


def _override(data: dict[str, Any], environ: Mapping[str, str]) -> None:
    """Take LONJA_CHANNELS__<ACCOUNT>__WEBHOOK_SECRETS and the like from the environment."""
    for name, value in environ.items():
        path = re.fullmatch(r"LONJA_(SERVER|LIMITS|CHANNELS|LOCATIONS|COMPANIES)__(.+)", name)
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
