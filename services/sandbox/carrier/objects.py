"""EasyPost's objects as JSON: shapes and nothing else. Weights are ounces, prices strings.

Source: docs.easypost.com/docs (shipments, rates, trackers, events), and the payload of EasyPost's
own examples repository.
"""

from datetime import UTC, datetime
from typing import Any

from services.sandbox.carrier.journey import Scan

Json = dict[str, Any]
CARRIER = "RoyalMail"


def moment(at: float) -> str:
    return datetime.fromtimestamp(int(at), tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def shipment(number: str, at: int, reference: str | None, given: Json) -> Json:
    """A shipment before its purchase; `given` holds the parts that were checked."""
    return {
        "id": number,
        "object": "Shipment",
        "mode": "test",
        "created_at": moment(at),
        "updated_at": moment(at),
        "reference": reference,
        "status": "unknown",
        "is_return": False,
        "batch_id": None,
        "batch_status": None,
        "batch_message": None,
        "customs_info": None,
        "fees": [],
        "forms": [],
        "insurance": None,
        "messages": [],
        "options": {"currency": "GBP", "payment": {"type": "SENDER"}},
        "order_id": None,
        "postage_label": None,
        "rates": [],
        "refund_status": None,
        "scan_form": None,
        "selected_rate": None,
        "tracker": None,
        "tracking_code": None,
        "usps_zone": None,
    } | given


def rate(number: str, of: str, at: int, service: str, price: str, currency: str, days: int) -> Json:
    return {
        "id": number,
        "object": "Rate",
        "mode": "test",
        "created_at": moment(at),
        "updated_at": moment(at),
        "billing_type": "easypost",
        "carrier": CARRIER,
        "carrier_account_id": "ca_sandbox",
        "currency": currency,
        "delivery_date": None,
        "delivery_date_guaranteed": False,
        "delivery_days": days,
        "est_delivery_days": days,
        "list_currency": currency,
        "list_rate": price,
        "rate": price,
        "retail_currency": currency,
        "retail_rate": price,
        "service": service,
        "shipment_id": of,
    }


def label(number: str, at: int, base: str) -> Json:
    return {
        "id": number,
        "object": "PostageLabel",
        "created_at": moment(at),
        "updated_at": moment(at),
        "date_advance": 0,
        "integrated_form": "none",
        "label_date": moment(at),
        "label_epl2_url": None,
        "label_file_type": "image/png",
        "label_pdf_url": None,
        "label_resolution": 300,
        "label_size": "4x6",
        "label_type": "default",
        "label_url": f"{base}/labels/{number}.png",
        "label_zpl_url": None,
    }


def _detail(scan: Scan) -> Json:
    return {
        "object": "TrackingDetail",
        "message": scan.message,
        "description": scan.message,
        "status": scan.status,
        "status_detail": scan.detail,
        "datetime": moment(scan.at),
        "source": CARRIER,
        "carrier_code": None,
        "tracking_location": {
            "object": "TrackingLocation",
            "city": scan.city or None,
            "state": None,
            "country": "GB",
            "zip": None,
        },
    }


def tracker(
    number: str, code: str, of: str | None, seen: tuple[Scan, ...], promised: int | None
) -> Json:
    """A tracker as it stands after the scans in `seen`, of which there is at least one."""
    last = seen[-1]
    return {
        "id": number,
        "object": "Tracker",
        "mode": "test",
        "tracking_code": code,
        "status": last.status,
        "status_detail": last.detail,
        "created_at": moment(seen[0].at),
        "updated_at": moment(last.at),
        "signed_by": "SANDBOX" if last.status == "delivered" else None,
        "weight": None,
        "est_delivery_date": None if promised is None else moment(promised),
        "shipment_id": of,
        "carrier": CARRIER,
        "tracking_details": [_detail(one) for one in seen],
        "carrier_detail": None,
        "finalized": last.status in {"delivered", "return_to_sender", "cancelled"},
        "is_return": last.status == "return_to_sender",
        "public_url": f"https://track.example.invalid/{number}",
        "fees": [],
    }


def event(number: str, of: Json, before: str, at: int) -> Json:
    """A tracker's change; `before` is the status that it had, "unknown" where it is new."""
    return {
        "id": number,
        "object": "Event",
        "created_at": moment(at),
        "updated_at": moment(at),
        "description": "tracker.created" if before == "unknown" else "tracker.updated",
        "mode": "test",
        "previous_attributes": {"status": before},
        "pending_urls": [],
        "completed_urls": [],
        "result": of,
        "status": "pending",
        "user_id": "user_sandbox",
    }
