"""No card number gets through: not by any spelling, not into a log; other numbers are left alone."""

import io
import json

import pytest

from libs.security.cardnumbers import MASK, holds_card_number, masked
from libs.telemetry import logs
from services.channels.adapters.parsing import free_text

# The test numbers that Stripe, Adyen and PayPal publish.
NUMBERS = [
    "4242424242424242", "4000056655665556", "5555555555554444", "2223003122003222",
    "5105105105105100", "378282246310005", "371449635398431", "6011111111111117",
    "6011000990139424", "3056930009020004", "36227206271667", "3566002020360505",
    "6200000000000005", "4222222222222", "6759649826438453", "6304000000000000",
]  # fmt: skip


@pytest.mark.parametrize("number", NUMBERS)
def test_a_test_number_is_found_however_it_is_written(number: str) -> None:
    spaced = " ".join(number[n : n + 4] for n in range(0, len(number), 4))
    for text in (number, spaced, spaced.replace(" ", "-"), spaced.replace(" ", "\u2013"),
                 spaced.replace(" ", "\u00a0"), spaced.replace(" ", ". ")):  # fmt: skip
        assert masked(f"my card is {text}, thanks") == f"my card is {MASK}, thanks"
        assert holds_card_number(f"x{text}x")


@pytest.mark.parametrize(
    "between",
    [" - ", "/", " / ", "_", ",", ", ", "\t", "\n", "\r\n", "   ", "\u2009", "\u2212", "\u200b",
     "\u2060", "\ufeff", "\u3000", "\u00ad", " \u2013 "],
)  # fmt: skip
def test_whatever_people_and_pages_put_between_the_groups_hides_nothing(between: str) -> None:
    text = between.join(["4242"] * 4)
    assert masked(f"my card is {text}; thanks") == f"my card is {MASK}; thanks"


@pytest.mark.parametrize("number", NUMBERS)
def test_one_wrong_digit_is_another_number(number: str) -> None:
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert masked(wrong) == wrong


def test_what_stands_beside_a_card_number_stays() -> None:
    assert masked("4242 4242 4242 4242 12/29 123") == f"{MASK} 12/29 123"
    assert masked("order 17 4242 4242 4242 4242") == f"order 17 {MASK}"
    assert masked("4242424242424242 5555555555554444") == f"{MASK} {MASK}"


@pytest.mark.parametrize(
    "text",
    ["", "1234567890123", "ord_4242", "2026-11-24 18:30:00", "30/05/2026 18:30:00",
     "12, 14, 16 and 18", "4242: 4242: 4242: 4242", "+44 20 7946 0958", "5551234567890",
     "9999999999999995", "42424242424242424242424242424242", "0000000000000000"],
)  # fmt: skip
def test_other_numbers_are_left_alone(text: str) -> None:
    assert masked(text) == text


def test_long_runs_of_digits_are_looked_at_once() -> None:
    long = "1 " * 50_000
    assert masked(long) == long
    assert masked("4242424242424242 " * 2_000).count(MASK) == 2_000


def test_a_log_line_carries_no_card_number() -> None:
    sink = io.StringIO()
    logs.configure("test", stream=sink)
    logs.log.info("paid", reason="4242 4242 4242 4242", code="card=5555555555554444", found=17)
    line = json.loads(sink.getvalue())
    assert (line["reason"], line["code"], line["found"]) == (MASK, f"card={MASK}", 17)


def test_a_shops_text_carries_no_card_number() -> None:
    assert free_text({"title": "Mug for 4242-4242-4242-4242"}, "title") == f"Mug for {MASK}"
