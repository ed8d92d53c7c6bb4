"""How many examples a property is tried with: a few while one works, all of them in `make test`."""

import os

THOROUGH = bool(os.environ.get("LONJA_THOROUGH"))


def examples(all_of_them: int) -> int:
    """Return the number of examples: a quarter, at least ten, unless LONJA_THOROUGH is set."""
    return all_of_them if THOROUGH else min(all_of_them, max(10, all_of_them // 4))
