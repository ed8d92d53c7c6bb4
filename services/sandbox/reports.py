"""What the sandbox's books say over HTTP: progress, deliveries and orders; it changes nothing."""

from collections.abc import Sequence
from typing import Any

from services.sandbox.admin.echoes import Echoes
from services.sandbox.engine import Engine
from services.sandbox.retail.content import State
from services.sandbox.retail.mischief import STEP
from services.sandbox.shops import reported, takings
from services.sandbox.shops.render import external_id

Json = dict[str, Any]


def progress(engine: Engine, echoes: Echoes, *, running: bool) -> Json:
    """Sends planned and acknowledged, attempts sent and failed, keys distinct and acknowledged.

    The keys of `echoes`, which answer the seller's reports, count among the distinct ones, and
    each of their acknowledged copies as one attempt.
    """
    ledger, plan = engine.ledger, engine.plan
    planned = sum(len(one.sends) for one in plan.deliveries)
    entries = ledger.entries.values()
    show = [one.id for one in plan.deliveries if one.number == plan.showcase]
    return {
        "planned": planned,
        "planned_deliveries": len(plan.deliveries),
        "planned_orders": len(plan.contents),
        "sent": sum(one.sent for one in entries)
        + sum(len(copies) for copies in engine.desk.acked.values()),
        "distinct": len(ledger.keys | echoes.sent.keys()),
        "acked": len(ledger.acked),
        "distinct_acked": len(
            ledger.acked_keys | {key for key in echoes.sent if key in engine.desk.acked}
        ),
        "failed": sum(one.failed for one in entries),
        "statuses": {str(status): n for status, n in sorted(ledger.statuses.items())},
        "running": running,
        "done": len(ledger.acked) == planned,
        "echoes": echoes.hooks.report(),
        "showcase": {
            "order": plan.showcase,
            "sent": sum(ledger.entries[one].sent for one in show if one in ledger.entries),
        },
    }


def deliveries(engine: Engine, echoes: Echoes, account: str) -> Json:
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
    found += _echoed(engine, echoes, account)
    return {
        "account": account,
        "provider": engine.shops[account].provider,
        "sent": sum(one["sent"] for one in found),
        "distinct": len({key for one in found for key in one["keys"]}),
        "acknowledged": len({key for one in found for key in one["acknowledged"]}),
        "deliveries": found,
    }


def _echoed(engine: Engine, echoes: Echoes, account: str) -> list[Json]:
    acked = engine.desk.acked
    return [
        {
            "order": one.delivery.number,
            "topic": one.delivery.topic,
            "sent": len(acked.get(key, ())),
            "failed": 0,
            "keys": [key],
            "acknowledged": [key] if key in acked else [],
        }
        for key, one in echoes.sent.items()
        if one.shop.account == account
    ]


def orders(engine: Engine, account: str) -> Json:
    """A shop's orders as it holds them at this point of the run."""
    stories: dict[str, list[State]] = {}
    for one in engine.plan.deliveries:
        if one.account == account and one.id * STEP <= engine.front[account]:
            stories.setdefault(one.number, []).append(engine.plan.happenings[one.happening].state)
    return {"account": account, "orders": [_order(engine, story) for story in stories.values()]}


def _order(engine: Engine, story: Sequence[State]) -> Json:
    planned = story[-1]
    content = planned.content
    told = engine.desk.reports(content.account.name, content.number)
    state, gone = reported.told(planned, told), reported.shipped(told)
    return {
        "external_id": external_id(content),
        "number": content.number,
        "case": content.case,
        "status": state.status,
        "paid": state.paid,
        "version": state.version,
        "placed_at": content.placed_at,
        "total_minor": content.total,
        "received_minor": takings.received(state),
        "refunded_minor": takings.returned(state),
        "taken_minor": takings.taken(state),
        "owed_minor": takings.owed(state),
        "lines": [
            {
                "id": line.id,
                "sku": line.sku,
                "channel_sku": line.code,
                "kind": line.kind,
                "quantity": line.quantity,
                "cancelled": state.cancelled.get(line.id, 0),
                "shipped": gone[line.id],
            }
            for line in content.lines
        ],
    }
