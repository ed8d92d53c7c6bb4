"""The configuration of a simulated world, by chance: policies, providers, places."""

from random import Random
from typing import Any

from libs.runtime.settings import Settings
from tests.simulation.shops import ACCOUNTS, SHOPS


def settings(rng: Random, *, whole: bool = False) -> Settings:
    """Accounts with policies of their own; the whole world has providers and places, too."""
    policies = ("backorder", "split", "cancel")
    channels: dict[str, dict[str, Any]] = {
        one.name: {
            "provider": one.provider,
            "webhook_secrets": [SHOPS[one.name].secret],
            "shortage": rng.choice(policies),
        }
        for one in ACCOUNTS
    }
    if not whole:
        return Settings.model_validate({"channels": channels})
    for name, more in channels.items():
        more |= {"api_url": "https://shop.example.invalid", "api_token": "user:token"}
        if name == "store":
            more |= {"custody": "us", "payments": "card"}
        else:
            more["custody"] = rng.choice(("channel_remits_gross", "channel_captures_at_our_order"))
    seconds = ("capture_all", "one_parcel", "capture_then_reauthorise")
    card = {
        "provider": "stripe", "api_key": "key", "webhook_secrets": ["secret"],
        "second_parcel": rng.choice(seconds), "expiry_margin_hours": 12,
        "authorisation_expiry": rng.choice(("capture", "reauthorise", "release")),
        "accept_risk_minor": rng.choice((0, 0, 300)),
    }  # fmt: skip
    post = {
        "provider": "easypost", "api_key": "key", "webhook_secrets": ["secret"],
        "silent_days": 3, "assume_delivered_days": 2, "countries": ["GB"],
    }  # fmt: skip
    by = ("automatic", "by-hand")
    sender = {
        "company": "Us", "street1": "1 Harbour Street", "city": "Mockham", "zip": "ZZ1 1ZZ",
        "country": "GB",
    }  # fmt: skip
    places = {
        name: {
            "carrier": carrier, "packing": rng.choice(by), "hand_over": rng.choice(by),
            "address": sender,
        }
        for name, carrier in (("main", "post"), ("back", rng.choice(("post", "self"))))
    }  # fmt: skip
    # Where the bank says no end: by its rule, or as those assume who take no risk.
    lasts = {"authorisation_hours": 168 if card["accept_risk_minor"] else 2}
    return Settings.model_validate(
        {
            "channels": channels, "payments": {"card": card | lasts}, "carriers": {"post": post},
            "locations": places,
        }
    )  # fmt: skip
