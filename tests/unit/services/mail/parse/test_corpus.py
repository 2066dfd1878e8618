"""Our own messages come out as written beside them; bombs end at a cap; any bytes parse (threats 20, 21, F9, F10)."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailcrm.services.mail.parse.message import attachment_bytes, inline_parts, parse_message
from mailcrm.services.mail.parse.values import (
    MAX_MESSAGE_ID_OCTETS,
    MAX_REFERENCES,
    SNIPPET_CHARS,
    NoSuchPart,
    ParsedMessage,
    UnparsableMessage,
)
from tests.corpus.bombs import BOMBS

CORPUS = Path(__file__).parents[4] / "corpus"
EXPECTED = json.loads((CORPUS / "expected.json").read_text())


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_own_message(name: str) -> None:
    raw = (CORPUS / f"{name}.eml").read_bytes()
    message = parse_message(raw)
    files = [[a.filename, a.content_type, a.size, a.inline] for a in message.attachments]
    for what, value in EXPECTED[name].items():
        if what == "attachments":
            assert files == value
        elif what == "attachment_names":
            assert [file[0] for file in files] == value
        elif what == "html_has":
            assert value in (message.html or "")
        elif what == "references_count":
            assert len(message.references) == value
            assert message.references[-1] == "29@x.test"
        else:
            assert getattr(message, what) == value, what
    for attachment in message.attachments:
        assert len(attachment_bytes(raw, attachment.n)) == attachment.size


def test_an_attachment_that_is_not_there() -> None:
    with pytest.raises(NoSuchPart):
        attachment_bytes((CORPUS / "html_only.eml").read_bytes(), 1)


def test_inline_parts_are_found_by_content_id() -> None:
    found = inline_parts((CORPUS / "inline_cid_image.eml").read_bytes())
    assert found["logo@x"].n == 1
    assert found["logo@x"].inline


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_bomb_ends_at_a_cap_or_parses(name: str) -> None:
    """Threat 20. Processor time has a bound twenty times the measured, so that quadratic growth shows."""
    raw = BOMBS[name]()
    start = time.process_time()
    with contextlib.suppress(UnparsableMessage):
        _check(parse_message(raw))
    assert time.process_time() - start < 5


def test_caps_are_named() -> None:
    for name, word in (
        ("multipart_100", "deeper"),
        ("parts_100k", "parts"),
        ("fields_50k", "header"),
        ("subject_5mb", "header"),
    ):
        with pytest.raises(UnparsableMessage, match=word):
            parse_message(BOMBS[name]())


_LINES = st.sampled_from(
    [
        b"Subject: =?utf-8?b?44GC?= =?x?q?=?=", b"From: a <b@c>, (((", b'To: "x\\" <', b"Date: Tue, 99 Foo 2024 25:61 +9999",
        b"Content-Type: multipart/mixed; boundary=b", b"Content-Type: multipart/digest; boundary=b", b"--b", b"--b--",
        b"Content-Type: message/rfc822", b"Content-Type: text/html; charset=utf-7", b"Content-Type: text/plain; charset=hz",
        b"Content-Transfer-Encoding: base64", b"Content-Transfer-Encoding: quoted-printable",
        b"Content-Transfer-Encoding: x-uuencode", b"begin 644 x", b"#86)C", b"=E3=81", b"SGVs*bG8", b"", b" folded", b"\x00\xff\xfe",
        b"Content-Disposition: attachment; filename*0*=x''%41; filename*=", b"Content-ID: <a b>", b"<p>&#xD800;<!--", b"\x1b$B-!\x1b",
        b"Message-ID: <" + b"x" * 1200 + b">", b"References: <a> <a> <b", b"Content-Type: text/plain; charset=punycode", b"~{",
        b"On Mon, 1 Jan 2024, x wrote:", b"> q", b"\xed\xa0\x80", b"Content-Type: text/plain; format=flowed; delsp=yes", b"> a ",
    ]
)  # fmt: skip


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(
        st.binary(max_size=400), st.lists(st.one_of(_LINES, st.binary(max_size=30)), max_size=40).map(b"\r\n".join)
    )
)
def test_any_bytes_parse(raw: bytes) -> None:
    """Threat 21: nothing but UnparsableMessage, whatever the bytes; the result can go into SQL."""
    with contextlib.suppress(UnparsableMessage):
        _check(parse_message(raw))


def _check(message: ParsedMessage) -> None:
    texts = [message.subject, message.text, message.html or "", message.snippet, message.list_id or ""]
    texts += [a.name + a.address for a in message.from_ + message.to + message.cc + message.bcc + message.reply_to]
    texts += [a.filename + a.content_id for a in message.attachments]
    texts += [*message.references, message.rfc_message_id or ""]
    for text in texts:
        assert "\0" not in text
        text.encode("utf-8")  # raises on a lone surrogate
    assert len(message.snippet) <= SNIPPET_CHARS
    assert len(message.references) <= MAX_REFERENCES
    assert all(
        len(each.encode()) <= MAX_MESSAGE_ID_OCTETS for each in (*message.references, message.rfc_message_id or "")
    )
    assert message.sent_at is None or message.sent_at.utcoffset() is not None
