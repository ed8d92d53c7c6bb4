"""The own store's API for fulfilments and cancellations. It sends nothing.

Documented in the sandbox's README: a POST needs an `Idempotency-Key`; the same key gives the stored
answer, with other content 409. Errors are problem details with a code.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import json

from services.sandbox.admin.desk import Desk, Kept
from services.sandbox.retail.content import State
from services.sandbox.shops import reported, standard
from services.sandbox.shops.reported import Report

Json = dict[str, Any]
Answer = tuple[int, Json]


def problem(status: int, code: str, detail: str) -> Answer:
    return status, {
        "type": "about:blank",
        "title": code.replace("-", " ").capitalize(),
        "status": status,
        "code": code,
        "detail": detail,
    }


def number_of(given: Json) -> str:
    """The order's number behind its external id."""
    return str(given.get("external_id") or "").removeprefix("ord_")


def get(desk: Desk, account: str, number: str) -> Answer:
    state = desk.order(account, number)
    if state is None:
        return problem(404, "order-unknown", f"no order ord_{number}")
    reports = desk.reports(account, number)
    dispatches = [one for one in reports if one.kind == "dispatch"]
    return 200, standard.order(state) | {"fulfilments": reported.fulfilments(dispatches)}


def once(desk: Desk, account: str, what: str, key: str | None, given: Json, at: int) -> Answer:
    """A POST under its key: the stored answer, or a new one that is stored."""
    if not key:
        return problem(400, "idempotency-key-missing", "send an Idempotency-Key header")
    request = f"{what}:{json.encode(given, order='deterministic').decode()}"
    kept = desk.kept.get((account, key))
    if kept is not None and kept.request != request:
        return problem(409, "idempotency-key-reused", "this key was used with other content")
    if kept is None:
        (status, body), report = _act(desk, account, what, given, at)
        kept = Kept(request, status, body)
        desk.settle(account, key, kept, report)
    else:
        desk.repeat(account)
    return kept.status, kept.body


def _act(desk: Desk, account: str, what: str, given: Json, at: int) -> tuple[Answer, Report | None]:
    number = number_of(given)
    state = desk.order(account, number)
    if state is None:
        return problem(404, "order-unknown", f"no order ord_{number[:40]}"), None
    if state.status == "cancelled":
        return problem(409, "order-cancelled", f"order ord_{number} is cancelled"), None
    left = desk.left(account, number)
    asked = _asked(state, left, given.get("lines"))
    if asked is None:
        return problem(422, "line-unknown", "a line is no line of this order"), None
    reports = desk.reports(account, number)
    again = what == "fulfilments" and bool(given.get("resend_of"))
    most = _most(state, reports) if what == "fulfilments" else left
    most = reported.shipped(reports) if again else most
    if not any(asked.values()) or any(units > most[line] for line, units in asked.items()):
        return problem(422, "nothing-left", "fewer units are left than that"), None
    if what == "fulfilments":
        return _dispatch(desk, account, number, asked, given, at)
    reason = str(given.get("reason") or "")[:200]
    report = desk.draft(account, number, "cancellation", at, asked, reason=reason)
    body = {
        "id": f"can_{number}_{report.id}",
        "external_id": f"ord_{number}",
        "lines": _lines(report.lines),
        "reason": report.reason,
    }
    return (201, body), report


def _most(state: State, reports: Sequence[Report]) -> dict[int, int]:
    """Units that may have left: a parcel was on its way when an edit took units out."""
    out, gone = state.cut.units if state.cut is not None else {}, reported.shipped(reports)
    return {
        line.id: state.remaining(line) + out.get(line.id, 0) - gone[line.id]
        for line in state.content.lines
    }


def _dispatch(
    desk: Desk, account: str, number: str, asked: dict[int, int], given: Json, at: int
) -> tuple[Answer, Report | None]:
    report = desk.draft(
        account, number, "dispatch", at, asked, tracking=given.get("tracking_code"),
        carrier=given.get("carrier"), url=given.get("tracking_url"),
        told={"resend_of": str(given["resend_of"])} if given.get("resend_of") else {},
    )  # fmt: skip
    (shown,) = reported.fulfilments([report])
    return (201, shown | {"external_id": f"ord_{number}"}), report


def _asked(state: State, left: dict[int, int], lines: Any) -> dict[int, int] | None:
    """Units by line; everything that is left where no lines are named."""
    if not lines:
        return dict(left)
    known = {f"line_{line.id}": line.id for line in state.content.lines}
    found: dict[int, int] = {}
    for one in lines:
        line, units = known.get(str(one.get("line_id"))), one.get("quantity")
        if line is None or not isinstance(units, int) or units < 1:
            return None
        found[line] = found.get(line, 0) + units
    return found


def _lines(lines: Mapping[int, int]) -> list[Json]:
    return [{"line_id": f"line_{line}", "quantity": units} for line, units in sorted(lines.items())]
