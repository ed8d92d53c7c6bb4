"""The seven headers: what CloudEvents' own SDK reads of them, and what is refused."""

from datetime import UTC, datetime

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event
from hypothesis import given
from hypothesis import strategies as st

from libs.codec.errors import DecodeError
from libs.codec.headers import EventHeaders, build_headers, links, parse_headers

UUIDS = st.uuids().map(str)
HEADERS = st.builds(
    EventHeaders,
    id=UUIDS,
    service=st.sampled_from(["orders", "channels"]),
    type=st.just("lonja.orders.OrderPlaced"),
    time=st.integers(0, 4_102_444_800_000_000),
    traceparent=st.just("00-" + "a" * 32 + "-" + "b" * 16 + "-01"),
    pseq=st.integers(1, 2**64 - 1),
    version=st.integers(1, 2**64 - 1),
    links=st.builds(links, UUIDS, UUIDS),
)
ONE = EventHeaders(
    "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "orders", "lonja.orders.OrderPlaced",
    1_700_000_000_000_001, "00-" + "a" * 32 + "-" + "b" * 16 + "-01", 7, 2,
    links("ffffffff-ffff-4fff-bfff-ffffffffffff", "00000000-0000-4000-8000-000000000000"),
)  # fmt: skip


@given(headers=HEADERS)
def test_headers_come_back(headers: EventHeaders) -> None:
    assert parse_headers(build_headers(headers)) == headers


@given(headers=HEADERS)
def test_the_cloudevents_sdk_reads_our_record(headers: EventHeaders) -> None:
    message = KafkaMessage(dict(build_headers(headers)), b"order-1", b"\0\0\1\x86\xa1\xff")

    event = from_kafka_event(message)

    assert (event.get_id(), event.get_type()) == (headers.id, headers.type)
    assert event.get_source() == f"/lonja/{headers.service}"
    assert event.get_specversion() == "1.0"
    whole, micros = divmod(headers.time, 1_000_000)
    assert event.get_time() == datetime.fromtimestamp(whole, UTC).replace(microsecond=micros)
    assert event.get_extension("partitionkey") == "order-1"
    assert event.get_data() == message.value


def test_the_names_and_values_are_these() -> None:
    assert build_headers(ONE) == [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
        ("ce_source", b"/lonja/orders"),
        ("ce_type", b"lonja.orders.OrderPlaced"),
        ("ce_time", b"2023-11-14T22:13:20.000001Z"),
        ("traceparent", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"),
        ("lonja", b"0" * 15 + b"7" + b"0" * 15 + b"2" + b"f" * 12 + b"4fffb" + b"f" * 15
         + b"0" * 12 + b"40008" + b"0" * 15),
    ]  # fmt: skip


def test_a_record_without_our_header_is_foreign() -> None:
    assert parse_headers([]) is None
    assert parse_headers(build_headers(ONE)[:-1]) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lonja", b""),
        ("lonja", b"0" * 95),
        ("lonja", b"0" * 97),
        ("lonja", b"g" * 96),
        ("lonja", b"\xff" * 96),
        ("ce_time", b"yesterday"),
        ("ce_time", b"0001-01-01T00:00:00"),
        ("ce_id", b"\xff"),
        ("ce_id", b"order-1"),
        ("ce_id", b"6F9619FF-8B86-D011-B42D-00CF4FC964FF"),
        ("lonja", b"0" * 16 + b"0" * 15 + b"2" + b"0" * 64),
        ("lonja", b"0" * 15 + b"7" + b"0" * 16 + b"0" * 64),
        ("ce_type", None),
    ],
)
def test_a_malformed_header_is_refused(name: str, value: bytes) -> None:
    headers = [(k, value if k == name else v) for k, v in build_headers(ONE)]

    with pytest.raises(DecodeError) as refused:
        parse_headers(headers)
    assert refused.value.code == "bad-headers"


def test_a_missing_header_is_refused() -> None:
    with pytest.raises(DecodeError) as refused:
        parse_headers(build_headers(ONE)[1:3] + build_headers(ONE)[-1:])
    assert refused.value.code == "bad-headers"
