"""What tells who a buyer is, as keyed names: made where the plain text still is, and goes alone.

Strong evidence joins buyers, weak evidence only suggests it; which is which is said here, once.
"""

from libs.contracts import common
from libs.security.vault.vault import Vault
from services.channels.adapters.neutral import Person

# Addresses that a marketplace or a mail service makes up: equal ones of two accounts prove nothing.
# An entry that ends in a dot stands for every country's domain.
RELAYS = (
    "marketplace.amazon.", "members.ebay.", "privaterelay.appleid.com", "relay.walmart.com",
    "allegromail.pl", "verkopen.bol.com", "mozmail.com", "relay.firefox.com",
)  # fmt: skip
_SHORTEST_PHONE = 7  # digits: "0" and "12345" are what people write who do not want to be called
_WORDS = 2  # of a name: a first name alone suggests too many


def evidence_of(vault: Vault, subject: str, person: Person) -> tuple[common.Evidence, ...]:
    """Return what tells who the buyer is, the surest first; nothing personal is in it."""
    email, phone = person.contact.get("email", ""), person.contact.get("phone", "")
    name = person.statutory.get("name") or person.contact.get("name", "")
    relay = is_relay(email)
    email_strength: common.IdentityStrength = "strong" if person.verified or relay else "weak"
    listed: list[tuple[common.EvidenceKind, str | None, common.IdentityStrength, bool]] = []
    if person.customer is not None:
        listed.append(("channel_customer", subject, "strong", False))
    if _is_address(email):
        listed.append(("email", vault.blind_index("email", email), email_strength, relay))
    if sum(letter.isdecimal() for letter in phone) >= _SHORTEST_PHONE:
        listed.append(("phone", vault.blind_index("phone", phone), "weak", False))
    if len(name.split()) >= _WORDS:
        listed.append(("name", vault.blind_index("name", name), "weak", False))
    return tuple(
        common.Evidence(kind=kind, index=index, strength=strength, relay=hidden)
        for kind, index, strength, hidden in listed
        if index is not None
    )


def is_relay(email: str) -> bool:
    """Say whether an address only leads to somebody through a marketplace or a mail service."""
    domain = email.strip().casefold().rpartition("@")[2].rstrip(".")
    labels = domain.split(".")
    tails = [".".join(labels[n:]) for n in range(len(labels))]
    return any(
        tail == relay or (relay.endswith(".") and tail.startswith(relay))
        for tail in tails
        for relay in RELAYS
    )


def _is_address(email: str) -> bool:
    name, at, domain = email.strip().rpartition("@")
    return bool(name and at and domain)
