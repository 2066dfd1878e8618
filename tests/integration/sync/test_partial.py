"""Large messages: their large files stay on the server until somebody opens them, and nothing is lost (issue 3, item 8)."""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import Callable

import pytest
from sqlmodel import select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Attachment, Blob, MessageLocation
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import blobs, messages
from mailcrm.services.mail.imap import structure
from mailcrm.services.mail.outbox import draft
from mailcrm.services.mail.parse.message import attachment_bytes
from mailcrm.services.mail.sync import partial
from tests.builders import a_user
from tests.integration.sync.conftest import Box

HEAD = b"From: Bob <bob@away.test>\r\nTo: ann@home.test\r\nMessage-ID: <big@sync.test>\r\nSubject: plans\r\nMIME-Version: 1.0\r\n"
FILE = random.Random(3).randbytes(12 * 1024 * 1024)  # noqa: S311


def encoded(data: bytes) -> bytes:
    return base64.encodebytes(data).replace(b"\n", b"\r\n")


def part(kind: bytes, content: bytes, name: bytes = b"", encoding: bytes = b"base64", more: bytes = b"") -> bytes:
    disposition = b'Content-Disposition: attachment; filename="' + name + b'"\r\n' if name else b""
    return (
        b"Content-Type: " + kind + b"\r\n" + disposition + b"Content-Transfer-Encoding: " + encoding + b"\r\n" + more
        + b"\r\n" + (encoded(content) if encoding == b"base64" else content) + b"\r\n"
    )  # fmt: skip


def multipart(kind: bytes, boundary: bytes, *parts: bytes) -> bytes:
    head = b"Content-Type: multipart/" + kind + b'; boundary="' + boundary + b'"\r\n\r\n'
    return head + b"".join(b"--" + boundary + b"\r\n" + each for each in parts) + b"--" + boundary + b"--\r\n"


def with_file(data: bytes = FILE) -> bytes:
    letter = multipart(
        b"alternative", b"in",
        part(b"text/plain; charset=utf-8", "Grüße, see the plans".encode(), encoding=b"8bit"),
        part(b"text/html; charset=utf-8", b'<p>See <img src="cid:logo"></p>', encoding=b"7bit"),
    )  # fmt: skip
    return HEAD + multipart(
        b"mixed", b"out", letter,
        part(b"image/png", b"\x89PNG small", more=b"Content-ID: <logo>\r\n"),
        part(b"application/pdf", data, b"plans.pdf"),
        part(b"text/plain", b"notes", b"notes.txt"),
    )  # fmt: skip


@pytest.fixture
def ann(box: Box) -> Actor:
    return Actor(box.user_id)


def files(message_id: int) -> list[Attachment]:
    with reading() as session:
        found = session.exec(select(Attachment).where(Attachment.message_id == message_id).order_by(Attachment.n))  # type: ignore[arg-type]
        rows = list(found)
        session.expunge_all()
        return rows


def sync_one(box: Box, raw: bytes) -> int:
    box.deliver(raw)
    report = box.sync()
    assert (report.stored, report.complete) == (1, True)
    (message,) = box.messages()
    return message.id or 0


