"""Bcc fields go, every other byte stays, whatever the bytes are."""

from __future__ import annotations

import email
from email import policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcrm.services.mail.parse.blind import without_bcc

BODY = b"Hello\r\nBcc: not a field, a line of the text\r\n"


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r"])
@pytest.mark.parametrize(
    "field",
    [
        b"Bcc: x@secret.test",
        b"BCC : x@secret.test,{end}\ty@secret.test",
        b"bcc:{end} x@secret.test",
        b"Resent-Bcc: x@secret.test",
    ],
)
def test_the_field_goes_wherever_it_stands(end: bytes, field: bytes) -> None:
    field = field.replace(b"{end}", end)
    body = BODY.replace(b"\r\n", end)
    for head in (
        [field, b"From: a@b.test", b"To: c@d.test"],
        [b"From: a@b.test", field, b"X-Bcc: kept", b"To: c@d.test"],
        [b"From: a@b.test", b"Subject: Bcc: kept", field],
    ):
        raw = end.join(head) + end * 2 + body
        wanted = end.join(line for line in head if line is not field) + end * 2 + body
        assert without_bcc(raw) == wanted


def test_a_header_alone_and_no_header_at_all() -> None:
    assert without_bcc(b"From: a@b.test\r\nBcc: x@secret.test") == b"From: a@b.test\r\n"
    assert without_bcc(b"") == b""
    assert without_bcc(b"\r\n\r\nBcc: text") == b"\r\n\r\nBcc: text"


@given(st.binary(max_size=300))
def test_never_raises_and_never_adds(raw: bytes) -> None:
    assert len(without_bcc(raw)) <= len(raw)


@given(
    st.lists(
        st.sampled_from(
            [b"Bcc: x@secret.test\r\n", b"To: a@b.test\r\n", b" folded\r\n", b"bcc:\r\n", b"Cc: d@e.test\r\n"]
        )
    )
)
def test_no_parser_finds_one_afterwards(lines: list[bytes]) -> None:
    raw = b"From: a@b.test\r\n" + b"".join(lines) + b"\r\nText"
    assert email.message_from_bytes(without_bcc(raw), policy=policy.compat32).get_all("bcc") is None
