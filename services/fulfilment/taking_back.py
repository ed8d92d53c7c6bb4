"""Which units of an order's parcels are to come back, and from which parcel. Pure.

`targets` is what each open parcel is to have, `reasons` why it is less than before; both are
brought up to date in place.
"""

from msgspec.structs import replace

from services.fulfilment.handover import Handover, Row, quantities, units_of, without
from services.fulfilment.planning import kept, wanted


def fewer(state: Handover, targets: dict[str, tuple[Row, ...]], reasons: dict[str, str]) -> None:
    """Take back what is no longer wanted, from what was planned last."""
    assert state.taken is not None
    want = wanted(state.taken)
    asked = quantities(r for n, s in state.shares.items() for r in targets.get(n, s.target))
    for line, units in asked.items():
        excess = units - want.get(line, 0)
        for name, _ in state.latest_first():
            here = quantities(targets.get(name, ())).get(line, 0)
            take = min(excess, here)
            if take > 0:
                targets[name] = without(targets[name], {line: take})
                reasons.setdefault(name, "not-wanted")
                excess -= take


def too_many(state: Handover) -> bool:
    """Say whether a parcel has still to answer for units that the order does not want.

    One that has left may have been asked before, and its answer be on its way.
    """
    assert state.taken is not None
    want = wanted(state.taken)
    shares = state.shares.values()
    gone = [share for share in shares if share.late and share.target == share.held]
    late = quantities(row for share in gone for row in share.held)
    rest = quantities(row for share in shares if share not in gone for row in share.held)
    return any(n > max(0, want.get(line, 0) - late.get(line, 0)) for line, n in rest.items())


def elsewhere(
    state: Handover, targets: dict[str, tuple[Row, ...]], reasons: dict[str, str]
) -> None:
    """Take back units that inventory no longer keeps at the parcel's location."""
    shares = state.shares
    for name, target in targets.items():
        shares = shares.set(name, replace(shares[name], target=target))
    lacks = {k: -n for k, n in kept(replace(state, shares=shares), asked=True).items() if n < 0}
    for name, share in state.latest_first():
        for row in targets.get(name, ()):
            per = units_of([replace(row, quantity=1)])
            short = max(
                (-(-lacks.get((sku, share.location), 0) // n) for sku, n in per.items()), default=0
            )
            take = min(row.quantity, short)
            if take > 0:
                targets[name] = without(targets[name], {row.line_id: take})
                reasons.setdefault(name, "units-moved")
                for sku, n in per.items():
                    key = (sku, share.location)
                    lacks[key] = max(0, lacks.get(key, 0) - n * take)
