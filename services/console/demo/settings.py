"""What a demo run tells its services and the outside: two sides of the same data. Pure."""

from collections.abc import Mapping
from typing import Any

from services.console.demo.memory import Memory
from services.sandbox.retail.orders import ACCOUNTS

PAYMENTS, CARRIER = "payments", "carrier"  # names of processes, accounts and books alike
CARD, POST = "card", "post"  # our accounts with them, in the services' settings
URLS = ("sandbox", PAYMENTS, CARRIER)  # whose addresses the services must know
POLICIES = ("backorder", "split", "cancel")  # what each shop's shortage means
OURS = "standard"  # the provider of the shop whose buyers pay us

# Who answers wrongly, and how often: lost answers, 500 though it is done, 429.
SHOPS_FAULTS = {"lost": 0.02, "error_after": 0.02, "limited": 0.02, "slow": 0.02}
STRIPE_FAULTS = {"lost": 0.03, "error_after": 0.01, "limited": 0.02, "slow": 0.02}
CARRIER_FAULTS = {"lost": 0.02, "error_after": 0.02, "limited": 0.02, "slow": 0.02}
FATES = {"lost": 0.01, "failed": 0.01, "returned": 0.01, "retried": 0.05, "late": 0.03}

HOME = f"""[locations.main]
kind = "own"
carrier = "{POST}"
[locations.main.address]
company = "Lonja Demo Ltd"
street1 = "1 Exchange Square"
city = "London"
zip = "EC2A 2JN"
country = "GB"
"""
# Some authorisations of the demo end after a second: nothing is let go before its end.
CARD_TERMS = 'expiry_margin_hours = 0\nstatement = "LONJA DEMO"\n'


def asked_of(name: str, memory: Memory) -> Mapping[str, Any]:
    """Return the configuration of a process of the sandbox; everyone lives at our own speed."""
    seed, keys = memory.seed, memory.keys
    hooks = {"late_seconds": 1.0}
    match name:
        case "payments":
            return {
                "api_key": keys[CARD], "webhook_secret": keys[f"{CARD} webhooks"],
                "account": CARD, "seed": seed, "short_share": 0.02, "short_seconds": 1,
                "action_seconds": 2, "search_lag": 1.0, "faults": STRIPE_FAULTS, "hooks": hooks,
            }  # fmt: skip
        case "carrier":
            return {
                "api_key": keys[POST], "webhook_secret": keys[f"{POST} webhooks"],
                "account": POST, "seed": seed, "pickup": "on_handover", "pickup_seconds": 2,
                "step_seconds": 1,
                "faults": CARRIER_FAULTS, "fates": FATES, "hooks": hooks,
            }  # fmt: skip
        case _:
            tokens = {one.name: keys[one.name] for one in ACCOUNTS}
            admin = {
                "tokens": tokens, "faults": SHOPS_FAULTS, "points": 20_000,
                "points_per_second": 5_000, "hooks": hooks,
            }  # fmt: skip
            return {
                "secrets": memory.secrets, "seed": seed, "orders": memory.orders,
                "rows": memory.rows, "rate": memory.rate, "store_paid_by": "us", "admin": admin,
            }  # fmt: skip


def configuration(memory: Memory, urls: Mapping[str, str]) -> str:
    """Return the services' settings of a run: three shops, one card account, one carrier."""
    keys = memory.keys
    parts = [
        HOME,
        _provider(f"payments.{CARD}", "stripe", urls[PAYMENTS], keys, CARD) + CARD_TERMS,
        _provider(f"carriers.{POST}", "easypost", urls[CARRIER], keys, POST) + "per_second = 100\n",
    ]
    for account, policy in zip(ACCOUNTS, POLICIES, strict=True):
        ours = f'custody = "us"\npayments = "{CARD}"\n' if account.provider == OURS else ""
        parts.append(
            f"[channels.{account.name}]\n"
            f'provider = "{account.provider}"\n'
            f'webhook_secrets = ["{memory.secrets[account.name]}"]\n'
            f'api_url = "{urls["sandbox"]}/shops/{account.name}"\n'
            f'api_token = "{keys[account.name]}"\n'
            f'shortage = "{policy}"\n{ours}'
        )
    return "\n".join(parts)


def _provider(section: str, provider: str, url: str, keys: Mapping[str, str], name: str) -> str:
    return (
        f'[{section}]\nprovider = "{provider}"\napi_url = "{url}"\napi_key = "{keys[name]}"\n'
        f'webhook_secrets = ["{keys[f"{name} webhooks"]}"]\n'
    )
