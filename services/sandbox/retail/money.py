"""Pence of a line, by the retail file's rules for price, VAT and rounding; nothing is stored."""

from decimal import ROUND_HALF_UP, Decimal

VAT_CHANGE = "2011-01-04"
# Members of the EU in 2010 and 2011; taxing them like the United Kingdom is an assumption.
_EU = {
    *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB", "GR", "HU"),
    *("IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"),
}
COUNTRIES = {
    "Australia": "AU",
    "Austria": "AT",
    "Bahrain": "BH",
    "Belgium": "BE",
    "Brazil": "BR",
    "Canada": "CA",
    "Channel Islands": "JE",
    "Cyprus": "CY",
    "Czech Republic": "CZ",
    "Denmark": "DK",
    "EIRE": "IE",
    "Finland": "FI",
    "France": "FR",
    "Germany": "DE",
    "Greece": "GR",
    "Hong Kong": "HK",
    "Iceland": "IS",
    "Israel": "IL",
    "Italy": "IT",
    "Japan": "JP",
    "Lebanon": "LB",
    "Lithuania": "LT",
    "Malta": "MT",
    "Netherlands": "NL",
    "Norway": "NO",
    "Poland": "PL",
    "Portugal": "PT",
    "RSA": "ZA",
    "Saudi Arabia": "SA",
    "Singapore": "SG",
    "Spain": "ES",
    "Sweden": "SE",
    "Switzerland": "CH",
    "USA": "US",
    "United Arab Emirates": "AE",
    "United Kingdom": "GB",
}
NAMES = {"IE": "Ireland", "ZA": "South Africa", "US": "United States", "JE": "Jersey"}


def vat_rate(country_code: str | None, day: str) -> str:
    """The rate as a decimal string; an unknown country is taxed by the shop as its own."""
    if country_code is not None and country_code not in _EU:
        return "0"
    return "0.175" if day < VAT_CHANGE else "0.2"


def line_net(price: str, quantity: int) -> int:
    return _whole(Decimal(price) * quantity * 100)


def tax_of(net: int, rate: str) -> int:
    """Half up, per line."""
    return _whole(Decimal(net) * Decimal(rate))


def _whole(pence: Decimal) -> int:
    return int(pence.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def text(pence: int) -> str:
    """Pence as the decimal string that shops write: 1234 is "12.34"."""
    sign = "-" if pence < 0 else ""
    return f"{sign}{abs(pence) // 100}.{abs(pence) % 100:02d}"
