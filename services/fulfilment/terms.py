"""What the configuration says of our places and carriers, as the data that reactions work with."""

from libs.runtime.settings import Settings
from services.fulfilment.process import Places
from services.fulfilment.shipment_commands import SELF, Policy


def places_of(settings: Settings) -> Places:
    """Return how parcels leave each location, and the countries that its carrier goes to."""
    policies, countries = {}, {}
    for name, location in settings.locations.items():
        carrier = settings.carriers.get(location.carrier)
        policies[name] = Policy(
            carrier=SELF if carrier is None else location.carrier,
            service=location.service, packing=location.packing, hand_over=location.hand_over,
            silent_days=10 if carrier is None else carrier.silent_days,
            assume_days=5 if carrier is None else carrier.assume_delivered_days,
        )  # fmt: skip
        countries[name] = () if carrier is None else carrier.countries
    default = "main" if "main" in policies or not policies else min(policies)
    return Places(policies, countries, default)
