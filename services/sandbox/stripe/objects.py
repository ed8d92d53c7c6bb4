"""Stripe's objects as JSON: shapes and nothing else. Amounts are minor units, times seconds.

Source: docs.stripe.com/api (payment_intents, charges, refunds, balance_transactions, events), and
the payloads of other people's test suites.
"""

from typing import Any

Json = dict[str, Any]
API_VERSION = "2025-09-30.clover"


def intent(number: str, amount: int, currency: str, at: int, **given: Any) -> Json:
    return {
        "id": number,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic",
        "client_secret": f"{number}_secret_{number[-12:]}",
        "confirmation_method": "automatic",
        "created": at,
        "currency": currency,
        "customer": None,
        "description": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_options": {
            "card": {
                "installments": None,
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": "automatic",
            }
        },
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    } | given


def card(brand: str, last4: str, capture_before: int | None, amount: int) -> Json:
    details: Json = {
        "amount_authorized": amount,
        "authorization_code": last4[::-1] + "00",
        "brand": brand,
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": "pass",
        },
        "country": "GB",
        "exp_month": 12,
        "exp_year": 2034,
        "extended_authorization": {"status": "disabled"},
        "funding": "credit",
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "last4": last4,
        "multicapture": {"status": "unavailable"},
        "network": brand,
        "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
        "three_d_secure": None,
        "wallet": None,
    }
    if capture_before is not None:
        details["capture_before"] = capture_before
    return {"card": details, "type": "card"}


def charge(number: str, of: Json, at: int, method_details: Json, **given: Any) -> Json:
    return {
        "id": number,
        "object": "charge",
        "amount": of["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": {"address": None, "email": None, "name": None, "phone": None},
        "calculated_statement_descriptor": "SANDBOX",
        "captured": False,
        "created": at,
        "currency": of["currency"],
        "customer": of["customer"],
        "description": of["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": of["metadata"],
        "on_behalf_of": None,
        "outcome": {
            "network_status": "approved_by_network",
            "reason": None,
            "risk_level": "normal",
            "seller_message": "Payment complete.",
            "type": "authorized",
        },
        "paid": True,
        "payment_intent": of["id"],
        "payment_method": of["payment_method"],
        "payment_method_details": method_details,
        "receipt_email": None,
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "succeeded",
        "transfer_data": None,
        "transfer_group": None,
    } | given


def refund(number: str, of: Json, amount: int, at: int, **given: Any) -> Json:
    return {
        "id": number,
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": of["id"],
        "created": at,
        "currency": of["currency"],
        "destination_details": {"card": {"type": "pending"}, "type": "card"},
        "metadata": {},
        "payment_intent": of["payment_intent"],
        "reason": None,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    } | given


def transaction(number: str, kind: str, of: Json, amount: int, fee: int, at: int) -> Json:
    detail = {
        "amount": fee,
        "application": None,
        "currency": of["currency"],
        "description": "Stripe processing fees",
        "type": "stripe_fee",
    }
    return {
        "id": number,
        "object": "balance_transaction",
        "amount": amount,
        "available_on": at + 2 * 86_400,
        "created": at,
        "currency": of["currency"],
        "description": of.get("description"),
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [detail] if fee else [],
        "net": amount - fee,
        "reporting_category": kind,
        "source": of["id"],
        "status": "pending",
        "type": kind,
    }


def event(number: str, kind: str, of: Json, at: int, request: Json) -> Json:
    return {
        "id": number,
        "object": "event",
        "api_version": API_VERSION,
        "created": at,
        "data": {"object": of},
        "livemode": False,
        "pending_webhooks": 1,
        "request": request,
        "type": kind,
    }


def listing(url: str, found: list[Json], *, has_more: bool) -> Json:
    return {"object": "list", "data": found, "has_more": has_more, "url": url}
