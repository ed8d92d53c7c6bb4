"""A shop's own books of an order's money: what it took, gave back, has, and owes the buyer. Pure.

Shopify and the own store give back at once what is cancelled, and what an edit made cheaper when
the story says so; what WooCommerce took stays until a shopkeeper refunds it by hand. What we
charge never passes through the shop.
"""

from services.sandbox.retail.content import Content, State


def received(state: State) -> int:
    """The pence that the shop took for the order in all; a dearer edit is paid with it."""
    if not state.paid or state.content.means is not None:
        return 0
    return state.content.total + (state.cut.owed if state.cut is not None else 0)


def returned(state: State) -> int:
    """The pence of it that the shop gave back."""
    took, cut = received(state), state.cut
    if not took or state.content.account.provider == "woocommerce":
        return 0
    if state.status == "cancelled":
        return took
    back = cut.owed if cut is not None and cut.back_at is not None else 0
    return min(took, back + sum(cancelled_amounts(state)))


def taken(state: State) -> int:
    """The pence that the shop took and still has."""
    return received(state) - returned(state)


def owed(state: State) -> int:
    """The pence that the shop has and the order does not cost any more."""
    return max(0, taken(state) - cost(state))


def cost(state: State) -> int:
    """What the order costs as it is now; nothing once it is cancelled."""
    if state.status == "cancelled":
        return 0
    return state.content.total - sum(cancelled_amounts(state))


def cancelled_amounts(state: State) -> tuple[int, int]:
    """Net and tax of what is cancelled; a whole order's charges are, too."""
    content: Content = state.content
    lines = [line for line in content.lines if line.id in state.cancelled]
    net, tax = sum(line.net for line in lines), sum(line.tax for line in lines)
    if state.status == "cancelled":
        net += sum(charge.net for charge in content.charges)
        tax += sum(charge.tax for charge in content.charges)
    return net, tax
