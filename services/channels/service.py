"""The channels service as data: the only file here that knows how its parts are wired."""

from libs.contracts import channels, fulfilment, inventory, orders
from libs.runtime.ports import Service
from libs.telemetry import metrics
from libs.telemetry.measures import Measure
from services.channels import api, linking, reporting
from services.channels.decider import CHANNEL_ORDER
from services.channels.intake import ChannelIntake
from services.channels.item_decider import ITEM
from services.channels.listing_decider import LISTING
from services.channels.outbound.kinds import kinds
from services.channels.outbound.report import NO_ANSWER
from services.channels.read_model import CHANNEL_ORDERS, ITEMS, LISTINGS
from services.channels.report_rows import REPORTS

SERVICE = Service(
    name="channels",
    contracts=channels.CONTRACTS,
    reads=(*inventory.CONTRACTS, *orders.CONTRACTS, *fulfilment.CONTRACTS),
    deciders=(CHANNEL_ORDER, LISTING, ITEM),
    reacts={
        "orders": reporting.react_to_orders,
        "fulfilment": reporting.react_to_fulfilment,
        "inventory": linking.react_to_inventory,
        "channels": linking.react_to_ourselves,
    },
    plan=reporting.plan,
    projections=(LISTINGS, ITEMS, CHANNEL_ORDERS, REPORTS),
    routes=api.routes,
    intake=ChannelIntake,
    effects=kinds,
    measures=(
        Measure(
            metrics.GIVEN_UP,
            REPORTS,
            named=("channels",),
            among={"state": ("refused",), "code": (NO_ANSWER,)},
        ),
    ),
    awaited=True,
)
