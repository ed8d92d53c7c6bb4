"""A waiting list in order, in short runs: a change copies one run and not the list. Pure."""

from bisect import bisect_left, bisect_right

Turn = tuple[int, int, str]  # priority, time of placing, order id: lower is served sooner
Queue = tuple[tuple[Turn, ...], ...]  # runs that follow each other, none of them empty

RUN = 64


def joined(queue: Queue, turn: Turn) -> Queue:
    """Return the list with one more turn, in its place."""
    if not queue:
        return ((turn,),)
    at = max(0, bisect_right(queue, (turn,)) - 1)
    run = queue[at]
    place = bisect_left(run, turn)
    run = (*run[:place], turn, *run[place:])
    if len(run) <= RUN:
        return (*queue[:at], run, *queue[at + 1 :])
    # A list that only grows at its end keeps full runs.
    cut = RUN if place == RUN else RUN // 2
    return (*queue[:at], run[:cut], run[cut:], *queue[at + 1 :])


def left(queue: Queue, turn: Turn) -> Queue:
    """Return the list without a turn that is in it."""
    at = bisect_right(queue, (turn, *_LAST)) - 1
    run = tuple(other for other in queue[at] if other != turn)
    return (*queue[:at], run, *queue[at + 1 :]) if run else (*queue[:at], *queue[at + 1 :])


def size(queue: Queue) -> int:
    """Return how many wait."""
    return sum(map(len, queue))


_LAST: tuple[Turn, ...] = ((2**63, 0, ""),)  # behind every turn
