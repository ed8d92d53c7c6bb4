"""What a shop has taken for an order and still has: its own books of money. Pure.

Only Shopify gives money back by itself, and only for what is cancelled; what an edit makes cheaper,
and all that WooCommerce took, stays until a shopkeeper refunds it by hand. What we charge never
passes through the shop.
"""

from collections.abc import Sequence

from services.sandbox.retail.content import State
from services.sandbox.shops.shopify_refunds import cancelled_amounts


def taken(state: State, story: Sequence[State]) -> int:
    """Return the pence that the shop took for the order in its story, less what it gave back."""
    content = state.content
    if not state.paid or content.means is not None:
        return 0
    most = max([content.total, *(one.content.total for one in story if one.paid)])
    if content.account.provider == "woocommerce" or not state.cancelled:
        return most
    return max(0, most - sum(cancelled_amounts(state)))
