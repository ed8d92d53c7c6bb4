"""Ids: derived ones, so that a retry makes the same id again. Makes none at random."""

import hashlib

_NAMESPACE = b"lonja\x00"


def derive(*parts: str) -> str:
    """Return the name-based UUID (version 5 layout, RFC 9562) of the parts, as 36 characters."""
    digest = bytearray(
        hashlib.sha1(_NAMESPACE + "\x1f".join(parts).encode(), usedforsecurity=False).digest()[:16]
    )
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def short(*parts: str) -> str:
    """Return 20 hexadecimal characters derived from the parts: an id that a person can copy."""
    return hashlib.sha256(_NAMESPACE + "\x1f".join(parts).encode()).hexdigest()[:20]


def category(stream: str) -> str:
    """Return the category of a stream id: what stands before its first hyphen."""
    return stream.partition("-")[0]


def stream_key(stream: str) -> str:
    """Return what stands behind the first hyphen of a stream id."""
    return stream.partition("-")[2]