def test_a_large_file_stays_on_the_server_until_it_is_opened(box: Box, ann: Actor) -> None:
    raw = with_file()
    i = sync_one(box, raw)
    (message,) = box.messages()
    assert (message.partial, message.size, message.has_attachments) == (True, len(raw), True)
    assert box.ledger()["INBOX"].stored == 1
    assert len(blobs.get(message.blob_sha)) < 10_000
    body = messages.load_body(ann, i).parsed
    assert body is not None
    assert (body.subject, body.text.strip()) == ("plans", "Grüße, see the plans")
    assert "cid:logo" in (body.html or "")
    assert [(f.filename, f.inline, f.section) for f in files(i)] == [
        ("attachment-1.png", True, ""), ("plans.pdf", False, "3"), ("notes.txt", False, ""),
    ]  # fmt: skip
    assert abs(files(i)[1].size - len(FILE)) < len(FILE) // 100
    assert messages.load_attachment(ann, i, 3)[1].strip() == b"notes"
    assert files(i)[1].blob_sha is None, "opening another file fetches nothing"

    found, content = messages.load_attachment(ann, i, 2)

    assert (found.filename, content) == ("plans.pdf", FILE)
    row = files(i)[1]
    assert (row.size, row.blob_sha) == (len(FILE), hashlib.sha256(FILE).hexdigest())
    assert messages.load_attachment(ann, i, 2)[1] == FILE, "the second time it is here"
    with reading() as session:
        assert session.get(Blob, row.blob_sha) is not None
        (location,) = session.exec(select(MessageLocation)).all()
        assert "\\Seen" not in location.flags


def test_a_fetched_file_that_the_disk_lost_is_fetched_again(box: Box, ann: Actor) -> None:
    i = sync_one(box, with_file())
    messages.load_attachment(ann, i, 2)
    sha = files(i)[1].blob_sha
    assert sha is not None
    blobs.path_of(sha).unlink()
    assert messages.load_attachment(ann, i, 2)[1] == FILE


def test_the_same_message_in_two_folders_is_one(box: Box) -> None:
    """The assembled bytes depend on the message alone."""
    box.deliver(with_file())
    box.deliver(with_file(), "Archive")
    box.sync()
    assert len(box.messages()) == 1


@pytest.mark.parametrize(
    ("name", "raw", "text"),
    [
        ("one file", lambda: HEAD + part(b"application/pdf", FILE, b"a.pdf"), ""),
        (
            "quoted-printable",
            lambda: HEAD
            + multipart(
                b"mixed", b"q", part(b"text/plain", b"hi", encoding=b"7bit"),
                part(b"application/x", (b"=3D" * 20 + b"=\r\n") * 250_000 + b"\r\n", b"a.bin", b"quoted-printable"),
            ),
            "hi",
        ),
        (
            "a message in a message",
            lambda: HEAD
            + multipart(
                b"mixed", b"o", part(b"text/plain", b"hi", encoding=b"7bit"),
                b"Content-Type: message/rfc822\r\n\r\n" + with_file() + b"\r\n",
            ),
            "hi",
        ),
        ("plain 7bit", lambda: HEAD + multipart(b"mixed", b"o", part(b"application/csv", b"a,b\r\n" * 2_500_000, b"a.csv", b"7bit")), ""),
    ],
    ids=lambda each: each if isinstance(each, str) and each != "hi" else "",
)  # fmt: skip
def test_every_kind_of_large_file_comes_back_whole(
    box: Box, ann: Actor, name: str, raw: Callable[[], bytes], text: str
) -> None:
    whole = raw()
    i = sync_one(box, whole)
    (message,) = box.messages()
    assert message.partial, name
    body = messages.load_body(ann, i).parsed
    assert body is not None
    assert body.text.strip() == text
    (n,) = (f.n for f in files(i) if f.section)
    expected = attachment_bytes(whole, n)
    got = messages.load_attachment(ann, i, n)[1]
    if b"message/rfc822" in whole:
        expected = with_file()  # the stdlib's parser writes embedded messages anew; the server does not
    assert got.strip() == expected.strip()


def test_the_whole_message_can_still_be_downloaded_and_forwarded(box: Box, ann: Actor) -> None:
    raw = with_file()
    i = sync_one(box, raw)
    assert messages.load_raw(ann, i) == raw
    forwarded = draft.new_draft(ann, reply_to_message_id=i, mode="forward")
    assert [(f.filename, f.size) for f in forwarded.attachments] == [("plans.pdf", len(FILE)), ("notes.txt", 5)]


