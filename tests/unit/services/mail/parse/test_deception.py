"""Threat 4: names and hosts that pretend to be others show what they are. Thirty cases of each kind."""

from __future__ import annotations

import pytest

from mailcrm.services.mail.parse.attachments import safe_filename
from mailcrm.services.mail.parse.deception import is_lookalike, other_address, plain_name, shown_name, true_target

EVIL = "mallory@evil.test"
NAMES = [
    "ceo@bank.com",
    "Bank <ceo@bank.com>",
    '"ceo@bank.com"',
    "ceo@bank.com via Docs",
    "CEO (ceo@bank.com)",
    "ceo＠bank．com",  # noqa: RUF001
    "ceo@bank。com",
    "c\u200beo@bank.com",
    "ceo@\u2060bank.com",
    "\u202emoc.knab@oec\u202c ceo@bank.com",
    "CEO, ceo@bank.com;",
    "ceo@bank.com\u00ad",
    "Support: help@paypal.com",
    "no-reply@accounts.google.com",
]
HONEST = [
    ("Ann Baker", "ann@x.test"),
    ("ann@x.test", "ann@x.test"),
    ("ANN@X.TEST", "ann@x.test"),
    ("Ann @ Example", "ann@x.test"),
    ("@ann", "ann@x.test"),
    ("山田 太郎", "taro@x.test"),
    ("", "ann@x.test"),
]
LOOKALIKES = [
    "pаypal.com",  # noqa: RUF001  Cyrillic a
    "аррӏе.com",  # noqa: RUF001
    "xn--80ak6aa92e.com",  # the same as A-labels
    "gооgle.com",  # noqa: RUF001
    "mіcrosoft.com",  # noqa: RUF001
    "exαmple.com",  # noqa: RUF001
    "раура.test",
    "mail.херох.test",  # noqa: RUF001
]
HONEST_HOSTS = [
    "example.com",
    "münchen.de",
    "xn--mnchen-3ya.de",
    "пример.test",
    "правительство.test",
    "例え.jp",
    "ドメイン名例.jp",
    "한국.test",
    "مثال.test",
    "δοκιμή.test",
    "tokyo日本.test",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_holds_another_address_gives_way_to_the_true_one(name: str) -> None:
    assert other_address(name, EVIL) != ""
    assert shown_name(name, EVIL) == EVIL


@pytest.mark.parametrize(("name", "address"), HONEST)
def test_honest_names_stay(name: str, address: str) -> None:
    assert other_address(name, address) == ""
    assert shown_name(name, address) == (name or address)


def test_marks_of_direction_leave_a_name() -> None:
    assert plain_name("Ann \u202eEVIL\u202c \u2067x\u2069") == "Ann EVIL x"
    assert shown_name("\u200b\u200e ", "a@x.test") == "a@x.test", "a name that nobody sees is none"


@pytest.mark.parametrize("host", LOOKALIKES)
def test_hosts_of_mixed_scripts_are_told(host: str) -> None:
    assert is_lookalike(host)


@pytest.mark.parametrize("host", HONEST_HOSTS)
def test_hosts_of_one_language_are_no_deception(host: str) -> None:
    assert not is_lookalike(host)


@pytest.mark.parametrize(
    ("text", "url", "host"),
    [
        ("https://bank.com/login", "https://evil.test/x", "evil.test"),
        ("bank.com", "https://evil.test", "evil.test"),
        ("www.bank.com/path", "https://bank.com.evil.test/", "bank.com.evil.test"),
        ("bank\u200b.com", "https://evil.test", "evil.test"),
        ("ｂａｎｋ.com", "https://evil.test", "evil.test"),  # noqa: RUF001
        ("Click here", "https://xn--80ak6aa92e.com", "xn--80ak6aa92e.com"),
        ("https://bank.com", "https://www.bank.com/login", ""),
        ("www.bank.com", "https://bank.com", ""),
        ("bank.com", "https://login.bank.com", ""),
        ("Click here", "https://click.mailer.test/abc", ""),
        ("version 2.10", "https://x.test", ""),
        ("пример.test", "https://xn--e1afmkfd.test/", ""),
        ("https://bank.com", "mailto:a@x.test", ""),
    ],
)
def test_a_link_that_names_another_host_says_where_it_leads(text: str, url: str, host: str) -> None:
    assert true_target(text, url) == host


@pytest.mark.parametrize("name", ["\u202egpj.exe", "a\u202efdp.exe", "in\u2066voice.pdf\u2069.scr", "x\u200e.exe"])
def test_a_file_name_keeps_its_true_extension(name: str) -> None:
    assert safe_filename(name).endswith((".exe", ".scr"))
    assert plain_name(safe_filename(name)) == safe_filename(name)
