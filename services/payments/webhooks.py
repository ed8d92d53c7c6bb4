"""What providers deliver, before it is understood: an event with an id of its own."""

import msgspec
from msgspec.structs import replace

from libs.runtime.ports import Ports
from libs.security.structure import sound
from libs.security.webhooks import Delivery
from libs.web.deliveries import Door
from libs.web.problems import Problem


class _Named(msgspec.Struct, frozen=True):
    id: str
    type: str = ""


def door(ports: Ports) -> Door:
    """Return the door for deliveries to the payments accounts of the configuration."""
    return Door("payments", ports, ports.settings.payments, _named)


def _named(signed: Delivery, body: bytes) -> Delivery:
    """Name it by the event's id, which is the same for every attempt, and its type."""
    if sound(body):
        try:
            event = msgspec.json.decode(body, type=_Named)
        except (msgspec.DecodeError, UnicodeDecodeError):
            event = _Named("")
        if event.id and event.id.isascii() and event.id.isprintable() and len(event.id) <= 200:
            return replace(signed, key=event.id, topic=event.type[:100])
    raise Problem("malformed-json", "The body is not an event of the provider.")
