"""The copy in the server's Sent folder, on a real Dovecot (M12, sync.md A8.6)."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import col, delete, select

from mailcrm.models import Folder, Mailbox, Message, Outbox, utcnow
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import blobs
from mailcrm.services.mail.outbox import sent_copy
from mailcrm.services.mail.parse.message import parse_message
from mailcrm.services.mail.sync.engine import sync_mailbox
from tests.integration.outbox.conftest import Desk
from tests.servers.imap_misbehaving import MisbehavingImap


def in_sent(desk: Desk) -> list[Path]:
    assert desk.dovecot is not None
    base = desk.dovecot.maildir(desk.user, "Sent")
    return [*(base / "cur").iterdir(), *(base / "new").iterdir()]


def test_copy_is_clean_read_dated_and_has_bcc(full_desk: Desk) -> None:
    made = full_desk.send(bcc="secret@x.test", track_opens=True)
    assert full_desk.copy(made.id) == "stored"
    (file,) = in_sent(full_desk)
    assert file.name.endswith(":2,S")
    raw = file.read_bytes()
    assert b"/t/o/" not in raw
    assert [a.address for a in parse_message(raw).bcc] == ["secret@x.test"]
    assert abs(file.stat().st_mtime - full_desk.row(made.id).dated_at.timestamp()) < 2  # type: ignore[union-attr]


def test_copy_is_made_once_also_after_a_crash(full_desk: Desk) -> None:
    """kill -9 between APPEND and its note: the next run finds it by its Message-ID."""
    made = full_desk.send()
    full_desk.copy(made.id)
    with transaction() as session:
        session.get_one(Outbox, made.id).sent_copy = "pending"
    assert full_desk.copy(made.id) == "stored"
    assert len(in_sent(full_desk)) == 1
    assert sent_copy.is_on_server(made.id)


def test_a_copy_the_server_filed_is_taken_as_it_is(full_desk: Desk) -> None:
    """Gmail and Microsoft file what they send; theirs is the tracked version and stays."""
    made = full_desk.send()
    assert full_desk.dovecot is not None
    full_desk.dovecot.deliver(full_desk.user, full_desk.sink.messages[0].raw, "Sent")
    assert full_desk.copy(made.id) == "stored"
    assert len(in_sent(full_desk)) == 1


def test_no_sent_folder_no_copy_and_nothing_is_created(desk: Desk) -> None:
    """Settled question 5."""
    listed = '* LIST (\\HasNoChildren) "/" INBOX\r\n{tag} OK done\r\n'
    with MisbehavingImap(lambda peer: (peer.send("* OK hi"), peer.serve({"LIST": listed}))) as server:  # pyright: ignore[reportArgumentType]
        with transaction() as session:
            session.get_one(Mailbox, desk.mailbox_id).imap_port = server.port
            session.exec(delete(Folder).where(col(Folder.role) == "sent"))
        assert desk.copy(desk.send().id) == "none"
        assert not any(word in line for line in server.received for word in ("CREATE", "APPEND"))


def test_a_server_that_is_away_is_asked_again(full_desk: Desk) -> None:
    with transaction() as session:
        session.get_one(Mailbox, full_desk.mailbox_id).imap_port = 1
    made = full_desk.send()
    assert full_desk.copy(made.id) == "pending"
    row = full_desk.row(made.id)
    assert row.state == "sent"
    assert row.next_try_at is not None
    assert row.next_try_at > utcnow()
    with transaction() as session:
        session.get_one(Mailbox, full_desk.mailbox_id).imap_port = full_desk.dovecot.plain_port  # type: ignore[union-attr]
        session.get_one(Outbox, made.id).next_try_at = utcnow()
    assert full_desk.copy(made.id) == "stored"
    assert len(in_sent(full_desk)) == 1


@pytest.mark.parametrize("own_words", [False, True])
def test_the_sync_meets_the_copy_and_makes_no_second_message(full_desk: Desk, own_words: bool) -> None:
    """M12: the stored message gets its place on the server; also when the server filed other bytes."""
    made = full_desk.send(track_opens=True)
    if own_words:
        full_desk.dovecot.deliver(full_desk.user, full_desk.sink.messages[0].raw, "Sent")  # type: ignore[union-attr]
    full_desk.copy(made.id)
    report = sync_mailbox(full_desk.mailbox_id)
    assert report.error is None
    with reading() as session:
        (message,) = session.exec(select(Message)).all()
        assert message.id == made.message_id
        assert message.blob_sha == full_desk.row(made.id).sent_blob_sha
    assert b"/t/o/" not in blobs.get(message.blob_sha)
