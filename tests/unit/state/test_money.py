"""Amounts as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcrm.errors import UserError
from mailcrm.services import i18n
from mailcrm.state.money import CURRENCIES, minor_units


@pytest.mark.parametrize(
    ("typed", "currency", "minor"),
    [
        ("", "EUR", 0),
        ("48200", "EUR", 4_820_000),
        ("48,200", "EUR", 4_820_000),
        ("48.200", "EUR", 4_820_000),
        ("48 200,50", "EUR", 4_820_050),
        ("48.200,50", "EUR", 4_820_050),
        ("48,200.50", "EUR", 4_820_050),
        ("€1,234,567", "EUR", 123_456_700),
        ("12.5", "EUR", 1_250),
        ("12.500", "EUR", 1_250_000),  # three digits after the only separator group thousands …
        ("0.125", "EUR", 13),  # … unless it starts with 0
        ("1’000", "CHF", 100_000),
        ("¥6,400,000", "JPY", 6_400_000),
        ("٤٨", "EUR", 4_800),
    ],
)
def test_amounts_are_read_as_they_are_written(typed: str, currency: str, minor: int) -> None:
    assert minor_units(typed, currency) == minor


@pytest.mark.parametrize("typed", ["much", "-5", "1e9", "NaN", "Infinity", ".", ",", "9" * 40, "1.2.3,4,5x", "\x00"])
def test_what_is_no_amount_is_refused_with_a_sentence(typed: str) -> None:
    with pytest.raises(UserError, match="doesn’t fit"):
        minor_units(typed, "EUR")


@given(st.text(max_size=60), st.sampled_from(CURRENCIES))
def test_any_text_gives_an_amount_or_a_sentence(typed: str, currency: str) -> None:
    try:
        minor = minor_units(typed, currency)
    except UserError:
        return
    assert 0 <= minor < 2**63


@given(st.integers(0, 10**12), st.sampled_from(CURRENCIES))
def test_what_is_shown_can_be_typed_back(minor: int, currency: str) -> None:
    shown = i18n.format_money(minor, currency, "en")
    digits = "".join(char for char in shown if char.isdecimal() or char in ".,")
    if i18n.minor_digits(currency) != 3:  # none of the offered ones; three decimals would read as thousands
        assert minor_units(digits, currency) == minor
