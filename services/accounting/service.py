"""Accounting, assembled: what it decides, reacts to, shows and offers."""

from dataclasses import replace

from fastapi import APIRouter

from libs.contracts import accounting, fulfilment, inventory, orders, payments
from libs.runtime.ports import Ports, Service
from libs.runtime.settings import Settings
from services.accounting import api, process
from services.accounting.company import Companies, Company
from services.accounting.cost_decider import COST
from services.accounting.decider import SALE
from services.accounting.read_model import ACCOUNTS, ENTRIES, QUEUES, STOCK_VALUES


def companies_of(settings: Settings) -> Companies:
    """Return what is configured of our companies."""
    return Companies(
        {
            name: Company(one.currency, one.time_zone, one.country)
            for name, one in settings.companies.items()
        },
        dict(settings.rates),
    )


def configured(settings: Settings) -> Service:
    """Return the service whose reactions know our companies."""
    return replace(SERVICE, reacts=process.reactions(companies_of(settings)))


def routes(ports: Ports) -> APIRouter:
    """Return the routes for these settings."""
    return api.routes(ports, companies_of(ports.settings))


SERVICE = Service(
    name="accounting",
    contracts=accounting.CONTRACTS,
    reads=(
        *orders.CONTRACTS, *payments.CONTRACTS, *fulfilment.CONTRACTS, *inventory.CONTRACTS,
    ),
    deciders=(SALE, COST),
    reacts=process.reactions(Companies({"main": Company()}, {})),
    configured=configured,
    projections=(ACCOUNTS, ENTRIES, STOCK_VALUES, QUEUES),
    routes=routes,
)  # fmt: skip
