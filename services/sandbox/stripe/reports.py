"""A Stripe account's books for a checker: what was taken, given back and held. Changes nothing.

Amounts are minor units by currency.
"""

from collections import Counter, defaultdict
from typing import Any

from services.sandbox.stripe.provider import Provider

Json = dict[str, Any]


def books(provider: Provider) -> Json:
    """Sums, each order's money, and what must not be: a caller's intent captured more than once."""
    intents = list(provider.account.objects["payment_intent"].values())
    return {
        "account": provider.settings.account,
        "now": provider.clock.now(),
        "intents": len(intents),
        "by_status": dict(Counter(one["status"] for one in intents)),
        "captured_minor": _sums(provider, "captured"),
        "refunded_minor": _sums(provider, "refunded"),
        "held_minor": _sums(provider, "held"),
        "fees_minor": _fees(provider),
        "orders": orders(provider),
        "double_charges": double_charges(provider),
        "faults": dict(Counter(provider.faulted.values())),
        "calls": dict(sorted(provider.calls.items())),
    }


def money(provider: Provider, intent: Json) -> dict[str, int]:
    """What an intent took, gave back by refunds, and still holds."""
    refunds = provider.account.of_intent("refund", intent["id"])
    return {
        "captured": intent["amount_received"],
        "refunded": sum(one["amount"] for one in refunds if one["status"] == "succeeded"),
        "held": intent["amount_capturable"],
    }


def _sums(provider: Provider, what: str) -> dict[str, int]:
    found: Counter[str] = Counter()
    for one in provider.account.objects["payment_intent"].values():
        found[one["currency"].upper()] += money(provider, one)[what]
    return dict(found)


def _fees(provider: Provider) -> dict[str, int]:
    found: Counter[str] = Counter()
    for one in provider.account.objects["balance_transaction"].values():
        found[one["currency"].upper()] += one["fee"]
    return dict(found)


def orders(provider: Provider) -> dict[str, Json]:
    """By the order that the metadata names ("" where none is named) and never mixed in currency."""
    found: dict[str, Json] = {}
    for one in provider.account.objects["payment_intent"].values():
        name = one["metadata"].get(provider.settings.order_key, "")
        row = found.setdefault(name, {"intents": [], "money_minor": {}})
        row["intents"].append({"id": one["id"], "status": one["status"], "amount": one["amount"]})
        sums = row["money_minor"].setdefault(one["currency"].upper(), Counter())
        sums.update(money(provider, one))
    return found


def double_charges(provider: Provider) -> list[Json]:
    """Each of the caller's intents that more than one of ours took money for."""
    taken: dict[str, list[str]] = defaultdict(list)
    for one in provider.account.objects["payment_intent"].values():
        name = one["metadata"].get(provider.settings.intent_key)
        if name and one["amount_received"]:
            taken[name].append(one["id"])
    return [
        {"intent": name, "payment_intents": numbers}
        for name, numbers in taken.items()
        if len(numbers) > 1
    ]
