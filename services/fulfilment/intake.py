"""Carriers' webhooks: what is one, and what it means: a command.

A carrier's word goes to its tracker's stream, whether we know the parcel yet or not.
"""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from libs.eventsourcing.names import nameable
from libs.runtime.ports import InboxRow, Interpreted, Ports
from libs.security.webhooks import Delivery
from libs.web.deliveries import Door
from libs.web.problems import Problem
from services.fulfilment import easypost_words as words
from services.fulfilment import tracker_commands as commands

ENTITY = "main"


def door(ports: Ports) -> Door:
    """Return the door for deliveries to the carrier accounts of the configuration."""
    return Door("fulfilment", ports, ports.settings.carriers, _named)


def _named(signed: Delivery, body: bytes) -> Delivery:
    event = event_of(body)
    if event is None:
        raise Problem("malformed-json", "The body is not JSON of a sensible depth.")
    key, topic = event.get("id"), words.word(event.get("description"))
    if isinstance(key, str) and nameable(key):
        return replace(signed, key=key, topic=topic)
    return replace(signed, topic=topic)


def event_of(body: bytes) -> words.Json | None:
    """Return a delivery's object; None where it is not JSON, or nested too deep to be read."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


class CarrierIntake:
    """Turns deliveries into commands for trackers; a tracker's words stay in order."""

    def __init__(self, ports: Ports) -> None:
        self._accounts = ports.settings.carriers

    async def interpret(self, rows: Sequence[InboxRow]) -> Sequence[Interpreted | Exception]:
        """Read each delivery; what cannot be understood is parked with its code."""
        return [self._one(row) for row in rows]

    def _one(self, row: InboxRow) -> Interpreted | Exception:
        try:
            return understood(row) if row.account in self._accounts else _nothing("account-unknown")
        except Exception as error:  # a fault of the adapter parks the delivery, too
            return error


def _nothing(reason: str) -> Interpreted:
    return Interpreted("carrier:-", (), reason)


def understood(row: InboxRow) -> Interpreted:
    """Say what an EasyPost event means: only a tracker means anything. Raises CarrierDataError."""
    event = event_of(row.body)
    if event is None:
        raise words.CarrierDataError
    result = words.record(event.get("result"))
    if result.get("object") != "Tracker":
        return _nothing("no-tracker")
    scan = words.scan(result, row.received_at)
    command = commands.HearTracker(
        entity=ENTITY, account=row.account, carrier=scan.carrier, tracker=scan.tracker,
        tracking_code=scan.tracking_code, status=scan.status, status_word=scan.status_word,
        detail=scan.detail, seen_at=scan.seen_at, at=row.received_at,
    )  # fmt: skip
    stream = commands.tracker_stream(row.account, scan.tracker)
    return Interpreted(f"{row.account}:{scan.tracker}", ((stream, command),))
