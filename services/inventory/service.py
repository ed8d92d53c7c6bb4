"""Inventory, assembled: what it decides, reacts to, shows and offers."""

from libs.bus.pace import PROMPT
from libs.contracts import fulfilment, inventory, orders
from libs.runtime.ports import Service
from services.inventory import api, process
from services.inventory.decider import STOCK
from services.inventory.read_model import ENTRIES, RESERVATIONS
from services.inventory.read_model import STOCK as STOCK_ROWS

SERVICE = Service(
    name="inventory",
    contracts=inventory.CONTRACTS,
    reads=(*orders.CONTRACTS, *fulfilment.CONTRACTS),
    deciders=(STOCK,),
    reacts={"orders": process.react_to_orders, "fulfilment": process.react_to_fulfilment},
    plan=process.plan,
    projections=(STOCK_ROWS, RESERVATIONS, ENTRIES),
    routes=api.routes,
    reacting=PROMPT,
    projecting=PROMPT,
    awaited=True,
)
