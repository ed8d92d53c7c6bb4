"""What a shop has taken for an order and still has: its own books of money. Pure.

Only Shopify gives money back by itself when something is cancelled; WooCommerce keeps it until its
shopkeeper refunds it by hand, and what we charge never passes through the shop.
"""

from services.sandbox.retail.content import State
from services.sandbox.shops.shopify_refunds import cancelled_amounts


def taken(state: State) -> int:
    """Return the pence that the shop took for the order, less what it gave back."""
    content = state.content
    if not state.paid or content.means is not None:
        return 0
    if content.account.provider == "woocommerce" or not state.cancelled:
        return content.total
    return max(0, content.total - sum(cancelled_amounts(state)))
