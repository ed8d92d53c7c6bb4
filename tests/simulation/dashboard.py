"""What nobody here asks of the payment provider: persons at its pages, and the buyers' banks."""

from collections import defaultdict
from collections.abc import Callable
from random import Random
from typing import Any

from services.sandbox.stripe import intents, objects, refunding
from services.sandbox.stripe.account import Turn
from tests.simulation.bank import Bank

Json = dict[str, Any]
Act = Callable[[Turn], str]
HOUR, DAY = 3_600, 86_400


# How a dispute stands next, in the provider's word as well, and what is told of it.
_NEXT = {
    "open": (("won", "won", "closed"), ("lost", "lost", "closed")),
    "inquiry": (
        ("won", "warning_closed", "closed"), ("open", "needs_response", "updated"),
        ("open", "under_review", "funds_withdrawn"),
    ),
}  # fmt: skip


class Dashboard:
    """Seeded acts, and what they came to; amounts in minor units, by order."""

    def __init__(self, bank: Bank, rng: Random) -> None:
        self.bank, self.rng = bank, rng
        self.coming = rng.choice((0, 1, 2, 4))
        self.taken: dict[str, int] = defaultdict(int)
        self.back: dict[str, int] = defaultdict(int)
        self.failed: dict[str, tuple[str, int]] = {}  # refunds that came back: order and amount
        self.disputes: dict[str, tuple[str, str, int]] = {}  # intent, how it stands and amount
        self.strangers: list[str] = []  # payments that are none of ours

    def act(self) -> str | None:
        """Let somebody do one thing; None where nothing is left to be done."""
        if not self.coming:
            return None
        slow, quick = (
            (self._fail, self._dispute, self._go_on), (self._refund, self._finish, self._sell)
        )  # fmt: skip
        first = slow if self.rng.random() < 0.7 else quick  # for most there is no time yet
        rest = quick if first is slow else slow
        for chance in (*self.rng.sample(first, 3), *self.rng.sample(rest, 3)):
            if (act := chance()) is not None:
                self.coming -= 1
                return self.bank.unasked(act)
        return None

    def _one(self, kind: str, fits: Callable[[Json], bool], after: int = 1) -> Json | None:
        """Choose what fits and has not changed for so many seconds: no bank is so quick."""
        objects_ = self.bank.provider.account.objects
        since = int(self.bank.provider.clock.now()) - after
        just = {
            one["data"]["object"].get("payment_intent") or one["data"]["object"]["id"]
            for one in objects_["event"].values() if one["created"] > since
        }  # fmt: skip
        found = [
            one for one in objects_[kind].values()
            if fits(one) and (one.get("payment_intent") or one["id"]) not in just
        ]  # fmt: skip
        return self.rng.choice(found) if found else None

    def order(self, intent: str) -> str:
        """Return whose money an intent is."""
        found = self.bank.provider.account.objects["payment_intent"][intent]
        name: str = found["metadata"]["lonja_order"]
        return name

    def _refund(self) -> Act | None:
        """Somebody sends money back at the provider's own page."""
        charge = self._one("charge", lambda one: _left(one) > 0 and not one["disputed"])
        if charge is None:
            return None
        amount = self.rng.choice((_left(charge), self.rng.randint(1, _left(charge))))
        order = self.order(charge["payment_intent"])

        def act(turn: Turn) -> str:
            self.back[order] += amount
            refunding.create(turn, charge, amount, {})
            return f"somebody sends {amount} of {order} back"

        return act

    def _fail(self) -> Act | None:
        """A buyer's bank has no such account any more."""
        refund = self._one("refund", lambda one: one["status"] == "succeeded", HOUR)
        if refund is None:
            return None
        order = self.order(refund["payment_intent"])

        def act(turn: Turn) -> str:
            self.failed[refund["id"]] = order, refund["amount"]
            refunding.fail(turn, refund, "lost_or_stolen_card")
            return f"{refund['id']} of {order} comes back: {refund['amount']}"

        return act

    def _dispute(self) -> Act | None:
        """A buyer says to the bank, or asks, whether this is right."""
        charge = self._one("charge", lambda one: _left(one) > 0 and not one["disputed"], HOUR)
        if charge is None:
            return None
        name, amount = f"dp_{len(self.disputes)}", _left(charge)
        if len(self.disputes) % 2:  # of a part of the goods
            amount = -(-amount // 3)
        word = self.rng.choice(("open", "inquiry"))

        def act(turn: Turn) -> str:
            self.coming += 1
            self.disputes[name] = charge["payment_intent"], word, amount
            turn.put(charge | {"disputed": True})
            status = {"open": "needs_response", "inquiry": "warning_needs_response"}[word]
            turn.tell("charge.dispute.created", self._shown(name, charge, status))
            return f"{name} of {self.order(charge['payment_intent'])} is {word}: {amount}"

        return act

    def _go_on(self) -> Act | None:
        """The bank decides; who has won may send back what was disputed.

        An inquiry is closed, or becomes a dispute, which takes the money.
        """
        going = [name for name, (_, how, _) in self.disputes.items() if how in _NEXT]
        if not going:
            return None
        name = self.rng.choice(going)
        intent, how, amount = self.disputes[name]
        word, status, told = self.rng.choice(_NEXT[how])
        (charge,) = (
            one for one in self.bank.provider.account.objects["charge"].values()
            if one["payment_intent"] == intent and one["captured"]
        )  # fmt: skip

        def act(turn: Turn) -> str:
            self.disputes[name] = intent, word, amount
            if word == "won":
                turn.put(charge | {"disputed": False})
            self.coming += word == "open"
            turn.tell(f"charge.dispute.{told}", self._shown(name, charge, status))
            return f"{name} is {word}"

        return act

    def _shown(self, name: str, charge: Json, status: str) -> Json:
        return {
            "id": name, "object": "dispute", "amount": self.disputes[name][2],
            "charge": charge["id"], "currency": charge["currency"], "reason": "general",
            "payment_intent": charge["payment_intent"], "status": status,
            "evidence_details": {"due_by": charge["created"] + 30 * DAY},
        }  # fmt: skip

    def _finish(self) -> Act | None:
        """Somebody takes what is set aside, or a part of it, or gives it back."""
        intent = self._one("payment_intent", lambda one: one["status"] == "requires_capture")
        if intent is None:
            return None
        order, all_of_it = intent["metadata"]["lonja_order"], intent["amount"]
        amount = self.rng.choice((0, all_of_it, self.rng.randint(1, all_of_it)))

        def act(turn: Turn) -> str:
            if not amount:
                intents.cancel(turn, intent, "requested_by_customer")
                return f"somebody gives {intent['id']} of {order} back"
            self.taken[order] += amount
            intents.capture(turn, intent, amount)
            return f"somebody takes {amount} of {intent['id']} of {order}"

        return act

    def _sell(self) -> Act | None:
        """Somebody takes money for what is no order of ours."""
        if self.rng.random() > 0.02:
            return None
        name = f"pi_stranger{len(self.strangers)}"
        paid = {"status": "succeeded", "amount_received": 500}

        def act(turn: Turn) -> str:
            self.strangers.append(name)
            turn.tell("payment_intent.succeeded", objects.intent(name, 500, "gbp", turn.at, **paid))
            return f"{name} is paid, and none of ours"

        return act


def _left(charge: Json) -> int:
    """Return what is the account's of a charge yet."""
    left: int = charge["amount"] - charge["amount_refunded"] if charge["captured"] else 0
    return left
