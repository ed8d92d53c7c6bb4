"""The EasyPost-shaped carrier as a process of its own: `python -m services.sandbox.carrier_server`.

Its books are `books.jsonl` in the folder that it is given; the same books give the same parcels.
"""

from services.sandbox.carrier.config import Settings
from services.sandbox.carrier.door import Door
from services.sandbox.carrier.provider import Provider
from services.sandbox.process import main
from services.sandbox.provider_door import building

if __name__ == "__main__":
    main(
        "carrier",
        "services.sandbox.carrier_server",
        __doc__,
        building(Settings, Provider, Door),
    )
