"""The three kinds of streams of fulfilment: an order's handover, a parcel, a carrier's tracker."""

from services.fulfilment.handover_decider import HANDOVER
from services.fulfilment.shipment_decider import SHIPMENT
from services.fulfilment.tracker_decider import TRACKER

DECIDERS = (HANDOVER, SHIPMENT, TRACKER)

__all__ = ["DECIDERS", "HANDOVER", "SHIPMENT", "TRACKER"]
