"""The configuration: `lonja.toml`, overridden by the environment. Reads it; decides nothing."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from libs.runtime.errors import ConfigurationError
from libs.runtime.sections import (
    Account,
    Address,
    Carrier,
    Company,
    Limits,
    Location,
    Name,
    PaymentAccount,
    Privacy,
    Rate,
    RatePair,
    Section,
    Server,
    Telemetry,
)

__all__ = [
    "Account", "Address", "Carrier", "Company", "ConfigurationError", "Limits", "Location",
    "PaymentAccount", "Privacy", "Server", "Settings", "Telemetry", "check_secrets",
    "chosen", "load",
]  # fmt: skip


class Settings(Section):
    """Everything that can be configured; each key is described in `lonja.example.toml`."""

    server: Server = Server()
    limits: Limits = Limits()
    privacy: Privacy = Privacy()
    telemetry: Telemetry = Telemetry()
    channels: Mapping[Name, Account] = Field(default_factory=dict)
    payments: Mapping[Name, PaymentAccount] = Field(default_factory=dict)
    locations: Mapping[Name, Location] = Field(default_factory=lambda: {"main": Location()})
    carriers: Mapping[Name, Carrier] = Field(default_factory=dict)
    companies: Mapping[Name, Company] = Field(default_factory=lambda: {"main": Company()})
    rates: Mapping[RatePair, Rate] = Field(default_factory=dict)
    topic_prefix: str = ""
    database_prefix: str = "lonja_"

    @property
    def stock_company(self) -> str:
        """Return the company that all stock is of: the only one, or of several, main."""
        return next(iter(self.companies)) if len(self.companies) == 1 else "main"

    @model_validator(mode="after")
    def _names_known(self) -> Self:
        owner = self.stock_company
        if owner not in self.companies:
            raise ValueError(
                "companies: stock is of the only one, else of main, and none is called main"
            )
        for name, account in self.channels.items():
            if account.entity not in self.companies:
                raise ValueError(f"channels.{name}.entity: no company is called {account.entity}")
            if account.entity != owner:
                text = f"the stock is of {owner}, and {account.entity} could not book what it sells"
                raise ValueError(f"channels.{name}.entity: {text}")
            if account.payments is not None and account.payments not in self.payments:
                raise ValueError(f"channels.{name}.payments names no account of [payments]")
        for name, location in self.locations.items():
            if location.carrier != "self" and location.carrier not in self.carriers:
                raise ValueError(f"locations.{name}.carrier: no [carriers.{location.carrier}]")
        return self


_SECTIONS = "SERVER|LIMITS|PRIVACY|TELEMETRY|CHANNELS|PAYMENTS|LOCATIONS|CARRIERS|COMPANIES"
_COLLECTOR = "OTEL_EXPORTER_OTLP_ENDPOINT"  # OpenTelemetry's own name for telemetry.endpoint


def _override(data: dict[str, Any], environ: Mapping[str, str]) -> None:
    """Take LONJA_CHANNELS__<ACCOUNT>__WEBHOOK_SECRETS and the like from the environment."""
    if environ.get(_COLLECTOR):
        data.setdefault("telemetry", {})["endpoint"] = environ[_COLLECTOR]
    for name, value in environ.items():
        path = re.fullmatch(rf"LONJA_({_SECTIONS})__(.+)", name)
        if path is None:
            continue
        keys = [path[1].lower(), *path[2].lower().split("__")]
        place = data
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        place[keys[-1]] = value.split(",") if keys[-1] == "webhook_secrets" else value


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path.name} is not TOML: {error}") from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error


def check_secrets(settings: Settings) -> None:
    """Look whether each file of secrets can be read. Raises ConfigurationError with its key."""
    sections: dict[str, Mapping[str, Section]] = {
        "channels": settings.channels, "payments": settings.payments, "carriers": settings.carriers,
    }  # fmt: skip
    for section, accounts in sections.items():
        for name, account in accounts.items():
            for key, file in account:
                try:
                    if key.endswith("_file") and file is not None:
                        file.read_text()
                except (OSError, UnicodeDecodeError) as error:
                    why = getattr(error, "strerror", "not text")
                    text = f"{section}.{name}.{key}: {file} cannot be read: {why}"
                    raise ConfigurationError(text) from error


def chosen(environ: Mapping[str, str] | None = None) -> Path | None:
    """Return the file that is read here: LONJA_CONFIG, else ./lonja.toml; None without one."""
    environ = os.environ if environ is None else environ
    named, usual = environ.get("LONJA_CONFIG", ""), Path("lonja.toml")
    if named:
        return Path(named)
    return usual if usual.exists() else None


def load(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read a file, else the one that is chosen here, and the environment.

    Raises ConfigurationError with the key and the reason.
    """
    environ = os.environ if environ is None else environ
    path = path or chosen(environ)
    data = _read(path) if path else {}
    _override(data, environ)
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        name = path.name if path else "environment"
        raise ConfigurationError(f"{name}: {faults}") from None
