"""Which services there are. The only list; the runtime makes them run together or apart."""

from collections.abc import Mapping

from libs.runtime.ports import Service
from services.accounting.service import SERVICE as ACCOUNTING
from services.channels.service import SERVICE as CHANNELS
from services.crm_sync.service import SERVICE as CRM_SYNC
from services.fulfilment.service import SERVICE as FULFILMENT
from services.inventory.service import SERVICE as INVENTORY
from services.orders.service import SERVICE as ORDERS
from services.payments.service import SERVICE as PAYMENTS

SERVICES: Mapping[str, Service] = {
    service.name: service
    for service in (CHANNELS, ORDERS, INVENTORY, PAYMENTS, FULFILMENT, ACCOUNTING, CRM_SYNC)
}
