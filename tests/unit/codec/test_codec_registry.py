"""Schema ids: one number means one schema, or a record cannot be read for what it is."""

import json
from pathlib import Path

import pytest

from libs.codec.registry import Registry
from libs.codec.schemas import SchemaError


def test_each_locked_schema_has_an_id_of_its_own() -> None:
    registry = Registry.from_lock()
    assert len(registry.names) == len(registry.ids) > 100


def test_a_lock_in_which_two_schemas_share_an_id_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "ids.lock"
    entry = {"1": {"id": 100_001, "fingerprint": "f"}}
    lock.write_text(json.dumps({"lonja.orders.One": entry, "lonja.payments.Two": entry}))
    with pytest.raises(SchemaError, match="two schemas: lonja"):
        Registry.from_lock(lock)
