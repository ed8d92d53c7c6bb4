"""Bugs that can be planted in a simulated service: the simulator must find each of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from libs.eventsourcing.decider import Decider
from libs.eventsourcing.process import Plan
from libs.store.memory import MemoryStore

Decide = Callable[[Any, Any], Sequence[Any]]


def _same(given: Any, *_: Any) -> Any:
    return given


@dataclass(frozen=True)
class Bug:
    """What is built otherwise than the product builds it; by default, nothing."""

    name: str = "none"
    breaks: str = ""
    store: Callable[[], MemoryStore] = MemoryStore
    decides: Mapping[str, Callable[[Decide], Decide]] = field(default_factory=dict)
    planning: Callable[[Plan], Plan] = _same
    shell: Callable[[Any], Any] = _same
    calls: Callable[[Any, Any], Any] = _same
    service: Callable[[Any], Any] = _same
    kinds: Callable[[Any], Any] = _same  # the service's kinds of effects
    whole: bool = False  # needs the world with payments, parcels and books
    relay_too_late: int = 0
    timers_early: bool = False
    numbers_unread: bool = False

    def deciders(self, real: Sequence[Decider[Any, Any, Any]]) -> list[Decider[Any, Any, Any]]:
        """Return the deciders, some of them with the bug."""
        return [self._decider(one) for one in real]

    def _decider(self, real: Decider[Any, Any, Any]) -> Decider[Any, Any, Any]:
        change = self.decides.get(real.category)
        if change is None:
            return real
        return Decider(real.category, real.commands, real.state, real.initial,
                       change(real.decide), real.evolve, real.version)  # fmt: skip


NONE = Bug()
