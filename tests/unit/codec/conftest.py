"""Fixtures of the codec's tests."""

from pathlib import Path

import pytest

from tests.unit.codec.workshop import Workshop


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    return Workshop(tmp_path, monkeypatch)
