"""The Stripe-shaped provider as a process of its own: `python -m services.sandbox.stripe_server`.

Its books are `books.jsonl` in the folder that it is given; the same books give the same account.
"""

import argparse

from services.sandbox.books import Books
from services.sandbox.clock import Clock
from services.sandbox.process import main
from services.sandbox.stripe.config import read_settings
from services.sandbox.stripe.door import Door
from services.sandbox.stripe.provider import Provider


def build(options: argparse.Namespace) -> Door:
    """Raises ValueError where the configuration or the books do not fit."""
    settings = read_settings(options.config)
    books = Books(options.data)
    provider = Provider(settings, books, Clock(settings.speed))
    provider.start()
    return Door(settings, books, provider, options.target)


if __name__ == "__main__":
    main("stripe", "services.sandbox.stripe_server", __doc__, build)
