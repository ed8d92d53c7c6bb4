"""Values that cannot be printed: secrets, and personal fields on their way to the vault."""

import hmac
from typing import Generic, NoReturn, TypeVar

T = TypeVar("T", str, bytes)


class Hidden(Generic[T]):
    """A value whose text is `***` wherever it is shown, and that no encoder takes by accident."""

    __slots__ = ("_value",)
    _value: T

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
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
        return type(other) is type(self) and hmac.compare_digest(
            _bytes(self._value), _bytes(other._value)
        )

    def __hash__(self) -> int:
        return hash((type(self), self._value))


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")


class Secret(Hidden[str]):
    """A key, a password, a token."""

    __slots__ = ()


class Personal(Hidden[bytes]):
    """Personal fields, encoded, before they are sealed."""

    __slots__ = ()
