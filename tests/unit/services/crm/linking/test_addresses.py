"""When two addresses are one: spellings of the same address, never look-alikes, tags or dots."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcrm.services.crm.linking.addresses import same, spellings


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mika@bücher.test", "mika@xn--bcher-kva.test"),
        ("Mika@Saimaa.TEST", "mika@saimaa.test"),
        ('"mika"@saimaa.test', "mika@saimaa.test"),
        ("jose\u0301@correo.test", "josé@correo.test"),
        ("用户@例え.test", "用户@xn--r8jz45g.test"),
        ("o'hara+x@saimaa.test", "O'Hara+X@saimaa.test"),
    ],
)
def test_spellings_of_one_address(one: str, other: str) -> None:
    """RFC 5890, 6532, 5322 3.2.4: each finds the other, whichever of them a row holds."""
    assert same(one) == same(other)
    assert {same(each) for each in spellings([one])} == {same(one)}
    assert other.lower() in spellings([one.lower()])
    assert one.lower() in spellings([other.lower()]), "a row holds either of them"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mika+news@saimaa.test", "mika@saimaa.test"),  # at most hosts a tag is a mailbox of its own
        ("m.ika@gmail.com", "mika@gmail.com"),
        ("mikа@saimaa.test", "mika@saimaa.test"),  # Cyrillic а
        ("mika@saіmaa.test", "mika@saimaa.test"),  # Cyrillic і
        ('"mi ka"@saimaa.test', "mika@saimaa.test"),
        ('"mika@saimaa.test"@evil.test', "mika@saimaa.test"),
        ('"mika,"@saimaa.test', "mika@saimaa.test"),
        ("mika@saimaa.test.evil.test", "mika@saimaa.test"),
        ("mika@mail.saimaa.test", "mika@saimaa.test"),
    ],
)
def test_other_addresses_stay_other(one: str, other: str) -> None:
    assert same(one) != same(other)
    assert other not in spellings([one])
    assert one not in spellings([other])


@given(st.text(max_size=60))
def test_nothing_breaks_it_and_once_is_enough(text: str) -> None:
    """Hostile bytes came through the parser; whatever they are, comparing answers."""
    assert same(same(text)) == same(text)
    assert text in spellings([text])
