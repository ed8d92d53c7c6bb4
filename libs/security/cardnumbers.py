"""Finds card numbers in text and takes them out: 13 to 19 digits, an issuer's prefix, Luhn's sum.

Sources: ISO/IEC 7812 (the sum), the card schemes' published ranges. Pure.
"""

import re
from collections.abc import Sequence

MASK = "[card number]"
# Groups of digits with a few separators between them: white space, dots, commas, strokes, dashes
# of any kind, and what has no width. A colon is none: it stands in times of day.
_RUN = re.compile(r"\d+(?:[\s.,/_\-\u00ad\u2010-\u2015\u2212\u200b-\u200d\u2060\ufeff]{1,4}\d+)*")
_DIGITS = re.compile(r"\d+")
_LONG = frozenset(range(16, 20))


def masked(text: str) -> str:
    """Return the text with each card number in it replaced."""
    return _RUN.sub(_masked_run, text)


def holds_card_number(text: str) -> bool:
    """Say whether there is a card number in the text."""
    return masked(text) != text


def _masked_run(run: re.Match[str]) -> str:
    text = run[0]
    groups = [(one.start(), one.end()) for one in _DIGITS.finditer(text)]
    parts: list[str] = []
    done = first = 0
    while first < len(groups):
        past = _card_from(text, groups, first)
        if past > first:
            parts += [text[done : groups[first][0]], MASK]
            done = groups[past - 1][1]
        first = max(past, first + 1)
    return "".join([*parts, text[done:]])


def _card_from(text: str, groups: Sequence[tuple[int, int]], first: int) -> int:
    """Return the group after the longest card number that begins with this one, 0 if none does."""
    digits, past = "", 0
    for n, (start, end) in enumerate(groups[first : first + 19], first + 1):
        digits += text[start:end]
        if len(digits) > 19:
            break
        if len(digits) >= 13 and _is_card(digits):
            past = n
    return past


def _is_card(text: str) -> bool:
    digits = [int(letter) for letter in text]
    if len(digits) not in _lengths("".join(map(str, digits[:6]))):
        return False
    doubled = [
        d if n % 2 else (2 * d - 9 if d > 4 else 2 * d) for n, d in enumerate(digits[::-1], 1)
    ]
    return sum(doubled) % 10 == 0


def _lengths(prefix: str) -> frozenset[int]:
    """Return the lengths that numbers of this prefix (six digits) have; none if no card has it."""
    two, three, four = int(prefix[:2]), int(prefix[:3]), int(prefix[:4] or 0)
    if prefix[0] == "4":
        return frozenset({13, 16, 19})  # Visa
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return frozenset({16})  # Mastercard
    if two in {34, 37}:
        return frozenset({15})  # American Express
    if two in {36, 38, 39} or 300 <= three <= 305:
        return frozenset({14, 16, 19})  # Diners
    if 3528 <= four <= 3589 or two in {50, 62, 65} or two in range(56, 70):
        return _LONG  # JCB, UnionPay, Discover, Maestro
    return frozenset()
