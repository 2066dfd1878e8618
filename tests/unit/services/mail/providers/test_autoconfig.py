"""M09: what a domain says of its own servers; strangers write it (security.md, threats 6 and 21)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailcrm.services.mail.providers import autoconfig

ADDRESS = "ann.berg@tidewater.io"
GOOD = """<?xml version="1.0" encoding="UTF-8"?>
<clientConfig version="1.1">
  <emailProvider id="tidewater.io">
    <domain>tidewater.io</domain>
    <displayName>Tidewater Mail</displayName>
    <displayShortName>Tidewater</displayShortName>
    <incomingServer type="pop3"><hostname>pop.tidewater.io</hostname><port>995</port><socketType>SSL</socketType>
      <authentication>password-cleartext</authentication><username>%EMAILADDRESS%</username></incomingServer>
    <incomingServer type="imap"><hostname>IMAP.%EMAILDOMAIN%</hostname><port>993</port><socketType>SSL</socketType>
      <authentication>password-cleartext</authentication><username>%EMAILLOCALPART%</username></incomingServer>
    <outgoingServer type="smtp"><hostname>smtp.tidewater.io</hostname><port>587</port><socketType>STARTTLS</socketType>
      <authentication>password-cleartext</authentication><username>%EMAILADDRESS%</username></outgoingServer>
  </emailProvider>
</clientConfig>"""


def test_the_servers_are_read_and_filled_in() -> None:
    found = autoconfig.read(GOOD.encode(), ADDRESS)
    assert found is not None
    assert (found.imap.host, found.imap.port, found.imap.security) == ("imap.tidewater.io", 993, "ssl")
    assert (found.smtp.host, found.smtp.port, found.smtp.security) == ("smtp.tidewater.io", 587, "starttls")
    assert (found.imap.username, found.smtp.username) == ("ann.berg", ADDRESS)
    assert (found.name, found.by_oauth) == ("Tidewater", False)


def test_a_server_without_tls_is_passed_over_for_the_next() -> None:
    plain = GOOD.replace("<socketType>SSL</socketType>", "<socketType>plain</socketType>")
    assert autoconfig.read(plain.encode(), ADDRESS) is None
    second = GOOD.replace(
        "</emailProvider>",
        '<incomingServer type="imap"><hostname>two.tidewater.io</hostname><port>143</port>'
        "<socketType>STARTTLS</socketType></incomingServer></emailProvider>",
    ).replace("<port>993</port><socketType>SSL</socketType>", "<port>143</port><socketType>plain</socketType>")
    found = autoconfig.read(second.encode(), ADDRESS)
    assert found is not None
    assert (found.imap.host, found.imap.username) == ("two.tidewater.io", ADDRESS)


def test_who_only_lets_oauth_in_is_known() -> None:
    raw = GOOD.replace("password-cleartext", "OAuth2")
    found = autoconfig.read(raw.encode(), ADDRESS)
    assert found is not None
    assert found.by_oauth


BOMB = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>' + GOOD.split("?>")[1]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe<\0c\0",
        b"<html><body>404</body></html>",
        b"<clientConfig/>",
        b"<clientConfig><emailProvider/></clientConfig>",
        GOOD.encode()[:-20],
        GOOD.encode("utf-16"),
        BOMB.encode(),
        b" " * autoconfig.MOST_BYTES + GOOD.encode(),
        GOOD.replace("993", "99999").encode(),
        GOOD.replace("993", "-1").encode(),
        GOOD.replace("993", "٩٩٣").encode(),
        GOOD.replace("IMAP.%EMAILDOMAIN%", "10.0.0.1/../").encode(),
        GOOD.replace("IMAP.%EMAILDOMAIN%", "a b").encode(),
        GOOD.replace("IMAP.%EMAILDOMAIN%", "localhost").encode(),
        GOOD.replace("%EMAILLOCALPART%", "a&#10;b").encode(),
        GOOD.replace("%EMAILLOCALPART%", "a" * 400).encode(),
    ],
)
def test_what_is_no_such_file_says_nothing(raw: bytes) -> None:
    assert autoconfig.read(raw, ADDRESS) is None


@given(st.binary(max_size=400), st.integers(0, len(GOOD)))
@settings(max_examples=300, deadline=None)
def test_no_bytes_break_the_reader(noise: bytes, at: int) -> None:
    raw = GOOD.encode()
    autoconfig.read(noise, ADDRESS)
    autoconfig.read(raw[:at] + noise + raw[at:], ADDRESS)
