"""How a sandbox process reads what it is told: a JSON file, checked on the way in."""

from pathlib import Path
from typing import Annotated, TypeVar

from msgspec import Meta, json

T = TypeVar("T")
Given = Annotated[str, Meta(min_length=1)]  # may be neither left out nor empty


def read(path: Path, kind: type[T]) -> T:
    """Raises ValueError naming the file."""
    try:
        return json.decode(path.read_bytes(), type=kind)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
