"""What goes wrong, and for whom: a pure function of seed and subject, so that runs repeat."""

from hashlib import blake2b
from typing import Literal, get_args

from msgspec import Struct
from msgspec.structs import asdict

Fault = Literal["lost", "unheard", "error", "error_after", "limited", "slow"]
FAULTS: tuple[Fault, ...] = get_args(Fault)


class Faults(Struct, frozen=True, forbid_unknown_fields=True):
    """Shares (0 to 1) of the subjects that meet a fault, each once, at their first request.

    lost: done, the answer is lost; unheard: the connection drops and nothing is done; error: 500
    and nothing done; error_after: 500 though it is done; limited: 429; slow: done after
    `slow_seconds` of real time.
    """

    lost: float = 0.0
    unheard: float = 0.0
    error: float = 0.0
    error_after: float = 0.0
    limited: float = 0.0
    slow: float = 0.0
    slow_seconds: float = 0.3


def share(seed: int, *parts: str) -> float:
    """A number from 0 up to 1 that belongs to the parts."""
    digest = blake2b("\x1f".join((str(seed), *parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def fault_of(faults: Faults, seed: int, subject: str) -> Fault | None:
    """The fault that a subject meets, or None."""
    left = share(seed, "fault", subject)
    shares = asdict(faults)
    for name in FAULTS:
        if left < shares[name]:
            return name
        left -= shares[name]
    return None


def identifier(seed: int, prefix: str, number: int, length: int = 24) -> str:
    """The id of an object by its number: opaque, and the same in each run of a seed."""
    text = f"{seed}:{prefix}:{number}".encode()
    return prefix + blake2b(text, digest_size=32).hexdigest()[:length]
