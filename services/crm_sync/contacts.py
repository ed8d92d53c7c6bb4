"""Opens a person's sealed fields for an operator: the only place of crm_sync that sees them.

It keeps and logs none of them; that somebody looked is logged, by customer.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from libs.contracts.common import Sealed
from libs.runtime.ports import Ports, Rows
from libs.security.vault.sealing import Shredded, VaultError
from libs.telemetry.logs import log
from libs.web.problems import Problem
from services.crm_sync import read_model, views
from services.crm_sync.identity import Person

Clearance = Literal["contact", "statutory"]


class Contacts:
    """Opens what the read model holds sealed."""

    def __init__(self, ports: Ports) -> None:
        self._vault = ports.vault
        self._rows: Rows[read_model.ContactRow] = ports.rows(read_model.CONTACTS)

    async def opened(self, person: Person, clearance: Clearance) -> views.ContactOut:
        """Open the members' fields.

        Raises Problem: subject-erased where every key is gone, contact-unknown where there was
        never anything, unreadable-sealed-value where the vault is not the one that sealed them.
        """
        sealed: list[tuple[read_model.CustomerRow, Sealed]] = []
        erased: list[str] = []
        for member in person.members:
            row = await self._rows.get(member.subject)
            value = getattr(row, clearance) if row is not None else None
            if value is not None:
                sealed.append((member, value))
            elif row is not None and row.erased and clearance == "contact":
                erased.append(member.customer_id)
        told = await self._vault.open_many([(value, clearance) for _, value in sealed])
        opened = self._read(sealed, told, erased)
        log.info("sealed-fields-opened", kind=clearance, what=person.customer_id, count=len(opened))
        if not opened and erased:
            raise Problem("subject-erased", "This customer was erased; nobody can open this.")
        if not opened:
            raise Problem("contact-unknown", "No order of this customer told how to reach them.")
        return views.ContactOut(
            customer_id=person.customer_id, opened=tuple(opened), erased=tuple(sorted(erased))
        )

    @staticmethod
    def _read(
        sealed: Sequence[tuple[read_model.CustomerRow, Sealed]],
        told: Sequence[bytes | VaultError],
        erased: list[str],
    ) -> list[views.OpenedOut]:
        opened = []
        for (member, _), plain in zip(sealed, told, strict=True):
            if isinstance(plain, Shredded):
                erased.append(member.customer_id)
            elif isinstance(plain, VaultError):
                raise Problem(plain.code, "The vault cannot open what it did not seal.")
            else:
                fields = msgspec.json.decode(plain, type=dict[str, str])
                opened.append(
                    views.OpenedOut(
                        customer_id=member.customer_id, account=member.account, fields=fields
                    )
                )
        return opened
