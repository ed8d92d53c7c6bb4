"""Seals the personal fields of orders under their buyer's keys; the plain text goes no further."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from libs.contracts import common
from libs.security.vault.sealing import Key, Shredded, seal
from libs.security.vault.vault import Vault, Wanted
from services.channels.adapters.neutral import Fields, Person, Whole
from services.channels.evidence import evidence_of

_NO_NONCE = bytes(12)
_REACHED_BY = ("phone", "email")
_encoder = msgspec.json.Encoder(order="sorted")


class Sealer:
    """Seals the persons of a batch of orders, with one question to the vault."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def seal(self, orders: Sequence[Whole]) -> list[Whole]:
        """Return the orders with sealed customers and without their persons."""
        subjects = [self._subject(one) for one in orders]
        wanted: list[Wanted] = [
            (subject, clearance)
            for one, subject in zip(orders, subjects, strict=True)
            for clearance, fields in _classes(one.person)
            if fields
        ]
        keys = await self._keys(list(dict.fromkeys(wanted)))
        return [
            _sealed(one, subject, keys, evidence_of(self._vault, subject, one.person))
            for one, subject in zip(orders, subjects, strict=True)
        ]

    def _subject(self, one: Whole) -> str:
        """Name the buyer by the channel's id, a guest by the order: accounts share nothing."""
        order = one.order
        if one.person.customer is None:
            return self._vault.guest(order.account, order.external_id)
        return self._vault.subject(order.account, one.person.customer)

    async def _keys(self, wanted: Sequence[Wanted]) -> Mapping[tuple[str, str], Key]:
        """Return the keys; an erased buyer has none, and nothing of them is kept."""
        if not wanted:
            return {}
        try:
            return await self._vault.keys_for(wanted)
        except Shredded:
            if len(wanted) == 1:
                return {}
        found: dict[tuple[str, str], Key] = {}
        for one in wanted:
            found.update(await self._keys([one]))
        return found


def _classes(person: Person) -> tuple[tuple[common.Clearance, Fields], ...]:
    return ("contact", person.contact), ("statutory", person.statutory)


def _sealed(
    one: Whole,
    subject: str,
    keys: Mapping[tuple[str, str], Key],
    evidence: tuple[common.Evidence, ...],
) -> Whole:
    found: dict[str, common.Sealed] = {
        clearance: _seal(keys[subject, clearance], clearance, _encoder.encode(fields))
        for clearance, fields in _classes(one.person)
        if fields and (subject, clearance) in keys
    }
    forgotten = bool(one.person.contact) and "contact" not in found
    customer = replace(
        one.order.customer,
        subject=subject,
        place="" if "contact" not in found else _place(keys[subject, "contact"], one.person),
        contact=found.get("contact"),
        statutory=found.get("statutory"),
        evidence=() if forgotten else evidence,
    )
    nobody = Person(one.person.customer, {}, {})
    return replace(one, order=replace(one.order, customer=customer), person=nobody)


def _seal(key: Key, field: str, plaintext: bytes) -> common.Sealed:
    """Seal under a nonce that the key and the plain text give, so that a retry seals alike.

    Equal text under one key then shows as equal, and nothing else does (a synthetic nonce, as in
    RFC 8452).
    """
    return seal(key, field, plaintext, _digest(key, field, plaintext)[:12])


def _place(key: Key, person: Person) -> str:
    """Name where parcels go: another phone or e-mail of the buyer's is the same place."""
    fields = {name: told for name, told in person.contact.items() if name not in _REACHED_BY}
    plaintext = b"place" + _encoder.encode(fields)  # no sealed text begins so: none is JSON
    return _digest(key, "contact", plaintext)[:8].hex() if fields else ""


def _digest(key: Key, field: str, plaintext: bytes) -> bytes:
    """Return what a text comes to by a key of its own, made of zeros and never published."""
    own = seal(key, f"{field}/nonce", bytes(32), _NO_NONCE).ciphertext
    return hmac.digest(own, plaintext, hashlib.sha256)
