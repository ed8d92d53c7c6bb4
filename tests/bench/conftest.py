"""One table for all benches, everything on two cores."""

from collections.abc import Iterator

import pytest

from tests.bench.table import Table, pin


@pytest.fixture(scope="session")
def table() -> Iterator[Table]:
    """The table, printed whole at the end."""
    found = Table()
    yield found
    print("\n\n" + found.text() + "\n", flush=True)


@pytest.fixture(scope="session", autouse=True)
def two_cores() -> None:
    """Pin this process; what it starts inherits it."""
    pin()
