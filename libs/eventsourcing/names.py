"""Names and texts: which the store can hold, and what stands for one that it cannot. Pure."""

import hashlib

UNNAMED = "intake-unnamed"  # where a command is parked whose stream's name cannot be held
LONGEST = 250  # characters of a name: two of them fit an index of PostgreSQL


def holdable(text: str) -> bool:
    """Say whether PostgreSQL and UTF-8 can hold the text (no U+0000, no lone surrogate)."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return False
    return "\0" not in text


def nameable(text: str) -> bool:
    """Say whether the text can name a stream, a source or a key."""
    return 0 < len(text) <= LONGEST and holdable(text)


def renamed(text: str) -> str:
    """Return a name that stands for one that cannot be held, always the same."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"unnameable/{digest[:32]}"


def cleaned(text: str) -> str:
    """Return the text for people to read: what cannot be held is replaced, the rest is cut."""
    return text.encode("utf-8", "replace").decode().replace("\0", "�")[:200]
