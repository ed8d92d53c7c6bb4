"""Asks a carrier where a label can be fetched, when somebody prints it.

Whoever has that address can read the buyer's, and no erasure reaches what it was written down in:
so it is in no event, row or log.
"""

from libs.effects.kinds import Confirmed, NotYet, Unknown
from libs.runtime.ports import Ports
from libs.web.problems import Problem
from services.fulfilment import easypost_words as words
from services.fulfilment.easypost_http import EasyPost


async def label_url(ports: Ports, account: str, provider_shipment: str) -> str:
    """Return the address. Raises Problem: label-not-there, or carrier-away for now."""
    easypost = EasyPost(ports)
    try:
        answer = await easypost.get(account, f"shipments/{provider_shipment}")
    finally:
        await easypost.close()
    match answer:
        case Confirmed(answer=shipment) if url := words.label_url(shipment):
            return url
        case NotYet(code=code) | Unknown(code=code):
            text = f"The carrier does not answer ({code}): try again, or look there."
            raise Problem("carrier-away", text)
        case _:
            raise Problem("label-not-there", "The carrier knows of no label of this parcel.")
