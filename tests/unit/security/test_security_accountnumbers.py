"""No bank account's number passes for a reference, by any spelling; other references do."""

import pytest

from libs.security.accountnumbers import holds_iban
from services.channels.adapters.words import payment_reference

# The examples of ISO 13616's registry.
NUMBERS = [
    "GB29NWBK60161331926819", "DE89370400440532013000", "FR1420041010050500013M02606",
    "NO9386011117947", "BE68539007547034", "ES9121000418450200051332", "NL91ABNA0417164300",
    "MT84MALT011000012345MTLCAST001S", "PL61109010140000071219812874", "SE4550000000058398257466",
]  # fmt: skip


@pytest.mark.parametrize("number", NUMBERS)
def test_an_account_number_is_found_however_it_is_written(number: str) -> None:
    grouped = "-".join(number[n : n + 4] for n in range(0, len(number), 4))
    for text in (number, number.lower(), grouped, grouped.replace("-", "_"), f"SEPA {number} x"):
        assert holds_iban(text)
    assert payment_reference(number) is None
    assert payment_reference(grouped) is None


@pytest.mark.parametrize(
    "text",
    [
        "pi_3NcXYZAB12cd34EF56gh78IJ", "TRF-2026-17", "GB29NWBK60161331926818", "INV33", "",
        "DE89370400440532", "7f9c24e8-3b1a-4c9e-8d57-0e2a9b6f1c44", "é" * 20,
    ],
)  # fmt: skip
def test_other_references_are_left_alone(text: str) -> None:
    assert not holds_iban(text)
