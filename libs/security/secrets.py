"""A value that cannot be printed."""

import hmac
from typing import NoReturn


class Secret:
    """A key, a password, a token: `***` wherever it is shown, and no encoder takes it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value, for the one place that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, _: str) -> str:
        return "***"

    def __getstate__(self) -> NoReturn:
        raise TypeError("a hidden value is not written anywhere")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a hidden value is not written anywhere")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._bytes(), other._bytes())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def _bytes(self) -> bytes:
        return self._value.encode("utf-8", "surrogatepass")
