"""The orders service as data: the only file here that knows how its parts are wired."""

from libs.contracts import channels, fulfilment, inventory, orders, payments
from libs.runtime.ports import Service
from services.orders import api, process
from services.orders.decider import ORDER
from services.orders.read_model import HISTORY, ORDERS

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
)
