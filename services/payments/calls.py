"""What is asked of a provider and what it answers, as data: the requests and results of effects."""

from typing import Literal

import msgspec


class Authorise(msgspec.Struct, frozen=True, tag=True):
    """Set money aside, to be captured later. `method` is the provider's reference."""

    order_id: str
    intent_id: str
    holder: str
    amount: int
    currency: str
    method: str
    off_session: bool
    keep_method: bool


class Capture(msgspec.Struct, frozen=True, tag=True):
    """Capture of what is set aside; `final` releases the rest."""

    order_id: str
    capture_id: str
    holder: str
    provider_intent: str
    amount: int
    currency: str
    final: bool


class Void(msgspec.Struct, frozen=True, tag=True):
    """Give back what is set aside."""

    order_id: str
    intent_id: str
    holder: str
    provider_intent: str


class Refund(msgspec.Struct, frozen=True, tag=True):
    """Send captured money back. `again`: an earlier call for it was given up, look for it first."""

    order_id: str
    refund_id: str
    holder: str
    provider_intent: str
    amount: int
    currency: str
    again: bool = False


Request = Authorise | Capture | Void | Refund


class Authorised(msgspec.Struct, frozen=True):
    """How an authorisation ended that was not refused."""

    status: Literal["authorised", "action", "processing", "captured"]
    provider_intent: str
    reference: str
    amount: int
    currency: str
    capture_before: int | None = None
    mandate: bool = False


class Done(msgspec.Struct, frozen=True):
    """What the provider calls what it did, and the amount."""

    reference: str
    amount: int
    currency: str


class Refusal(msgspec.Struct, frozen=True):
    """Why a provider refused: its own word, and whether asking again can help."""

    word: str = ""
    final: bool = False


def encode(request: Request) -> bytes:
    """Write a request."""
    return msgspec.json.encode(request)


_decoder = msgspec.json.Decoder(Request)


def decode(data: bytes) -> Request:
    """Read a request."""
    request: Request = _decoder.decode(data)
    return request
