"""Golden outgoing messages: the same bytes as ever, clean by the RFCs, and read alike by parsers that know nothing of us.

The third parser, Dovecot's, reads them in tests/integration/outbox/test_golden_dovecot.py.
"""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage, Message
from hashlib import sha256

import pytest

from mailcrm.services.mail.outbox.addresses import ascii_domain
from mailcrm.services.mail.outbox.build import Mail, build
from mailcrm.services.mail.outbox.flowed import unflowed
from mailcrm.services.mail.outbox.html import text_of
from mailcrm.services.mail.parse.attachments import safe_filename
from mailcrm.services.mail.parse.message import attachment_contents, parse_message
from tests.corpus.outgoing import MAILS, path_of
from tests.corpus.outgoing.lint import lint


def people(pairs: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    return [(name, f"{local}@{ascii_domain(domain)}") for name, (local, _, domain) in
            ((name, address.rpartition("@")) for name, address in pairs)]  # fmt: skip


def tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").split("\n")).strip("\n")


def files_meant(mail: Mail) -> list[tuple[str, str, str]]:
    return sorted((file.filename, file.content_type, sha256(file.data).hexdigest()) for file in mail.files)


def test_there_are_thirty() -> None:
    assert len(MAILS) == 30


@pytest.mark.parametrize("name", MAILS)
def test_the_same_bytes(name: str) -> None:
    assert build(MAILS[name]) == path_of(name).read_bytes()


@pytest.mark.parametrize("name", MAILS)
def test_clean_by_the_rfcs(name: str) -> None:
    assert lint(path_of(name).read_bytes()) == []


@pytest.mark.parametrize("name", MAILS)
def test_read_by_the_standard_library(name: str) -> None:
    mail = MAILS[name]
    parsed = email.message_from_bytes(path_of(name).read_bytes(), policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    assert [part.defects for part in parsed.walk() if part.defects] == []
    assert str(parsed["Subject"]) == mail.subject
    assert [(a.display_name, a.addr_spec) for a in parsed["From"].addresses] == people((mail.sender,))
    assert [(a.display_name, a.addr_spec) for a in parsed["To"].addresses] == people(mail.to)
    if mail.cc:
        assert [(a.display_name, a.addr_spec) for a in parsed["Cc"].addresses] == people(mail.cc)
    assert parsed["Bcc"] is None
    assert parsed["Date"].datetime == mail.at
    found = [
        (part.get_filename(), part.get_content_type(), _sha(part)) for part in parsed.walk() if part.get_filename()
    ]
    meant = files_meant(mail)
    assert [each for each in meant if each not in found] == []
    assert len(found) - len(meant) == mail.html.count("data:image/")
    body = parsed.get_body(("plain",))
    assert body is not None
    text = body.get_content().replace("\r\n", "\n")
    assert tidy(unflowed(text) if mail.plain else text) == tidy(_text_meant(mail))
    assert (parsed.get_body(("html",)) is None) is mail.plain


@pytest.mark.parametrize("name", MAILS)
def test_read_by_our_own_parser(name: str) -> None:
    mail, raw = MAILS[name], path_of(name).read_bytes()
    parsed = parse_message(raw)
    assert parsed.subject == mail.subject
    assert [(a.name, a.address) for a in parsed.from_] == people((mail.sender,))
    assert [(a.name, a.address) for a in parsed.to] == people(mail.to)
    assert [(a.name, a.address) for a in parsed.cc] == people(mail.cc)
    assert parsed.bcc == ()
    assert (parsed.rfc_message_id, parsed.in_reply_to, parsed.references) == (
        mail.message_id,
        mail.in_reply_to or None,
        mail.references,
    )
    found = [(each.filename, each.content_type, sha256(data).hexdigest()) for each, data in attachment_contents(raw)]
    meant = [(safe_filename(file), kind, digest) for file, kind, digest in files_meant(mail)]  # it keeps no path
    assert [each for each in meant if each not in found] == []
    assert tidy(parsed.text) == tidy(_text_meant(mail))
    assert (parsed.html is None) is mail.plain


def _text_meant(mail: Mail) -> str:
    return text_of(mail.html)


def _sha(part: Message) -> str:
    data = part.get_payload(decode=True)
    return sha256(data if isinstance(data, bytes) else b"").hexdigest()


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda raw: raw.replace(b"Subject", b"X-Tracker: 1\r\nSubject"), "nobody's business"),
        (lambda raw: raw.replace(b"\r\n", b"\n", 3), "bare"),
        (lambda raw: raw.replace(b"To: ", b"Bcc: x@y.test\r\nTo: "), "nobody's business: bcc"),
        (lambda raw: raw.replace(b"Hello", b"H\xc3\xa9llo"), "beyond ASCII"),
        (lambda raw: raw.replace(b"--\r\n", b"\r\n"), "not closed"),
        (lambda raw: raw.replace(b"Date:", b"X:"), "no date"),
        (lambda raw: raw.replace(b"Hello", b"Hello" * 300), "998"),
    ],
)
def test_the_lint_sees(broken, said: str) -> None:  # type: ignore[no-untyped-def]
    raw = path_of("html_simple").read_bytes()
    assert any(said in each for each in lint(broken(raw)))
