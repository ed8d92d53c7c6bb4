"""The payments service as data: the only file here that knows how its parts are wired."""

from collections.abc import Sequence
from dataclasses import replace

from libs.contracts import fulfilment, orders, payments
from libs.effects.kinds import EffectKind
from libs.runtime.ports import Ports, Service
from libs.runtime.settings import Settings
from libs.telemetry import metrics
from libs.telemetry.measures import Measure
from services.payments import api, planning, process
from services.payments.commands import Terms
from services.payments.decider import PAYMENT
from services.payments.disagreement_decider import DISAGREEMENT
from services.payments.intake import PaymentsIntake
from services.payments.read_model import CAPTURES, DISAGREEMENTS, INTENTS, PAYMENTS
from services.payments.standing import GIVEN_UP
from services.payments.stripe_client import Access, StripeClient
from services.payments.stripe_effects import stripe_kinds


def effects(ports: Ports) -> Sequence[EffectKind]:
    """Return the calls to providers, with the accounts of the configuration."""
    client = StripeClient(
        {
            name: Access(account.api_url, account.key(), account.statement)
            for name, account in ports.settings.payments.items()
        }
    )
    rate = min((one.per_second for one in ports.settings.payments.values()), default=90.0)
    return stripe_kinds(client, ports.clock, rate)


def configured(settings: Settings) -> Service:
    """Return the service whose reactions know the accounts' terms."""
    terms = api.terms(settings)
    react = process.reacting_to_orders(lambda account: terms.get(account, Terms()))
    return replace(SERVICE, reacts={**SERVICE.reacts, "orders": react})


SERVICE = Service(
    name="payments",
    contracts=payments.CONTRACTS,
    reads=(*orders.CONTRACTS, *fulfilment.CONTRACTS),
    deciders=(PAYMENT, DISAGREEMENT),
    reacts={
        "orders": process.reacting_to_orders(lambda _: Terms()),
        "fulfilment": process.react_to_fulfilment,
    },
    plan=planning.plan,
    projections=(PAYMENTS, CAPTURES, INTENTS, DISAGREEMENTS),
    routes=api.routes,
    intake=PaymentsIntake,
    effects=effects,
    configured=configured,
    measures=(
        Measure(
            metrics.GIVEN_UP,
            PAYMENTS,
            named=("payments",),
            among={"standing": ("in_doubt",), "reason": (GIVEN_UP,)},
        ),
    ),
)
