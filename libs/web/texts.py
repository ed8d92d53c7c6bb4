"""What a person writes in a request, and is kept for ever: no card number, nobody's address."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from libs.security.cardnumbers import masked

MASK = "[e-mail]"
_EMAIL = re.compile(r"[^\s@<>()\[\]\"',;:]+@[^\s@<>()\[\]\"',;:]+\.[^\W\d_]{2,}")


def impersonal(text: str) -> str:
    """Return the text with each card number and each e-mail address in it replaced."""
    return _EMAIL.sub(MASK, masked(text))


def _named(who: str) -> str:
    """Refuse an address: of who did something, a mask would say nothing."""
    if _EMAIL.search(who):
        raise ValueError("say who by a name or a role: it is kept for ever, so no e-mail address")
    return masked(who)


By = Annotated[str, Field(max_length=200), AfterValidator(_named)]
Note = Annotated[str, Field(max_length=300), AfterValidator(impersonal)]
