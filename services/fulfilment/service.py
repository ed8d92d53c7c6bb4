"""Fulfilment, assembled: what it decides, reacts to, shows, offers and asks of carriers."""

from dataclasses import replace

from libs.contracts import fulfilment, inventory, orders, payments
from libs.runtime.ports import Service
from libs.runtime.settings import Settings
from libs.telemetry import metrics
from libs.telemetry.measures import Measure
from services.fulfilment import api, easypost, process
from services.fulfilment.decider import DECIDERS
from services.fulfilment.intake import CarrierIntake
from services.fulfilment.read_model import PROJECTIONS, SHIPMENTS
from services.fulfilment.terms import places_of


def configured(settings: Settings) -> Service:
    """Return the service for these locations and carriers."""
    return replace(SERVICE, reacts=process.reactions(places_of(settings)), configured=None)


SERVICE = Service(
    name="fulfilment",
    contracts=fulfilment.CONTRACTS,
    reads=(*orders.CONTRACTS, *inventory.CONTRACTS, *payments.CONTRACTS),
    deciders=DECIDERS,
    reacts=process.reactions(process.NOWHERE),
    plan=process.plan,
    projections=PROJECTIONS,
    routes=api.routes,
    intake=CarrierIntake,
    effects=easypost.kinds,
    configured=configured,
    measures=(
        Measure(
            metrics.GIVEN_UP,
            SHIPMENTS,
            named=("fulfilment",),
            take="past",
            of="deadline",
            among={"waiting": ("true",), "reason": ("label-in-doubt", "label-void")},
        ),
    ),
)
