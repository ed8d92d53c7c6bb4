"""What topics are made with."""

import pytest

from libs.bus.topics import safety_of


@pytest.mark.parametrize(
    ("brokers", "safety"), [(1, (1, 1)), (2, (2, 1)), (3, (3, 2)), (9, (3, 2))]
)
def test_where_there_are_brokers_enough_one_may_be_lost_or_be_away(
    brokers: int, safety: tuple[int, int]
) -> None:
    assert safety_of(brokers) == safety
