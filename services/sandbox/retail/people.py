"""The buyers that the retail file does not hold: made-up names and addresses, the same each time.

Phone numbers are of the range that Ofcom keeps for drama, addresses end in `.invalid`.
"""

from hashlib import sha256

from services.sandbox.retail.content import Address, Person
from services.sandbox.retail.money import COUNTRIES, NAMES

_FIRST = ("Ada", "Bram", "Cleo", "Dora", "Ewan", "Freya", "Gita", "Hugo", "Iris", "Jonas")
_LAST = ("Ashdown", "Birch", "Calder", "Dunmore", "Elwood", "Fenwick", "Garside", "Jarrow")
_STREETS = ("Sample", "Mill", "Church", "Station", "Harbour", "Orchard", "Bridge", "Market")
_CITIES = ("Samplebury", "Testford", "Mockham", "Demoton", "Fictonville")


def _pick(seed: str, part: str, size: int) -> int:
    return int.from_bytes(sha256(f"{part}:{seed}".encode()).digest()[:4], "big") % size


def person(customer: str | None, number: str) -> Person:
    """The buyer of an order: an account customer, or a guest of this order alone."""
    seed = customer or f"guest-{number}"
    return Person(
        id=customer,
        email=f"c{customer}@example.invalid" if customer else None,
        first=_FIRST[_pick(seed, "first", len(_FIRST))],
        last=_LAST[_pick(seed, "last", len(_LAST))],
        phone=f"+4420794609{_pick(seed, 'phone', 100):02d}",
    )


def address(customer: str | None, number: str, country: str) -> Address:
    """Where an order goes; the country is the order's, not the customer's."""
    seed = customer or f"guest-{number}"
    code = COUNTRIES.get(country)
    return Address(
        street=f"{1 + _pick(seed, 'house', 199)} {_STREETS[_pick(seed, 'street', 8)]} Street",
        city=_CITIES[_pick(seed, "city", len(_CITIES))],
        postcode=f"ZZ{1 + _pick(seed, 'area', 99)} {1 + _pick(seed, 'sector', 9)}ZZ",
        country=NAMES.get(code, country) if code else None,
        country_code=code,
    )
