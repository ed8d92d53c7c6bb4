"""The Stripe-shaped provider as a process of its own: `python -m services.sandbox.stripe_server`.

Its books are `books.jsonl` in the folder that it is given; the same books give the same account.
"""

from services.sandbox.process import main
from services.sandbox.provider_door import building
from services.sandbox.stripe.config import Settings
from services.sandbox.stripe.door import Door
from services.sandbox.stripe.provider import Provider

if __name__ == "__main__":
    main(
        "stripe",
        "services.sandbox.stripe_server",
        __doc__,
        building(Settings, Provider, Door),
    )
