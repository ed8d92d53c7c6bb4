"""All that is outside, of one world, and how an instance's calls come there."""

from collections.abc import Sequence
from random import Random
from typing import Any

import msgspec

from libs.contracts import fulfilment
from libs.effects.kinds import EffectKind
from libs.eventsourcing.decided import Turn
from libs.runtime.ports import Ports, Service
from services.channels.outbound import kinds as reporting
from services.payments.stripe_effects import stripe_kinds
from tests.simulation import bank, carrier, desks
from tests.simulation.dashboard import Dashboard
from tests.simulation.loop import VirtualLoop
from tests.simulation.shops import Buyers, Notice, Order
from tests.simulation.wire import Wire

HOUR = 3_600_000_000  # microseconds


class Outside:
    """The payment provider, the carrier and the shops' desks, with so many bad moments to come."""

    def __init__(self, loop: VirtualLoop, rng: Random, seed: int, buyers: Buyers) -> None:
        self.buyers, self.faults = buyers, rng.choice((0, 4, 12, 30))
        self.silence = rng.choice((0, 0, 0, rng.randint(25, 40))) * HOUR  # of the bank, to come
        self.wires: list[Wire] = []
        self.bank = bank.Bank(loop, seed, self._bank_tells)
        self.dashboard = Dashboard(self.bank, rng)
        self.carrier = carrier.Carrier(loop, seed, self._carrier_tells)
        self.desks = desks.Desks(loop, self._order)
        self.desks.echo = buyers.webhooks.append
        buyers.reports = self.desks.reports

    def _order(self, account: str, number: str) -> Order | None:
        found = (
            one
            for one in self.buyers.orders
            if one.account == account and one.now.content.number == number
        )
        return next(found, None)

    def _bank_tells(self, event: dict[str, Any]) -> None:
        self._notice("payments", "stripe", bank.ACCOUNT, event["id"], event["type"], event)

    def _carrier_tells(self, event: dict[str, Any]) -> None:
        self._notice("fulfilment", "easypost", carrier.ACCOUNT, event["id"], "tracker", event)

    def _notice(
        self, service: str, provider: str, account: str, key: str, topic: str, event: dict[str, Any]
    ) -> None:
        body = msgspec.json.encode(event)
        self.buyers.webhooks.append(Notice(service, provider, account, key, topic, body))

    def wire(self, wire: Wire) -> Wire:
        """Take part in an instance's calls."""
        wire.faulty = self._faulty
        self.wires.append(wire)
        return wire

    def _faulty(self) -> bool:
        self.faults -= self.faults > 0
        return self.faults > 0

    def hush(self, now: int) -> bool:
        """Let the bank's answers be lost for longer than it honours a key, once in a world."""
        self.bank.silent_till, self.silence = now + self.silence, 0
        return self.bank.silent

    def saw(self, turn: Turn) -> None:
        """Let the carrier have what has been handed over."""
        for envelope in turn.recorded:
            event = envelope.event
            if isinstance(event, fulfilment.ShipmentDispatched) and event.tracking_code:
                self.carrier.hand_over(event.tracking_code)

    def pass_time(self) -> None:
        """Let what is due happen."""
        self.bank.fall_due()
        self.carrier.fall_due()

    def next_due(self) -> int | None:
        """Return when something happens by itself next."""
        due = [at for at in (self.bank.next_due(), self.carrier.next_due()) if at is not None]
        return min(due, default=None)

    def kinds(self, service: Service, ports: Ports, wire: Wire) -> Sequence[EffectKind]:
        """Return the service's own kinds of effects, connected with what is outside here."""
        found: Sequence[EffectKind]
        if service.name == "payments":
            client: Any = bank.Client(self.bank, wire)
            return stripe_kinds(client, ports.clock)
        found = service.effects(ports) if service.effects is not None else ()
        for kind in found:
            adapter: Any = kind.adapter
            if service.name == "fulfilment":
                adapter._easypost.accounts = {carrier.ACCOUNT: carrier.Account(self.carrier, wire)}
            if service.name == "channels":
                for name, connected in adapter._accounts.items():
                    provider: Any = kind.provider
                    shop: Any = desks.Outside(self.desks, wire, name)
                    connected.adapter = reporting._adapter(provider, shop, ports)
        return found
