"""The sections of the configuration: accounts, places, companies, bounds. Decides nothing.

Each key is described in `lonja.example.toml`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
)

from libs.security.secrets import Secret

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
RatePair = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}/[A-Z]{3}$")]


def _positive(rate: str) -> str:
    """Refuse a rate at which all books would be of nothing."""
    if not rate.strip("0."):
        raise ValueError("a rate is more than 0")
    return rate


Rate = Annotated[
    str, StringConstraints(pattern=r"^[0-9]{1,9}(\.[0-9]{1,12})?$"), AfterValidator(_positive)
]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


Provider = Literal["shopify", "woocommerce", "standard"]


class Account(Section):
    """One connection to a shop or marketplace."""

    provider: Provider
    webhook_secrets: tuple[str, ...] = Field(default=(), repr=False)
    webhook_secrets_file: Path | None = None
    entity: str = "main"
    currency: str = Field(default="GBP", pattern="^[A-Z]{3}$")
    time_zone: str = "Europe/London"
    shortage: Literal["backorder", "split", "cancel"] = "backorder"
    hold_minutes: int = Field(default=60, ge=1, le=60 * 24 * 30)
    priority: int = Field(default=100, ge=0, le=1000)
    custody: Literal[
        "us", "channel_captures_at_our_order", "channel_remits_gross", "channel_remits_net"
    ] = "channel_remits_gross"
    api_url: str | None = None
    api_token: str | None = Field(default=None, repr=False)
    api_token_file: Path | None = None

    def token(self) -> Secret | None:
        """Return the token of the shop's own API, None where we are not connected to it."""
        told = self.api_token
        if self.api_token_file is not None:
            told = self.api_token_file.read_text().strip()
        return Secret(told) if told else None

    payments: str | None = None  # the payments account that charges where custody is us

    def secrets(self) -> tuple[Secret, ...]:
        """Return the webhook secrets, newest first; two during a rotation."""
        return _secrets(self.webhook_secrets, self.webhook_secrets_file)


def _secrets(listed: tuple[str, ...], file: Path | None) -> tuple[Secret, ...]:
    if file is not None:
        listed += tuple(file.read_text().split())
    return tuple(Secret(value) for value in listed)


class PaymentAccount(Section):
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
    authorisation_hours: int = Field(default=24 * 7, ge=1, le=24 * 31)
    accept_risk_minor: int = Field(default=0, ge=0)
    statement: str = Field(default="", max_length=22)
    per_second: float = Field(default=90.0, gt=0)

    def secrets(self) -> tuple[Secret, ...]:
        """Return the webhook secrets, newest first; two during a rotation."""
        return _secrets(self.webhook_secrets, self.webhook_secrets_file)

    def key(self) -> Secret:
        """Return the key of the provider's API."""
        if self.api_key_file is not None:
            return Secret(self.api_key_file.read_text().strip())
        return Secret(self.api_key)


class Carrier(Section):
    """An account with a carrier, or with a broker of carriers, that sells labels and tracks."""

    provider: Literal["easypost"] = "easypost"
    api_url: str = Field(default="https://api.easypost.com", pattern=r"^https?://[^\s]+$")
    api_key: str = Field(default="", repr=False)
    api_key_file: Path | None = None
    webhook_secrets: tuple[str, ...] = Field(default=(), repr=False)
    webhook_secrets_file: Path | None = None
    services: tuple[str, ...] = ()
    countries: tuple[Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")], ...] = ()
    silent_days: int = Field(default=10, ge=1, le=90)
    assume_delivered_days: int = Field(default=5, ge=0, le=90)
    weight_grams: int = Field(default=500, ge=1, le=1_000_000)
    per_second: float = Field(default=10.0, gt=0)

    def key(self) -> Secret:
        """Return the key of the API."""
        if self.api_key_file is not None:
            return Secret(self.api_key_file.read_text().strip())
        return Secret(self.api_key)

    def secrets(self) -> tuple[Secret, ...]:
        """Return the webhook secrets, newest first; two during a rotation."""
        return _secrets(self.webhook_secrets, self.webhook_secrets_file)


class Address(Section):
    """The company's own address at a location: what stands on a label as the sender's."""

    company: str = ""
    street1: str = ""
    street2: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""
    country: str = Field(default="", pattern="^([A-Z]{2})?$")
    phone: str = ""


class Location(Section):
    """A place where units are kept, and how parcels leave it."""

    kind: Literal["own", "third_party", "channel", "store", "transit"] = "own"
    master: Literal["us", "them"] = "us"
    carrier: str = "self"
    service: str = ""
    packing: Literal["automatic", "by-hand"] = "automatic"
    hand_over: Literal["automatic", "by-hand"] = "automatic"
    address: Address = Address()


class Company(Section):
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


class Server(Section):
    """Where the HTTP server listens; another address than loopback needs tokens."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    tokens: Mapping[str, Literal["reader", "operator"]] = Field(default_factory=dict, repr=False)


class Limits(Section):
    """Bounds that protect the service."""

    webhook_bytes: int = Field(default=4 * 1024 * 1024, ge=1024)
    inbox_days: int = Field(default=30, ge=1)
    keys_days: int = Field(default=90, ge=1)


class Telemetry(Section):
    """Where traces go: to a collector (the base of its OTLP over HTTP), to a file, or nowhere."""

    endpoint: str = Field(default="", pattern=r"^(https?://[^\s]+)?$")
    file: bool = False
    share: float = Field(default=1.0, ge=0, le=1)

    @property
    def traced(self) -> bool:
        """Return whether anybody wants them."""
        return bool(self.endpoint or self.file) and self.share > 0


class Privacy(Section):
    """How long the law obliges us to keep what stands on an invoice."""

    statutory_years: int = Field(default=10, ge=0, le=100)
