"""What a service is made of for a turn."""

from collections.abc import Mapping, Sequence
from typing import Any

from libs.codec.framing import EventCodec
from libs.eventsourcing.decider import Decider
from libs.eventsourcing.process import Plan
from libs.eventsourcing.states import fold_fingerprint


class Mind:
    """A service's deciders by category, with the fingerprint of each fold; its codec, its plan."""

    def __init__(
        self,
        service: str,
        deciders: Sequence[Decider[Any, Any, Any]],
        codec: EventCodec,
        plan: Plan,
    ) -> None:
        self.service = service
        self.deciders: Mapping[str, Decider[Any, Any, Any]] = {d.category: d for d in deciders}
        self.folds = {d.category: fold_fingerprint(d) for d in deciders}
        self.codec = codec
        self.plan = plan
