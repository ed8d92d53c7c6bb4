"""The crm_sync service as data: the only file here that knows how its parts are wired."""

from libs.contracts import accounting, crm_sync, fulfilment, orders, payments
from libs.runtime.ports import Service
from libs.telemetry import metrics
from libs.telemetry.measures import Measure
from services.crm_sync import api, erasing, process
from services.crm_sync.decider import CUSTOMER
from services.crm_sync.erasure_decider import ERASURE
from services.crm_sync.evidence_decider import EVIDENCE
from services.crm_sync.read_model import ALL, ERASURES

SERVICE = Service(
    name="crm_sync",
    contracts=crm_sync.CONTRACTS,
    reads=(
        *orders.CONTRACTS, *payments.CONTRACTS, *fulfilment.CONTRACTS, *accounting.CONTRACTS,
    ),
    deciders=(CUSTOMER, EVIDENCE, ERASURE),
    reacts={"orders": process.react_to_orders, "crm_sync": process.react_to_ourselves},
    plan=process.plan,
    projections=ALL,
    routes=api.routes,
    effects=erasing.effects,
    measures=(
        Measure(
            metrics.GIVEN_UP, ERASURES, named=("crm_sync",), take="past", of="answer_by",
            among={"erased": ("false",)},
        ),
    ),
)  # fmt: skip
