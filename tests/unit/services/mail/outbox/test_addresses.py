"""Addresses as people type them, strictly (security.md threat 15)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcrm.services.mail.outbox.addresses import MAX_READ, check_addresses, clean, format_addresses, is_address


def pairs(text: str) -> list[tuple[str, str]]:
    return [(each.name, each.address) for each in check_addresses(text) if each.ok]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("a@b.test", [("", "a@b.test")]),
        (
            "a@b.test, c@d.test; e@f.test\ng@h.test、i@j.test",
            [("", x) for x in ("a@b.test", "c@d.test", "e@f.test", "g@h.test", "i@j.test")],
        ),
        ("Mika Aaltonen <Mika@Saimaa.TEST>", [("Mika Aaltonen", "Mika@saimaa.test")]),
        ('"Müller, Karl; Dr." <k@m.test>, b@c.test', [("Müller, Karl; Dr.", "k@m.test"), ("", "b@c.test")]),
        ('"say \\"hi\\"" <k@m.test>', [('say "hi"', "k@m.test")]),
        ("田中 太郎 <t@例え.test>", [("田中 太郎", "t@例え.test")]),
        ("Mika mika@saimaa.test", [("Mika", "mika@saimaa.test")]),
        ("<a@b.test>,,; ,", [("", "a@b.test")]),
        ("mailto:a@b.test", [("", "a@b.test")]),
        ("o'neil+x@sub.b.test", [("", "o'neil+x@sub.b.test")]),
    ],
)
def test_reads_what_people_type(typed: str, found: list[tuple[str, str]]) -> None:
    assert pairs(typed) == found
    assert pairs(format_addresses(found)) == found


@pytest.mark.parametrize(
    "bad",
    [
        "a", "@b.test", "a@", "a b@c.test d", "a..b@c.test", ".a@b.test", "a@b..test", "a@-b.test", "a@b.test-", "a@[1.2.3.4]",
        "a@1.2.3.4", '"a b"@c.test', "a@b_c.test", "a@b.test>", "x" * 65 + "@b.test", "a@" + "b" * 64 + ".test", "a@b.test\x00",
        "a\x0b@b.test", "a@b\x85.test", "a@b.test\ud800", "Bcc: e@e.test", "group: a@b.test", "a@b.test (x)", "<a@b.test> <c@d.test",
    ],
)  # fmt: skip
def test_refuses_what_can_not_be_sent_to(bad: str) -> None:
    assert pairs(bad) == []
    assert not is_address(bad)


def test_hundreds_are_read_to_the_last_and_half_an_address_is_none() -> None:
    """A list that is longer than an email may go to is refused when it is sent, never cut short without a word."""
    assert len(pairs("\n".join(f"r{n}@b.test" for n in range(501)))) == 501
    cut = check_addresses("a@b.test, " * 9_999 + "x@someplace.test, z@b.test")
    assert not cut[-1].ok or len(cut) == MAX_READ
    assert not check_addresses("x" * 99_980 + ", mika@saimaa.company.test")[-1].ok


@given(st.text(max_size=200))
def test_never_raises_and_never_lets_a_control_through(text: str) -> None:
    for each in check_addresses(text):
        if each.ok:
            assert each.address == clean(each.address)
            assert not any(c in each.address for c in " \r\n\x00<>,;")
        assert not any(c in each.name for c in "\r\n\x00\u2028\u2029\x85\x0b")
