"""What the sandbox's books say over HTTP: progress, deliveries and orders; it changes nothing."""

from typing import Any

from services.sandbox.engine import Engine
from services.sandbox.retail.content import State
from services.sandbox.retail.mischief import STEP
from services.sandbox.shops.render import external_id

Json = dict[str, Any]


def progress(engine: Engine, *, running: bool) -> Json:
    """Sends planned and acknowledged, attempts sent and failed, keys distinct and acknowledged."""
    ledger, plan = engine.ledger, engine.plan
    planned = sum(len(one.sends) for one in plan.deliveries)
    entries = ledger.entries.values()
    show = [one.id for one in plan.deliveries if one.number == plan.showcase]
    return {
        "planned": planned,
        "planned_deliveries": len(plan.deliveries),
        "planned_orders": len(plan.contents),
        "sent": sum(one.sent for one in entries),
        "distinct": sum(len(one.keys) for one in entries),
        "acked": len(ledger.acked),
        "distinct_acked": sum(len(one.acked_keys) for one in entries),
        "failed": sum(one.failed for one in entries),
        "statuses": {str(status): n for status, n in sorted(ledger.statuses.items())},
        "running": running,
        "done": len(ledger.acked) == planned,
        "showcase": {
            "order": plan.showcase,
            "sent": sum(ledger.entries[one].sent for one in show if one in ledger.entries),
        },
    }


def deliveries(engine: Engine, account: str) -> Json:
    """A shop's deliveries: sums, and each with its keys by the provider's documentation."""
    found: list[Json] = []
    for one in engine.plan.deliveries:
        entry = engine.ledger.entries.get(one.id)
        if one.account == account and entry is not None:
            found.append(
                {
                    "order": one.number,
                    "topic": one.topic,
                    "sent": entry.sent,
                    "failed": entry.failed,
                    "keys": entry.keys,
                    "acknowledged": entry.acked_keys,
                }
            )
    return {
        "account": account,
        "provider": engine.shops[account].provider,
        "sent": sum(one["sent"] for one in found),
        "distinct": sum(len(one["keys"]) for one in found),
        "acknowledged": sum(len(one["acknowledged"]) for one in found),
        "deliveries": found,
    }


def orders(engine: Engine, account: str) -> Json:
    """A shop's orders as it holds them at this point of the run."""
    latest: dict[str, State] = {}
    for one in engine.plan.deliveries:
        if one.account == account and one.id * STEP <= engine.front[account]:
            latest[one.number] = engine.plan.happenings[one.happening].state
    return {"account": account, "orders": [_order(state) for state in latest.values()]}


def _order(state: State) -> Json:
    content = state.content
    return {
        "external_id": external_id(content),
        "number": content.number,
        "case": content.case,
        "status": state.status,
        "paid": state.paid,
        "version": state.version,
        "placed_at": content.placed_at,
        "total_minor": content.total,
        "lines": [
            {
                "id": line.id,
                "sku": line.sku,
                "channel_sku": line.code,
                "kind": line.kind,
                "quantity": line.quantity,
                "cancelled": state.cancelled.get(line.id, 0),
            }
            for line in content.lines
        ],
    }
