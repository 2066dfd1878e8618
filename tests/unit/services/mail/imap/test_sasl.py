"""SASL with tokens: what is sent, what a refusal says (RFC 7628; Google's and Microsoft's XOAUTH2; sync.md A9 #16)."""

from __future__ import annotations

import json

import pytest

from mailcrm.services.mail.imap import sasl

TOKEN = "ya29.token"


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ({"AUTH=PLAIN", "AUTH=XOAUTH2", "AUTH=OAUTHBEARER"}, "XOAUTH2"),
        ({"auth=oauthbearer"}, "OAUTHBEARER"),
        ({"LOGIN", "XOAUTH2"}, "XOAUTH2"),
        ({"AUTH=PLAIN", "AUTH=LOGIN"}, None),
        (set[str](), None),
    ],
)
def test_what_is_offered_is_used(offered: set[str], chosen: str | None) -> None:
    assert sasl.choose(offered) == chosen


def test_the_token_is_sent_once_and_a_refusal_is_read_and_acknowledged() -> None:
    said = sasl.Exchange("XOAUTH2", "ann@x.test", TOKEN, "imap.x.test", 993)
    assert said.answer() == f"user=ann@x.test\x01auth=Bearer {TOKEN}\x01\x01"
    assert said.answer(b'{"status":"401","schemes":"bearer","scope":"https://mail.google.com/"}') == ""
    assert said.refusal["scope"] == "https://mail.google.com/"
    assert said.is_about_token


def test_oauthbearer_says_host_and_port_escapes_names_and_ends_with_a_control_a() -> None:
    said = sasl.Exchange("OAUTHBEARER", "a=b,c@x.test", TOKEN, "imap.x.test", 993)
    assert said.begun() == f"n,a=a=3Db=2Cc@x.test,\x01host=imap.x.test\x01port=993\x01auth=Bearer {TOKEN}\x01\x01"
    assert said.answer(b'{"status":"invalid_token"}') == "\x01"
    assert said.is_about_token


@pytest.mark.parametrize(
    "challenge",
    [b"", b"no json", b"[]", b"null", b'"x"', b"{" * 9000, b"[" * 4096, b"\xff\xfe", b'{"status": [1, {}]}'],
)
def test_hostile_refusals_are_read_as_none(challenge: bytes) -> None:
    said = sasl.Exchange("XOAUTH2", "a", TOKEN, "h", 1)
    said.begun()
    assert said.answer(challenge) == ""
    assert not said.is_about_token
    assert all(len(value) <= 200 for value in said.refusal.values())


def test_a_status_of_an_outage_is_not_about_the_token() -> None:
    said = sasl.Exchange("XOAUTH2", "a", TOKEN, "h", 1)
    said.begun()
    said.answer(json.dumps({"status": "503"}).encode())
    assert not said.is_about_token
