"""What a service passes over unread: facts that it does not react to, and nothing that may be broken."""

from typing import Any

import pytest

from libs.bus.records import Arrived
from libs.bus.screening import Mark
from libs.codec.compatibility import golden_files
from libs.codec.contract import Contract
from libs.codec.framing import MAX_EVENT_BYTES, EventCodec, frame
from libs.codec.headers import EventHeaders, links
from libs.contracts import inventory as events
from libs.contracts import kernel
from libs.eventsourcing.envelope import Envelope
from libs.runtime.interpret import Interpreter
from libs.runtime.ports import Service
from services.console.composition import SERVICES
from tests.contract import toy

NAME = "00000000-0000-4000-8000-000000000000"


def golden(contract: Contract[Any]) -> Envelope[Any]:
    """An event of this kind with every field filled."""
    event = contract.decoders[contract.version](
        golden_files(contract.name, contract.version)[0].read_bytes()
    )
    return Envelope(event, contract.name, NAME, "stream-1", 1, toy.NOON, "", 0, 1, "")


@pytest.mark.parametrize("service", SERVICES.values(), ids=lambda one: one.name)
def test_what_a_reaction_does_not_name_leads_to_nothing(service: Service) -> None:
    known = (*service.contracts, *service.reads)
    for source, reaction in service.reacts.items():
        theirs = [one for one in known if one.name.startswith(f"lonja.{source}.")]
        assert reaction.facts <= {one.type for one in theirs}
        for contract in theirs:
            if contract.type not in reaction.facts:
                assert not reaction.react(golden(contract)), f"{service.name} reacts to it"


def arrived(event: Any, *, ours: bool = True, value: bytes | None = None) -> Arrived:
    codec = EventCodec(events.CONTRACTS + kernel.CONTRACTS)
    name, version, data = codec.encode(event)
    framed = frame(codec.registry.ids[name, version], data) if value is None else value
    headers = EventHeaders(NAME, "upstream", name, toy.NOON, "", 1, 1, links(NAME, NAME))
    return Arrived("upstream", toy.TOPIC, 0, 0, 0, b"one", framed, headers if ours else None,
                   Mark(0, 1, NAME))  # fmt: skip


INTERPRETER = Interpreter(
    "toy", EventCodec(events.CONTRACTS + kernel.CONTRACTS), {"upstream": toy.react}
)
OTHER = golden(next(one for one in events.CONTRACTS if one.type is events.StockCounted)).event


def test_a_fact_that_is_not_reacted_to_is_idle() -> None:
    assert INTERPRETER.idle(arrived(OTHER))
    received = golden(next(one for one in events.CONTRACTS if one.type is events.StockReceived))
    assert not INTERPRETER.idle(arrived(received.event))


@pytest.mark.parametrize(
    "value", [b"", b"\x00\x00\x00", b"\x01\x00\x00\x00\x01", b"\x00\xff\xff\xff\xff", b"null"]
)
def test_what_cannot_be_understood_is_not_idle(value: bytes) -> None:
    assert not INTERPRETER.idle(arrived(OTHER, value=value))


def test_what_is_foreign_or_too_large_is_not_idle() -> None:
    assert not INTERPRETER.idle(arrived(OTHER, ours=False))
    large = arrived(OTHER).value[:5] + bytes(MAX_EVENT_BYTES + 1)
    assert not INTERPRETER.idle(arrived(OTHER, value=large))
