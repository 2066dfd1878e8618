"""Addresses, dates, identifiers, parameters, encoded words; the shared cases where they are present."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailcrm.services.mail.parse.addresses import normal_address, parse_addresses
from mailcrm.services.mail.parse.attachments import safe_filename
from mailcrm.services.mail.parse.charsets import decode_bytes
from mailcrm.services.mail.parse.headers import (
    decode_words,
    header_date,
    header_text,
    message_id,
    message_ids,
    parameters,
)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Jane <Jane.Doe@EXAMPLE.Test>", [("Jane", "Jane.Doe@example.test")]),
        ('"Doe, Jane" <j@x.test>, b@x.test', [("Doe, Jane", "j@x.test"), ("", "b@x.test")]),
        ('"ceo@bank.test" <thief@x.test>', [("ceo@bank.test", "thief@x.test")]),
        ("ceo@bank.test <thief@x.test>", [("ceo@bank.test", "thief@x.test")]),
        ("j@x.test (Jane)", [("Jane", "j@x.test")]),
        ("Jane j@x.test", [("Jane", "j@x.test")]),
        ("<@a.test,@b.test:j@x.test>", [("", "j@x.test")]),
        ("Team: a@x.test, B <b@x.test>; c@x.test", [("", "a@x.test"), ("B", "b@x.test"), ("", "c@x.test")]),
        ("undisclosed-recipients:;", []),
        ("a@x.test; b@x.test", [("", "a@x.test"), ("", "b@x.test")]),
        ("=?utf-8?B?55Sw5Lit?= <t@x.test>", [("田中", "t@x.test")]),
        ("a @ x . test", [("", "a@x.test")]),
        ('"a b"@x.test', [("", '"ab"@x.test')]),
        ("Nobody", [("Nobody", "")]),
        ("a@[192.0.2.1]", [("", "a@[192.0.2.1]")]),
        ("a@b@c.test", [("a@b@c.test", "")]),
        ("", []),
        (", ,", []),
        ("((((", [("(((", "")]),
    ],
)
def test_addresses(header: str, expected: list[tuple[str, str]]) -> None:
    assert [(a.name, a.address) for a in parse_addresses(header.encode())] == expected


def test_a_name_stays_on_one_line() -> None:
    """Threat 15: an encoded line break in a name can't reach a header of ours."""
    (found,) = parse_addresses(b"=?utf-8?q?a=0D=0ABcc=3A_e=40e.e?= <a@b.test>")
    assert found.name == "a Bcc: e@e.e"


def test_shared_address_cases(corpora: Path) -> None:
    """Differences that are ours on purpose: comments beside a name are dropped, list URLs are no addresses."""
    cases = json.loads((corpora / "addresses_headers/stalwart_address/cases.json").read_text())
    equal = 0
    for case in cases:
        expected = case["expected"]
        rows = expected.get("List") or [a for group in expected.get("Group", []) for a in group["addresses"]]
        wanted = [normal_address(row["address"] or "") for row in rows]
        equal += wanted == [a.address for a in parse_addresses(case["header"].encode())]
    assert equal / len(cases) >= 0.9


def test_shared_valid_addresses(corpora: Path) -> None:
    for case in json.loads((corpora / "addresses_headers/flanker_mailbox_valid/cases.json").read_text()):
        assert parse_addresses(case.encode())[0].address, case


def test_shared_dates(corpora: Path) -> None:
    """Threat 29: at least 39 of 40 (the other is a series of numbers from a film)."""
    cases = json.loads((corpora / "addresses_headers/stalwart_date/cases.json").read_text())
    equal = 0
    for case in cases:
        value = case["expected"]
        if re.search(r"\n\S", case["header"].strip()):
            equal += 1  # two lines that are not one value: the block's scanner has cut them before
            continue
        wanted = None
        if value is not None:
            sign = -1 if value["tz_before_gmt"] else 1
            offset = sign * timedelta(hours=value["tz_hour"], minutes=value["tz_minute"])
            names = ("year", "month", "day", "hour", "minute", "second")
            wanted = datetime(*(value[name] for name in names), tzinfo=UTC) - offset
        equal += header_date(case["header"].encode()) == wanted
    assert equal >= len(cases) - 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Tue, 5 Mar 2024 09:30:00 -0000", datetime(2024, 3, 5, 9, 30, tzinfo=UTC)),
        ("Tue, 5 Mar 2024 23:59:60 +0000", datetime(2024, 3, 6, 0, 0, tzinfo=UTC)),
        ("Tue, 5 Mar 2024 09:30 +0900 (JST)", datetime(2024, 3, 5, 0, 30, tzinfo=UTC)),
        ("32 Foo 2024", None),
        ("Tue, 99 Mar 2024 25:61:00 +0000", None),
        ("", None),
        ("Tue, 5 Mar 99999 00:00:00 +0000", None),
    ],
)
def test_dates(value: str, expected: datetime | None) -> None:
    assert header_date(value.encode()) == expected


def test_message_ids() -> None:
    assert message_id(b" <a@x.test> ") == "a@x.test"
    assert message_id(b"no-at-sign") == "no-at-sign"
    assert message_id(b"<>") is None
    assert message_ids(b"<a@x> junk <b@x>\t<a@x>") == ("a@x", "b@x")
    assert len((message_id(b"<" + b"x" * 2000 + b">") or "").encode()) == 998
    assert message_id(b"<a@x>\r\n A1 LOGOUT") == "a@x", "F12: no line break may pass"


def test_parameters() -> None:
    assert parameters('Text/Plain; charset="utf-8"; x') == ("text/plain", {"charset": "utf-8"})
    assert parameters('a/b; name="x;y\\"z"')[1] == {"name": 'x;y"z'}
    assert parameters("attachment; filename*1=b; filename*0=a")[1] == {"filename": "ab"}
    assert parameters("attachment; filename=old; filename*=utf-8''%E2%82%AC")[1] == {"filename": "€"}


def test_encoded_words() -> None:
    assert decode_words("a =?utf-8?q?=C3=A9?= =?utf-8?q?b?= c") == "a éb c"
    assert decode_words("=?utf-8*en?q?a_b?=") == "a b"
    assert decode_words("=?unfinished?q?x") == "=?unfinished?q?x"
    assert header_text("Grüße".encode("latin-1")) == "Grüße"


@pytest.mark.parametrize(
    "label", ["punycode", "unicode_escape", "rot13", "zlib", "base64", "idna", "undefined", "", None]
)
def test_labels_never_reach_pythons_own_codecs(label: str | None) -> None:
    assert decode_bytes(b"\\u0041 abc-xyz", label) == "\\u0041 abc-xyz"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\dir\\a.txt", "a.txt"),
        ("a\r\nX-Evil: 1.txt", "a X-Evil 1.txt"),
        ("\u202egpj.exe", "gpj.exe"),
        ("CON.txt", "_CON.txt"),
        ("..", ""),
        ("\0", ""),
        ("a" * 300 + ".pdf", "a" * 176 + ".pdf"),
        ('a"b.txt', "ab.txt"),
    ],
)
def test_file_names(name: str, expected: str) -> None:
    """Threat 5: no path, no header break, the real extension in sight."""
    assert safe_filename(name) == expected
