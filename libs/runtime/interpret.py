"""A record from a topic becomes an input: decoded, reacted to, or parked. Pure but for sealing."""

from collections.abc import Mapping

import msgspec

from libs.bus.records import Arrived, Record
from libs.codec.errors import CodecError
from libs.codec.framing import MAX_EVENT_BYTES, EventCodec
from libs.eventsourcing.decider import Refused
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.inputs import Failure, FromTopic, Input
from libs.eventsourcing.process import Reaction
from libs.values.ids import derive

NOBODY = "00000000-0000-0000-0000-000000000000"


def envelope_of(codec: EventCodec, record: Record) -> Envelope[object]:
    """Decode a record of ours. Raises CodecError."""
    headers = record.headers
    assert headers is not None
    contract, event = codec.decode_shared(record.value)
    return Envelope(
        event, contract.name, headers.id, record.key, headers.version, headers.time,
        record.service, record.partition, headers.pseq, headers.traceparent,
    )  # fmt: skip


class Interpreter:
    """Understands records for one service."""

    def __init__(
        self, service: str, codec: EventCodec, reacts: Mapping[str, Reaction],
        acts_from: int = 0,
    ) -> None:  # fmt: skip
        self.service, self.codec, self.reacts = service, codec, reacts
        self.acts_from = acts_from  # microseconds; what is older has no effect outside
        self._idle = {
            name: frozenset(p for p, kind in codec.prefixes().items() if kind not in reaction.facts)
            for name, reaction in reacts.items()
        }

    def idle(self, record: Arrived) -> bool:
        """Say whether a record of ours is a fact that this service does not react to.

        Nothing but its prefix is looked at; one that may be broken is not idle.
        """
        return (
            record.headers is not None
            and record.value[:5] in self._idle[record.service]
            and len(record.value) <= MAX_EVENT_BYTES
        )

    def read(self, record: Record, *, sealed: bytes | None = None) -> Input:
        """Return the input that a record means.

        `sealed` is the record as it would be parked; where it is None and the record cannot be
        understood, the failure carries the plain value for the caller to seal.
        """
        headers = record.headers
        intake = f"intake-{record.topic}/{record.partition}"
        if headers is None:
            place = f"{record.topic}/{record.partition}@{record.offset}"
            cause = derive(self.service, place)
            return Input(FromTopic(record.after), f"{self.service}<{place}", f"foreign/{place}",
                         cause, cause, "", intake=intake,
                         failure=Failure("foreign-record", "Not written by a service of ours.",
                                         sealed or record.value))  # fmt: skip
        name = f"{self.service}<{headers.id}"
        given = Input(FromTopic(record.after), name, f"{record.service}/{record.key}", headers.id,
                      headers.correlation, headers.traceparent, intake=intake,
                      history=headers.time < self.acts_from)  # fmt: skip
        try:
            work = self.reacts[record.service](envelope_of(self.codec, record))
        except Exception as error:
            coded = isinstance(error, Refused | CodecError)
            code = error.code if isinstance(error, Refused | CodecError) else "fault"
            detail = "" if coded else f"{type(error).__name__} in react"
            failure = Failure(code, detail, sealed or record.value)
            return msgspec.structs.replace(given, failure=failure)
        return msgspec.structs.replace(given, work=tuple(work))
