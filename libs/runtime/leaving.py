"""What only a newer release can take: left to it for a while, as if it had not come. No I/O.

While releases run side by side, the newer one writes events that the older one cannot read. What
needs them is not parked for a person: the other process takes it.
"""

from collections.abc import Mapping, Sequence

from libs.codec.errors import UNKNOWN
from libs.eventsourcing.inputs import FromApi, FromTimer, FromTopic, Head, Input

NEWER = "newer-release"  # what a caller is told: the same request succeeds elsewhere, or later
PATIENCE = 60.0  # seconds that a queue is left, if no newer release is there
GAP = 10.0  # seconds without it, after which the queue has been somewhere else meanwhile
QUIET = 300.0  # the same for a queue that nobody newer came for
ROOM = 10_000  # queues


class Leaving:
    """Which inputs a process leaves. `outdated` is set where it has met one that it left.

    A queue (a partition, or a source) is left for `patience` seconds: what still comes here then
    has nobody newer, and is parked like all that cannot be understood. 0 leaves nothing.
    """

    def __init__(self, patience: float = 0.0) -> None:
        self.patience, self.outdated = patience, False
        # Since when a queue is left, when it was last, and whether that is over.
        self._left: dict[str, tuple[float, float, bool]] = {}

    def split(
        self, inputs: Sequence[Input], heads: Mapping[str, Head], now: float
    ) -> tuple[list[Input], list[Input]]:
        """Return what is to be taken, and what is left: with an input all behind it in its queue.

        `now` is in seconds of any clock that does not go back.
        """
        readable = not any(head.newer for head in heads.values())
        if not self.patience or (readable and all(given.failure is None for given in inputs)):
            return list(inputs), []
        taken: list[Input] = []
        left: list[Input] = []
        stopped: set[str] = set()
        for given in inputs:
            queue = _queue(given)
            if queue in stopped or (_newer(given, heads) and self._wait(given, queue, now)):
                stopped.add(queue)
                left.append(given)
            else:
                taken.append(given)
        return taken, left

    def _wait(self, given: Input, queue: str, now: float) -> bool:
        if isinstance(given.origin, FromApi):
            return True
        since, last, over = self._left.get(queue, (now, now, False))
        if now - last > (QUIET if over else GAP):
            since = now
        over = now - since >= self.patience
        self._left[queue] = since, now, over
        self.outdated = not all(ended for _, _, ended in self._left.values())
        if len(self._left) > ROOM:
            self._left = {q: one for q, one in self._left.items() if now - one[1] <= QUIET}
        return not over


def _queue(given: Input) -> str:
    """Return what keeps inputs in order: the partition of a record, the source of all others."""
    match given.origin:
        case FromTopic(after=after):
            return f"{after.topic}/{after.partition}"
        case _:
            return given.source


def _newer(given: Input, heads: Mapping[str, Head]) -> bool:
    """Say whether an input or the history of one of its streams has an unknown schema.

    A timer that cannot be read is one that a newer release has set.
    """
    if given.failure is not None:
        return given.failure.code == UNKNOWN or isinstance(given.origin, FromTimer)
    return any(heads[stream].newer for stream in given.streams())
