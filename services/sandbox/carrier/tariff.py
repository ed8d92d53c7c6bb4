"""What the carrier asks for a parcel: services and their prices in minor units. Pure."""

from msgspec import Struct


class Service(Struct, frozen=True):
    """A service: up to `base` + `step` for each further kilogram begun; `days` to deliver."""

    name: str
    base: int
    step: int
    days: int


_HOME = (
    Service("Tracked24", 445, 95, 1),
    Service("Tracked48", 339, 80, 2),
)
_ABROAD = (
    Service("InternationalTracked", 1_120, 420, 6),
    Service("InternationalEconomy", 765, 360, 12),
)
_GRAMS_PER_OUNCE = 28.349523125


def services(*, home: bool) -> tuple[Service, ...]:
    return _HOME if home else _ABROAD


def price(service: Service, ounces: float) -> int:
    """Minor units for a parcel of a weight."""
    kilograms = -(-ounces * _GRAMS_PER_OUNCE // 1000)
    return service.base + service.step * max(0, int(kilograms) - 1)


def text(minor: int) -> str:
    """A price as EasyPost writes it."""
    return f"{minor // 100}.{minor % 100:02d}"
