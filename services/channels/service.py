"""The channels service as data: the only file here that knows how its parts are wired."""

from libs.contracts import channels, inventory
from libs.runtime.ports import Service
from services.channels import api
from services.channels.decider import CHANNEL_ORDER
from services.channels.intake import ChannelIntake
from services.channels.listing_decider import LISTING
from services.channels.read_model import CHANNEL_ORDERS, ITEMS, LISTINGS

SERVICE = Service(
    name="channels",
    contracts=channels.CONTRACTS,
    reads=inventory.CONTRACTS,
    deciders=(CHANNEL_ORDER, LISTING),
    projections=(LISTINGS, ITEMS, CHANNEL_ORDERS),
    routes=api.routes,
    intake=ChannelIntake,
)
