"""How Python looks for garbage while services run."""

import gc

# Of all that lives here, heads and rows that are remembered, next to nothing is ever part of a
# cycle. With Python's own thresholds a burst of commands spent a third of its time on looking; a
# look at all that has survived stops the process for half a second, and finds a dozen objects.
# So what is young is looked at often, in a few milliseconds, and the rest after 50 million more.
THRESHOLDS = (10_000, 5_000, 10)


def settle() -> None:
    """Call once when all is started: what is there stays, what comes is looked at seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
