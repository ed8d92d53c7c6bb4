"""What only a newer release can take: left to it for a while, as if it had not come. No I/O.

While releases run side by side, the newer one writes events that the older one cannot read. What
needs them is not parked for a person: the other process takes it.
"""

from collections.abc import Mapping, Sequence

from libs.codec.errors import UNKNOWN
from libs.eventsourcing.inputs import FromApi, FromOperator, FromTopic, Head, Input

NEWER = "newer-release"  # what a caller is told: the same request succeeds elsewhere, or later
PATIENCE = 60.0  # seconds that a process leaves what it is handed, if no newer release is there
GAP = 10.0  # seconds without any of it, after which somebody newer has had it meanwhile
QUIET = 300.0  # the same for a process that nobody newer came to


class Leaving:
    """Which inputs a process leaves. `outdated` is set where it has met one that it left.

    Who leaves something is handed no more of it as soon as a newer release is there. So what still
    comes after `patience` seconds has nobody newer, and is parked like all that cannot be
    understood. 0 leaves nothing.
    """

    def __init__(self, patience: float = 0.0) -> None:
        self.patience, self.outdated = patience, False
        self._since = self._last = -QUIET
        self._alone = False

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
            queue = queue_of(given)
            if queue in stopped or (_newer(given, heads) and self._leave(given, now)):
                stopped.add(queue)
                left.append(given)
            else:
                taken.append(given)
        return taken, left

    def _leave(self, given: Input, now: float) -> bool:
        """Say whether to leave it; callers and persons are told, which says nothing of others."""
        if isinstance(given.origin, FromApi | FromOperator):
            return True
        if now - self._last > (QUIET if self._alone else GAP):
            self._since = now
        self._last = now
        self._alone = now - self._since >= self.patience
        self.outdated = not self._alone
        return not self._alone


def queue_of(given: Input) -> str:
    """Return what keeps inputs in order: a record's partition, the source of all others."""
    match given.origin:
        case FromTopic(after=after):
            return f"{after.topic}/{after.partition}"
        case FromOperator(stream=stream, source=source):
            return f"{stream} {source}"
        case _:
            return given.source


def _newer(given: Input, heads: Mapping[str, Head]) -> bool:
    """Say whether an input or the history of one of its streams has an unknown schema.

    To give something up takes no history.
    """
    if isinstance(given.origin, FromOperator) and given.origin.discard is not None:
        return False
    if given.failure is not None:
        return given.failure.code == UNKNOWN
    return any(heads[stream].newer for stream in given.streams())
