"""Units that were stopped before they left: what they were to cost is free again. Pure."""

from collections.abc import Sequence

from libs.contracts import common, payments
from services.payments import commands
from services.payments.evolve import PaymentEvent
from services.payments.settling import settle
from services.payments.state import PaymentState
from services.payments.story import Story


def withdraw(command: commands.WithdrawUnits, state: PaymentState) -> Sequence[PaymentEvent]:
    """Take stopped units out of their parcel, once per version of the shipment."""
    parcel = state.parcels.get(command.shipment_id)
    if parcel is None or command.version <= parcel.seen or not parcel.units:
        return []
    gone: dict[str, int] = {}
    for line in command.lines:
        gone[line.line_id] = gone.get(line.line_id, 0) + line.quantity
    left = tuple(
        common.LineAmount(line_id=name, quantity=units - gone.get(name, 0), amount=0)
        for name, units in sorted(parcel.units.items())
        if units > gone.get(name, 0)
    )
    story = Story(state, command.at)
    story.tell(
        payments.ClearanceWithdrawn(
            **story.names(command.occurred_at), shipment_id=command.shipment_id,
            reason=command.reason, lines=left, shipment_version=command.version,
        )
    )  # fmt: skip
    return settle(story)
