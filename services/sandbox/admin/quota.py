"""Shopify's calculated query costs: a bucket of points that fills again. No I/O.

Source: shopify.dev/docs/api/usage/limits, "GraphQL Admin API rate limits": a query costs a point
for each object and for each member of a connection, a mutation ten.
"""

from typing import Any

from services.sandbox.admin.graphql import Field, Operation

Json = dict[str, Any]
_MUTATION = 10
MOST = 1000  # points of one query


def cost(operation: Operation) -> int:
    """The requested cost of an operation."""
    base = _MUTATION if operation.kind == "mutation" else 0
    below = sum(_cost(field) for field in operation.fields)
    return max(1, base if operation.kind == "mutation" else below)


def _cost(field: Field) -> int:
    inner = sum(_cost(one) for one in field.selections)
    many = field.arguments.get("first") or field.arguments.get("last")
    if many:
        return 2 + int(many) * max(1, inner) // 4
    return inner + 1 if field.selections else 0


class Bucket:
    """The points of one shop; seconds are of the real clock."""

    def __init__(self, maximum: float, restore: float) -> None:
        self._maximum, self._restore = maximum, restore
        self._points, self._at = maximum, 0.0

    def spend(self, points: float, now: float) -> bool:
        """Whether there was enough; if not, nothing is spent."""
        if self._at:
            self._points = min(self._maximum, self._points + (now - self._at) * self._restore)
        self._at = now
        if points > self._points:
            return False
        self._points -= points
        return True

    def extensions(self, requested: float, *, spent: bool) -> Json:
        return {
            "cost": {
                "requestedQueryCost": int(requested),
                "actualQueryCost": int(requested) if spent else None,
                "throttleStatus": {
                    "maximumAvailable": float(self._maximum),
                    "currentlyAvailable": int(self._points),
                    "restoreRate": float(self._restore),
                },
            }
        }
