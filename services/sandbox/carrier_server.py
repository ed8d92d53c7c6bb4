"""The EasyPost-shaped carrier as a process of its own: `python -m services.sandbox.carrier_server`.

Its books are `books.jsonl` in the folder that it is given; the same books give the same parcels.
"""

import argparse

from services.sandbox.books import Books
from services.sandbox.carrier.config import read_settings
from services.sandbox.carrier.door import Door
from services.sandbox.carrier.provider import Provider
from services.sandbox.clock import Clock
from services.sandbox.process import main


def build(options: argparse.Namespace) -> Door:
    """Raises ValueError where the configuration or the books do not fit."""
    settings = read_settings(options.config)
    books = Books(options.data)
    provider = Provider(settings, books, Clock(settings.speed))
    provider.start()
    return Door(settings, books, provider, options.target)


if __name__ == "__main__":
    main("carrier", "services.sandbox.carrier_server", __doc__, build)
