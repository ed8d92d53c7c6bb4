"""What is configured of our companies: currency, time zone, country, exchange rates. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec

from libs.eventsourcing.decider import Refused
from libs.values.money import exponent, round_half_up

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Company(msgspec.Struct, frozen=True):
    """One legal company: its own currency, the zone of its days, its country of tax."""

    currency: str = "GBP"
    time_zone: str = "Europe/London"
    country: str = "GB"


class Rate(msgspec.Struct, frozen=True):
    """Functional for one of the currency, a decimal text, and where that is from; or unknown."""

    rate: str
    source: str


class Companies(msgspec.Struct, frozen=True):
    """All companies by name, and rates by "<currency>/<functional currency>"."""

    companies: Mapping[str, Company]
    rates: Mapping[str, str]

    def of(self, entity: str) -> Company:
        """Return a company. Raises Refused: its facts wait until it is configured."""
        found = self.companies.get(entity)
        if found is None:
            raise Refused("company-unknown", f"No company is called {entity}; see lonja.toml.")
        return found

    def rate(self, currency: str, company: Company) -> Rate:
        """Return what one of the currency is in the company's own; an empty rate if unknown."""
        if currency == company.currency:
            return Rate("1", "own-currency")
        pair = f"{currency}/{company.currency}"
        rate = self.rates.get(pair)
        return Rate(rate, f"configured {pair}") if rate is not None else Rate("", "")


def business_date(at: int, company: Company) -> str:
    """Return the company's day at a time (microseconds), ISO 8601."""
    moment = _EPOCH + timedelta(microseconds=at)
    return moment.astimezone(ZoneInfo(company.time_zone)).date().isoformat()


def converted(amount: int, rate: str, currency: str, functional: str) -> int:
    """Return minor units in the functional currency; equal for an amount and its negative."""
    if rate == "1" and currency == functional:
        return amount
    shift = exponent(functional) - exponent(currency)
    return round_half_up((Decimal(amount) * Decimal(rate)).scaleb(shift))
