"""How Python looks for garbage while services run."""

import gc

# Of all that lives here, heads and rows that are remembered, next to nothing is ever part of a
# cycle. With Python's own thresholds a burst of commands spent a third of its time on looking.
THRESHOLDS = (50_000, 20, 50)


def settle() -> None:
    """Call once when all is started: what is there stays, what comes is looked at seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
