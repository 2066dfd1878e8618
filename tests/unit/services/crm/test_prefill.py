"""What the form guesses for "add this sender as a person"."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcrm.services.crm.prefill import organization_name, person_name


@pytest.mark.parametrize(
    ("header", "address", "expected"),
    [
        ("Mika Aaltonen", "mika@saimaa.test", "Mika Aaltonen"),
        ('"Aaltonen, Mika"', "mika@saimaa.test", "Mika Aaltonen"),
        ("'Mika Aaltonen'", "mika@saimaa.test", "Mika Aaltonen"),
        ("Mika Aaltonen (Saimaa Energy)", "mika@saimaa.test", "Mika Aaltonen"),
        ("佐藤 健（営業部）", "k.sato@example.co.jp", "佐藤 健"),
        ("mika@saimaa.test", "mika@saimaa.test", "Mika"),
        ("", "mika.aaltonen@saimaa.test", "Mika Aaltonen"),
        ("", "mika_aaltonen+news@saimaa.test", "Mika Aaltonen"),
        ("", "no-reply@saimaa.test", ""),
        ("(x)", "a@b.test", "(x)"),
        ("Mika\x00\r\nAaltonen", "a@b.test", "Mika Aaltonen"),
        ("", "12345@qq.com", ""),
    ],
)
def test_name(header: str, address: str, expected: str) -> None:
    assert person_name(header, address) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("mika@saimaa-energy.fi", "Saimaa Energy"),
        ("mika@mail.saimaa.fi", "Saimaa"),
        ("k.sato@yamada-seiki.co.jp", "Yamada Seiki"),
        ("a@mail.acme.com.au", "Acme"),
        ("a@co.uk", "Co"),
        ("a@xn--bcher-kva.de", "Bücher"),
        ("mika@gmail.com", ""),
        ("k@yahoo.co.jp", ""),
        ("K@Docomo.ne.jp", ""),
        ("a@localhost", ""),
        ("a@[127.0.0.1]", ""),
        ("nothing", ""),
        ("", ""),
    ],
)
def test_organization(address: str, expected: str) -> None:
    assert organization_name(address) == expected


@given(st.text(), st.text())
def test_no_text_breaks_it(header: str, address: str) -> None:
    for guess in (person_name(header, address), organization_name(address)):
        assert len(guess) <= 200
        assert "\n" not in guess
        assert "\x00" not in guess


def test_a_name_that_holds_another_address_is_no_name() -> None:
    """security.md threat 4."""
    assert person_name("support@bank.example", "lena.vogt@evil.example") == "Lena Vogt"
