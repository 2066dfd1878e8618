"""RFC 6238's own vectors, the window, and codes that were used (ASVS 6.6)."""

from __future__ import annotations

import pytest

from mailcrm.services.auth import totp

RFC = b"12345678901234567890"


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_vectors_of_the_rfc(now: int, code: str) -> None:
    """RFC 6238 appendix B, SHA-1."""
    assert totp.code(RFC, now // 30, digits=8) == code


def test_one_step_of_drift_and_no_more() -> None:
    now = 1_700_000_000
    fits = [d for d in range(-4, 5) if totp.step_of(totp.code(RFC, now // 30 + d), RFC, now) is not None]
    assert fits == [-1, 0, 1]


def test_a_code_and_those_before_it_are_used_up() -> None:
    now = 1_700_000_000
    step = totp.step_of(totp.code(RFC, now // 30), RFC, now)
    assert step == now // 30
    assert totp.step_of(totp.code(RFC, step), RFC, now, after=step) is None
    assert totp.step_of(totp.code(RFC, step - 1), RFC, now, after=step) is None
    assert totp.step_of(totp.code(RFC, step + 1), RFC, now, after=step) == step + 1


@pytest.mark.parametrize("given", ["", "12345", "1234567", "１２３４５６", "\x00", "é" * 6, "abcdef", "-00001"])
def test_what_is_no_code_fits_nothing(given: str) -> None:
    assert totp.step_of(given, RFC, 59) is None


def test_the_address_for_apps_names_account_and_issuer() -> None:
    found = totp.uri(RFC, "ann+a@tidewater.test", "mailcrm R&D: Ü")
    assert found.startswith("otpauth://totp/mailcrm%20R%26D%3A%20%C3%9C:ann%2Ba@tidewater.test?secret=GEZDGNBV")
    assert "&issuer=mailcrm%20R%26D%3A%20%C3%9C" in found
    assert totp.written(RFC) == "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"
