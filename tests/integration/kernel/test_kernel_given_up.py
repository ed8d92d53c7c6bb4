"""What was given up is counted until a person has settled it, by the service that shows it."""

from typing import Any

import pytest
from msgspec.structs import replace

from libs.eventsourcing.projection import Projection
from libs.replay.table import Table
from libs.runtime.gauging import Gauges
from libs.store.event_store import PostgresStore
from libs.telemetry.metrics import REGISTRY
from services.channels.report_rows import REPORTS, ReportRow
from services.console.composition import SERVICES
from services.crm_sync.read_model import ERASURES, ErasureRow
from services.fulfilment.read_model import SHIPMENTS
from services.fulfilment.standing import ShipmentRow
from services.payments.read_model import PAYMENTS, PaymentRow
from tests.integration.kernel.test_kernel_gauges import NOW, SECOND, gauges_of

pytestmark = pytest.mark.stack

REPORT = ReportRow("r0", "a", "shopify", "1", "o1", "dispatch", "s1", "refused", 0, 0)
PAYMENT = PaymentRow("o0", standing="in_doubt", reason="outcome-given-up")
PARCEL = ShipmentRow("s0", reason="label-in-doubt", deadline=NOW - SECOND)
ERASURE = ErasureRow("c0", answer_by=NOW - SECOND)
# The first row of each waits for a person; all others do not, or not yet.
ROWS: dict[str, tuple[Projection[Any], list[Any]]] = {
    "channels": (REPORTS, [
        replace(REPORT, code="outcome-unknown"), replace(REPORT, report_id="r1", code="no-stock"),
        replace(REPORT, report_id="r2", state="confirmed"),
    ]),
    "payments": (PAYMENTS, [
        PAYMENT, replace(PAYMENT, order_id="o1", reason="outcome-unknown"),
        replace(PAYMENT, order_id="o2", standing="captured", reason=""),
    ]),
    "fulfilment": (SHIPMENTS, [
        PARCEL, replace(PARCEL, shipment_id="s1", deadline=NOW + SECOND),
        replace(PARCEL, shipment_id="s2", reason="not-packed"),
    ]),
    "crm_sync": (ERASURES, [
        ERASURE, replace(ERASURE, subject="c1", erased=True),
        replace(ERASURE, subject="c2", answer_by=NOW + SECOND),
    ]),
}  # fmt: skip


@pytest.mark.parametrize("service", ROWS)
async def test_each_service_counts_what_waits_for_a_person(
    postgres: PostgresStore, service: str
) -> None:
    projection, rows = ROWS[service]
    table = Table(projection, projection.name)
    await postgres.pool.execute(table.ddl())
    measures = [m for m in SERVICES[service].measures if m.projection is projection]
    gauges = Gauges(service, postgres.pool, measures, gauges_of(postgres).relay)
    counted = []
    for shown in (rows, rows[1:]):
        await postgres.pool.execute(f"TRUNCATE {projection.name}")
        async with postgres.pool.acquire() as connection:
            await table.write(connection, {table.key(row): row for row in shown})
        gauges._until = 0.0
        await gauges.refresh(NOW)
        counted.append(REGISTRY.get_sample_value("lonja_effects_given_up", {"service": service}))
    assert counted == [1, 0]
