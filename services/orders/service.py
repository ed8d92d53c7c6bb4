"""The orders service as data: the only file here that knows how its parts are wired."""

from libs.bus.pace import PROMPT
from libs.contracts import channels, fulfilment, inventory, orders, payments
from libs.runtime.ports import Service
from libs.telemetry import metrics
from libs.telemetry.measures import Measure
from services.orders import api, process
from services.orders.decider import ORDER
from services.orders.read_model import HISTORY, ORDERS
from services.orders.standing import UNFINISHED

SERVICE = Service(
    name="orders",
    contracts=orders.CONTRACTS,
    reads=(
        *channels.CONTRACTS,
        *inventory.CONTRACTS,
        *payments.CONTRACTS,
        *fulfilment.CONTRACTS,
    ),
    deciders=(ORDER,),
    reacts={
        "channels": process.react_to_channels,
        "inventory": process.react_to_inventory,
        "payments": process.react_to_payments,
        "fulfilment": process.react_to_fulfilment,
    },
    plan=process.plan,
    projections=(ORDERS, HISTORY),
    routes=api.routes,
    measures=(
        Measure(metrics.ORDERS, ORDERS, by=("state",)),
        Measure(
            metrics.ORDERS_AT_RISK,
            ORDERS,
            by=("state", "reason", "currency"),
            take="sum",
            of="value_at_risk_minor",
            among={"state": UNFINISHED},
        ),
        Measure(
            metrics.OLDEST_UNFINISHED,
            ORDERS,
            take="oldest",
            of="received_at",
            among={"state": UNFINISHED},
        ),
        Measure(metrics.OVERDUE, ORDERS, take="past", of="decide_by", among={"state": UNFINISHED}),
    ),
    reacting=PROMPT,
    awaited=True,
)
