"""What is asked for behind a path's `?`: a name that its route does not know is refused.

Else a filter with a slip of the pen would list everything, as if it had been heeded.
"""

from collections.abc import Iterator
from typing import Any

from fastapi import Request

from libs.web.problems import Problem
from libs.web.tokens import OPEN

SHOWN = 60  # characters of a name that nobody here has given


async def known_parameters(request: Request) -> None:
    """Raise Problem (unknown-parameter). What is open to all may carry what its sender likes."""
    scope = request.scope
    if not scope["query_string"] or scope["path"].startswith(OPEN):
        return
    known = frozenset(_names(scope["route"].dependant))
    for name in request.query_params:
        if name not in known:
            there = f"there are: {', '.join(sorted(known))}" if known else "it takes none"
            raise Problem("unknown-parameter", f"No parameter {name[:SHOWN]!r} here; {there}.")


def _names(dependant: Any) -> Iterator[str]:
    yield from (one.alias for one in dependant.query_params)
    for other in dependant.dependencies:
        yield from _names(other)
