"""Our bytes are fastavro's, for every schema; and whatever bytes come, the answer is clear."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.codec.compatibility import read, write
from libs.codec.contract import Contract
from libs.codec.errors import DecodeError
from libs.codec.schemas import load, whole
from tests.contracts import EVERY_CONTRACT
from tests.examples import examples
from tests.property.codec.strategies import values

SCHEMAS = {contract.name: whole(contract.name, load()) for contract in EVERY_CONTRACT}
VALUES = {name: values(schema) for name, schema in SCHEMAS.items()}
EVERY = pytest.mark.parametrize("contract", EVERY_CONTRACT, ids=lambda contract: contract.name)
QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]


def answered(contract: Contract[Any], data: bytes) -> bool:
    """Decode; the answer is an event or the one error, any other exception is a failure."""
    try:
        return type(contract.decode(data)) is contract.type
    except DecodeError as error:
        return error.code == "undecodable"


def test_every_schema_file_has_a_contract() -> None:
    assert sorted(SCHEMAS) == sorted(load().names())


@EVERY
@settings(max_examples=examples(25), deadline=None, suppress_health_check=QUIET)
@given(data=st.data())
def test_our_bytes_and_values_are_those_of_fastavro(contract: Contract[Any], data: Any) -> None:
    value = data.draw(VALUES[contract.name])
    event = msgspec.convert(value, contract.type)

    written = contract.encode(event)

    assert written == write(value, SCHEMAS[contract.name])
    assert contract.decode(written) == event
    assert msgspec.convert(read(written, SCHEMAS[contract.name]), contract.type) == event


@EVERY
@settings(max_examples=examples(6), deadline=None, suppress_health_check=QUIET)
@given(data=st.data())
def test_bytes_that_end_too_early_are_refused(contract: Contract[Any], data: Any) -> None:
    event = msgspec.convert(data.draw(VALUES[contract.name]), contract.type)
    written = contract.encode(event)

    for end in range(0, len(written), max(1, len(written) // 200)):
        with pytest.raises(DecodeError):
            contract.decode(written[:end])
    with pytest.raises(DecodeError):
        contract.decode(written + b"\0")


@EVERY
@settings(max_examples=examples(25), deadline=None, suppress_health_check=QUIET)
@given(data=st.data())
def test_mutated_bytes_give_a_value_or_one_kind_of_error(
    contract: Contract[Any], data: Any
) -> None:
    event = msgspec.convert(data.draw(VALUES[contract.name]), contract.type)
    written = bytearray(contract.encode(event))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(written) - 1))
        written[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
        written = written or bytearray(1)
    assert answered(contract, bytes(written))


@EVERY
@settings(max_examples=examples(20), deadline=None)
@given(data=st.binary(max_size=300))
def test_any_bytes_give_a_value_or_one_kind_of_error(contract: Contract[Any], data: bytes) -> None:
    assert answered(contract, data)