def test_a_file_that_the_server_no_longer_has(box: Box, ann: Actor) -> None:
    """It is said in words, for the file, the download and the forwarding; the rest stays readable."""
    i = sync_one(box, with_file())
    with transaction() as session:
        for row in session.exec(select(MessageLocation)):
            session.delete(row)
    for verb in (
        lambda: messages.load_attachment(ann, i, 2),
        lambda: messages.load_raw(ann, i),
        lambda: draft.new_draft(ann, reply_to_message_id=i, mode="forward"),
    ):
        with pytest.raises(UserError, match="no longer has"):
            verb()
    assert messages.load_body(ann, i).parsed is not None


def test_another_message_under_the_same_uid_is_not_taken_for_it(box: Box, ann: Actor) -> None:
    i = sync_one(box, with_file())
    other = with_file(FILE[::-1]).replace(b"big@sync.test", b"other@sync.test")
    uid = box.deliver(other)
    with transaction() as session:
        row = session.exec(select(MessageLocation)).one()
        row.uid = uid if isinstance(uid, int) else 2
        session.add(row)
    with pytest.raises(UserError, match="no longer has"):
        messages.load_attachment(ann, i, 2)


def test_nobody_else_makes_the_server_hand_it_out(box: Box) -> None:
    i = sync_one(box, with_file())
    for other in (a_user("Bob"), a_user("Root", admin=True)):
        with pytest.raises(NotFound):
            messages.load_attachment(other, i, 2)
        with pytest.raises(NotFound):
            messages.load_raw(other, i)


def test_a_huge_text_is_kept_whole_and_read_as_far_as_anybody_reads(box: Box, ann: Actor) -> None:
    text = b"A line of a very long letter.\r\n" * 400_000
    raw = HEAD + b"Content-Type: text/plain\r\n\r\n" + text
    i = sync_one(box, raw)
    (message,) = box.messages()
    assert (message.partial, message.size) == (False, len(raw))
    assert messages.load_raw(ann, i) == raw
    body = messages.load_body(ann, i).parsed
    assert body is not None
    assert body.text.startswith("A line")
    assert len(body.text) < 5 * 1024 * 1024


def test_a_huge_log_beside_a_letter_is_a_file(box: Box, ann: Actor) -> None:
    """As Apple Mail sends it: named, and not said to be an attachment. Without a name it is text, and comes whole."""
    log = b"2026-11-22 00:00:00 a line of a log file\r\n" * 300_000
    for name, partial_ in ((b'; name="server.log"', True), (b"", False)):
        raw = HEAD.replace(b"big@", b"%d@" % partial_) + multipart(
            b"mixed",
            b"q",
            part(b"text/plain", b"hi", encoding=b"7bit"),
            part(b"text/plain" + name, log, encoding=b"7bit"),
        )
        box.deliver(raw)
        box.sync()
        message = box.messages()[-1]
        assert message.partial == partial_
        body = messages.load_body(ann, message.id or 0).parsed
        assert body is not None
        assert body.text.startswith("hi")
        assert "mailcrm-absent" not in body.text
        if partial_:
            assert messages.load_attachment(ann, message.id or 0, 1)[1].strip() == log.strip()


def test_a_structure_that_makes_no_sense_costs_only_time(box: Box, ann: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gmail, QQ and Yandex have sent broken ones (sync.md A2): the whole message comes then."""
    monkeypatch.setattr(structure, "read", lambda _answer: None)
    raw = with_file()
    i = sync_one(box, raw)
    (message,) = box.messages()
    assert (message.partial, messages.load_raw(ann, i)) == (False, raw)
    assert messages.load_attachment(ann, i, 2)[1] == FILE


def test_what_is_small_enough_comes_at_once(box: Box) -> None:
    assert len(with_file(FILE[: 3 * 1024 * 1024])) < partial.LARGE
    sync_one(box, with_file(FILE[: 3 * 1024 * 1024]))
    assert not box.messages()[0].partial
