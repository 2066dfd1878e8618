"""The golden messages as Dovecot reads them: its own parser answers ENVELOPE and BODYSTRUCTURE, and cuts the parts out.

The third of three parsers (tests/unit/services/mail/outbox/test_golden.py has the others). What IMAP hands out encoded
is decoded here, by the RFCs, in a few lines.
"""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from imapclient import IMAPClient

from mailcrm.services.mail.outbox.addresses import ascii_domain
from tests.corpus.outgoing import MAILS, path_of
from tests.servers.dovecot import DovecotServer

USER = "golden"


@pytest.fixture(scope="module")
def client(dovecot: DovecotServer) -> Iterator[IMAPClient]:
    dovecot.add_user(USER)
    with IMAPClient(dovecot.host, dovecot.plain_port, ssl=False) as connected:
        connected.login(USER, "secret")
        connected.create_folder("Golden")
        for name in MAILS:
            connected.append("Golden", path_of(name).read_bytes())
        connected.select_folder("Golden", readonly=True)
        yield connected


@pytest.mark.parametrize(("n", "name"), list(enumerate(MAILS, 1)))
def test_dovecot_reads_the_same(client: IMAPClient, n: int, name: str) -> None:
    mail, raw = MAILS[name], path_of(name).read_bytes()
    client.use_uid = False
    got: dict[bytes, Any] = client.fetch([n], ["ENVELOPE", "BODYSTRUCTURE", "RFC822.SIZE"])[n]
    assert got[b"RFC822.SIZE"] == len(raw)
    envelope = got[b"ENVELOPE"]
    assert words(envelope.subject) == mail.subject
    assert envelope.message_id == f"<{mail.message_id}>".encode()
    assert envelope.in_reply_to == (f"<{mail.in_reply_to}>".encode() if mail.in_reply_to else None)
    assert [person(each) for each in envelope.from_] == [wire(mail.sender)]
    assert [person(each) for each in envelope.to or ()] == [wire(each) for each in mail.to]
    assert [person(each) for each in envelope.cc or ()] == [wire(each) for each in mail.cc]
    assert envelope.bcc is None
    parts = list(leaves(got[b"BODYSTRUCTURE"]))
    kinds = [kind for _, kind, _, _ in parts]
    assert kinds[0] == "text/plain"
    assert ("text/html" in kinds) is not mail.plain
    found = []
    for section, kind, filename, encoding in parts:
        if filename is None:
            continue
        answer: dict[bytes, Any] = client.fetch([n], [f"BODY.PEEK[{section}]"])[n]
        body = answer[f"BODY[{section}]".encode()]
        found.append((filename, kind, sha256(decoded(body, encoding)).hexdigest()))
    meant = [(file.filename, file.content_type, sha256(file.data).hexdigest()) for file in mail.files]
    assert [each for each in meant if each not in found] == []
    assert len(found) - len(meant) == mail.html.count("data:image/")


def leaves(structure: Any, path: str = "") -> Iterator[tuple[str, str, str | None, str]]:
    """Section, media type, file name and encoding of each leaf."""
    if isinstance(structure[0], list):
        for number, child in enumerate(structure[0], 1):
            yield from leaves(child, f"{path}.{number}" if path else str(number))
        return
    kind = f"{structure[0].decode()}/{structure[1].decode()}".lower()
    disposition = next((each for each in structure[8:] if isinstance(each, tuple) and len(each) == 2 and each[1]), None)
    filename = parameter(disposition[1], b"filename") if disposition and isinstance(disposition[1], tuple) else None
    yield path or "1", kind, filename, structure[5].decode().lower()


def parameter(pairs: tuple[bytes, ...], wanted: bytes) -> str | None:
    """One parameter, put together from its pieces (RFC 2231)."""
    found = {pairs[i].lower(): pairs[i + 1] for i in range(0, len(pairs), 2)}
    if wanted in found:
        return found[wanted].decode()
    pieces = sorted(
        (int(match[1] or 0), value)
        for name, value in found.items()
        if (match := re.fullmatch(re.escape(wanted) + rb"\*(?:(\d+)\*?)?", name))
    )
    if not pieces:
        return None
    charset, _, text = b"".join(value for _, value in pieces).split(b"'", 2)
    return unquote_to_bytes(text).decode(charset.decode())


def words(value: bytes | None) -> str:
    """Encoded words of a header (RFC 2047): blanks between two of them go."""
    text = re.sub(r"(\?=)\s+(=\?)", r"\1\2", (value or b"").decode("ascii"))
    return re.sub(r"=\?([^?]+)\?[Bb]\?([^?]*)\?=", lambda found: base64.b64decode(found[2]).decode(found[1]), text)


def person(address: Any) -> tuple[str, str]:
    return words(address.name), f"{address.mailbox.decode()}@{address.host.decode()}"


def wire(pair: tuple[str, str]) -> tuple[str, str]:
    local, _, domain = pair[1].rpartition("@")
    return pair[0], f"{local}@{ascii_domain(domain)}"


def decoded(body: bytes, encoding: str) -> bytes:
    return binascii.a2b_base64(body) if encoding == "base64" else quopri.decodestring(body)
