"""Finds a bank account's number (IBAN) in a reference: it names a person, and is no reference.

Source: ISO 13616, its registry's lengths by country, and the check of ISO 7064 (MOD 97-10). Pure.
"""

import re
from collections.abc import Mapping

_LENGTHS: Mapping[str, int] = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK", 21: "CH HR LI LV", 22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "LY PT ST",
        26: "IS TR", 27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip
# At the beginning of a word: in the middle of a provider's long ids it would be found by chance.
_BEGINS = re.compile(r"(?<![A-Z0-9])([A-Z]{2})[0-9]{2}")


def holds_iban(text: str) -> bool:
    """Say whether there is an IBAN in the text, whatever stands between its letters and digits."""
    upper = text.upper() if text.isascii() else ""
    for begin in _BEGINS.finditer(upper):
        length = _LENGTHS.get(begin[1], 0)
        number = re.sub(r"[^A-Z0-9]+", "", upper[begin.start() :])[:length]
        if length and len(number) == length and _checks(number):
            return True
    return False


def _checks(number: str) -> bool:
    digits = "".join(str(int(letter, 36)) for letter in number[4:] + number[:4])
    return int(digits) % 97 == 1
