"""What the orders of a planned run ask of stock, counted apart from the plan."""

from collections import Counter

from services.sandbox.retail import plan


def most_ordered(run: plan.RunPlan) -> Counter[str]:
    """Units by SKU that each order's lines ask for at most."""
    most: dict[tuple[str, int, str], int] = {}
    for one in run.happenings:
        for line in one.state.content.lines if one.kind != "draft" else ():
            if line.sku is not None:
                key = one.number, line.id, line.sku
                most[key] = max(most.get(key, 0), line.quantity)
    units: Counter[str] = Counter()
    for (_, _, sku), n in most.items():
        units[sku] += n
    return units
