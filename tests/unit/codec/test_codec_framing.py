"""Confluent's prefix, and events by type, by id and by name."""

import pytest

from libs.codec.errors import DecodeError, EncodeError
from libs.codec.framing import MAX_EVENT_BYTES, EventCodec, frame, schema_id_of
from libs.codec.registry import Registry
from libs.contracts import kernel, orders

CODEC = EventCodec(kernel.CONTRACTS)
EVENT = kernel.ParkedCommandRedriven(stream="order-1", source="s", parked_id="p", queued=0, by="me")
NAME = "lonja.kernel.ParkedCommandRedriven"


def test_a_value_is_zero_an_id_and_the_bytes() -> None:
    assert frame(258, b"ab") == b"\0\0\0\1\2ab"
    assert schema_id_of(b"\0\0\0\1\2ab") == 258


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"", "truncated"),
        (b"\0\0\0\1", "truncated"),
        (b'{"a": 1}', "bad-magic"),
        (b"\0" * (MAX_EVENT_BYTES + 6), "too-large"),
        (frame(1, b""), "unknown-schema"),
        (frame(Registry.from_lock().ids[NAME, 1], b""), "undecodable"),
    ],
)
def test_a_value_that_is_not_ours_says_why(value: bytes, code: str) -> None:
    with pytest.raises(DecodeError) as refused:
        CODEC.decode_value(value)
    assert refused.value.code == code


def test_an_event_goes_to_bytes_and_back() -> None:
    name, version, data = CODEC.encode(EVENT)
    contract, event = CODEC.decode_value(frame(CODEC.registry.ids[name, version], data))

    assert (name, version) == (NAME, 1)
    assert CODEC.decode(name, version, data) == event == EVENT
    assert contract.type is kernel.ParkedCommandRedriven


def test_an_event_of_another_service_is_refused() -> None:
    other = orders.OrderReleased
    with pytest.raises(EncodeError, match="OrderReleased is not an event"):
        CODEC.encode(
            other(entity="e", occurred_at=1, order_id="o", hold_id="h", reason="r", by="seller")
        )
    with pytest.raises(DecodeError) as refused:
        CODEC.decode("lonja.orders.OrderReleased", 1, b"")
    assert refused.value.code == "unknown-schema"


def test_a_version_that_is_not_known_is_refused() -> None:
    with pytest.raises(DecodeError) as refused:
        CODEC.decode(NAME, 99, b"")
    assert refused.value.code == "unknown-schema"


def test_an_event_over_the_limit_is_refused() -> None:
    room = MAX_EVENT_BYTES - len(CODEC.encode(EVENT)[2])
    fits = "x" * (room - 1)  # its length takes two bytes more than the other's one
    large = kernel.ParkedCommandRedriven(
        stream=fits, source="s", parked_id="p", queued=0, by="x" * 300
    )
    with pytest.raises(EncodeError) as refused:
        CODEC.encode(large)
    assert refused.value.code == "too-large"
