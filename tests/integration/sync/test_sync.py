"""Sync against a real Dovecot, on SQLite and PostgreSQL: what arrives, what stays, what never happens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from mailcrm import __version__
from mailcrm.errors import NotFound
from mailcrm.models import Attachment, Mailbox, Participant, Quarantined, Thread
from mailcrm.services import access
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import blobs, messages, packs
from mailcrm.services.mail.sync import engine, heal, plan
from tests.integration.sync.conftest import Box, raw


def test_stores_every_message_once_with_its_bytes_and_people(box: Box) -> None:
    """Issue 2.7: raw MIME kept, parsed, located; the ledger adds up."""
    for n in range(1, 8):
        box.deliver(raw(n), flags=["\\Seen"] if n == 3 else [])
    box.deliver(raw(20), "Sent")
    box.deliver(raw(21), "Projekte/日本")
    report = box.sync()
    assert report.complete
    assert (report.stored, report.pending) == (9, 0)
    lines = box.ledger()
    assert (lines["INBOX"].server, lines["INBOX"].stored) == (7, 7)
    assert lines["Sent"].stored == 1
    assert lines["Projekte/日本"].stored == 1
    assert list(lines)[:2] == ["INBOX", "Sent"]
    messages = {m.rfc_message_id: m for m in box.messages()}
    assert blobs.get(messages["3@sync.test"].blob_sha) == raw(3)
    assert messages["3@sync.test"].read
    assert not messages["2@sync.test"].read
    assert messages["20@sync.test"].direction == "out"
    assert messages["1@sync.test"].direction == "in"
    assert messages["1@sync.test"].visibility == "private"
    assert messages["1@sync.test"].link_pending
    with reading() as session:
        people = session.exec(select(Participant).where(Participant.message_id == messages["1@sync.test"].id)).all()
        assert {(p.role, p.name, p.address) for p in people} == {
            ("from", "Bob", "bob@away.test"),
            ("to", "", "ann@home.test"),
        }


def test_a_second_pass_changes_nothing_and_new_mail_comes_alone(box: Box) -> None:
    for n in range(1, 4):
        box.deliver(raw(n))
    box.sync()
    before = [(m.id, m.thread_id, m.read) for m in box.messages()]
    report = box.sync()
    assert (report.stored, report.vanished, report.complete) == (0, 0, True)
    assert [(m.id, m.thread_id, m.read) for m in box.messages()] == before
    box.deliver(raw(4))
    assert box.sync().stored == 1
    assert box.ledger()["INBOX"].server == 4


def test_nothing_on_the_server_is_changed(box: Box) -> None:
    """No `\\Seen` is ever set: the Maildir's file names, which hold the flags, stay as they are."""
    paths: list[Path] = [box.deliver(raw(n)) for n in range(1, 30)]
    box.sync()
    box.sync()
    assert all(path.exists() and path.name.endswith(":2,") for path in paths)


def test_the_same_message_in_two_folders_is_one_with_two_places(box: Box) -> None:
    box.deliver(raw(1))
    box.deliver(raw(1), "Archive")
    box.deliver(raw(1))  # and twice in one folder
    box.sync()
    (message,) = box.messages()
    assert list(box.locations("INBOX").values()) == [message.id, message.id]
    assert box.locations("Archive") == {1: message.id}
    assert box.ledger()["INBOX"].stored == 2


def test_poison_goes_to_quarantine_and_the_rest_goes_on(box: Box) -> None:
    """Issue 2, "Bad input"; security.md F9: what is no message waits with its reason, what is beyond a cap is listed."""
    nested = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n) for n in range(1200))
    box.deliver(b"Subject: deep\r\nMessage-ID: <deep@sync.test>\r\nMIME-Version: 1.0\r\n" + nested)
    box.deliver(b"\r\n")
    for n in range(1, 4):
        box.deliver(raw(n))
    report = box.sync()
    assert (report.stored, report.quarantined, report.complete) == (4, 1, True)
    line = box.ledger()["INBOX"]
    assert (line.server, line.stored, line.quarantined, line.pending) == (5, 4, 1, 0)
    deep = next(message for message in box.messages() if message.rfc_message_id == "deep@sync.test")
    assert deep.subject == "deep"
    assert blobs.get(deep.blob_sha).count(b"multipart/mixed") == 1200
    with reading() as session:
        (row,) = session.exec(select(Quarantined)).all()
        assert (row.reason, row.version) == ("quarantine.empty", __version__)
        assert row.blob_sha is not None
        assert not blobs.get(row.blob_sha).strip()
    assert box.sync().quarantined == 0  # it does not come back each time


def test_a_message_that_the_database_refuses_is_quarantined_alone(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Field wound to come: one row's refusal must not take its batch along."""
    for n in range(1, 6):
        box.deliver(raw(n, subject="x" * n))
    with transaction() as session:  # a constraint that only message 4 breaks, as real data one day will
        if session.get_bind().dialect.name == "postgresql":
            session.connection().exec_driver_sql("ALTER TABLE messages ADD CONSTRAINT odd CHECK (subject <> 'xxxx')")
        else:
            session.connection().exec_driver_sql(
                "CREATE TRIGGER odd BEFORE INSERT ON messages WHEN NEW.subject = 'xxxx' "
                "BEGIN SELECT RAISE(ABORT, 'odd'); END"
            )
    report = box.sync()
    assert (report.stored, report.quarantined) == (4, 1)
    assert box.ledger()["INBOX"].quarantined == 1


def test_mail_outside_the_history_is_skipped_with_its_reason(box: Box) -> None:
    with transaction() as session:
        mailbox = session.get_one(Mailbox, box.mailbox_id)
        mailbox.history_days = 30
        session.add(mailbox)
    box.deliver(raw(1), when=datetime.now(UTC) - timedelta(days=100))
    box.deliver(raw(2), when=datetime.now(UTC) - timedelta(days=3))
    report = box.sync()
    assert (report.stored, report.skipped) == (1, 1)
    line = box.ledger()["INBOX"]
    assert (line.server, line.stored, line.skipped) == (2, 1, 1)


def test_a_vanished_message_stays_and_a_moved_one_is_recognised(box: Box) -> None:
    """Settled question 6 and rule 6: a UID that is gone only loses its place."""
    gone = box.deliver(raw(1))
    moved = box.deliver(raw(2))
    box.deliver(raw(3))
    box.sync()
    gone.unlink()
    moved.unlink()
    box.deliver(raw(2), "Archive")
    report = box.sync()
    assert report.vanished == 2
    messages = {m.rfc_message_id: m for m in box.messages()}
    assert len(messages) == 3
    assert messages["1@sync.test"].gone_at is not None
    assert messages["2@sync.test"].gone_at is None
    assert box.ledger()["INBOX"].server == 1


def test_a_new_uidvalidity_loses_nothing_and_downloads_nothing_again(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 6: places are made again by Message-ID and size; the ids of messages, and links to them, stay."""
    for n in range(1, 6):
        box.deliver(raw(n))
    box.deliver(b"Subject: no id\r\n\r\nbody\r\n")
    box.sync()
    before = {m.id: m.blob_sha for m in box.messages()}
    old = box.locations()
    box.dovecot.new_uidvalidity(box.user)
    report = box.sync()
    assert report.stored == 1  # only the one without a Message-ID had to be fetched, and was recognised
    assert {m.id: m.blob_sha for m in box.messages()} == before
    assert set(box.locations().values()) == set(old.values())
    assert set(box.locations()) != set(old)
    assert all(m.gone_at is None for m in box.messages())
    assert box.ledger()["INBOX"].stored == 6


def test_flags_changed_elsewhere_arrive(box: Box) -> None:
    paths = [box.deliver(raw(n)) for n in (1, 2)]
    box.sync()
    box.sync()
    paths[0].rename(str(paths[0]) + "S")
    box.sync()
    assert {m.rfc_message_id: m.read for m in box.messages()} == {"1@sync.test": True, "2@sync.test": False}
    with reading() as session:
        assert sum(t.unread_count for t in session.exec(select(Thread))) == 1


def test_a_suddenly_empty_folder_is_unknown_first(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 6: never "all deleted" at once. The second pass that sees it believes it; messages stay in any case."""
    monkeypatch.setattr(plan, "MASS", 3)
    paths = [box.deliver(raw(n)) for n in range(1, 9)]
    box.sync()
    for path in paths:
        path.unlink()
    report = engine.sync_mailbox(box.mailbox_id)
    assert report.folder_errors["INBOX"].code == "sync.doubt_empty"
    assert not report.complete
    assert len(box.locations()) == 8
    assert all(m.gone_at is None for m in box.messages())
    assert box.sync().vanished == 8
    assert len(box.messages()) == 8
    assert box.ledger()["INBOX"].server == 0


def test_threads_join_in_whatever_order_they_come(box: Box) -> None:
    """Newest first means that replies arrive before what they answer; never by subject alone."""
    box.deliver(raw(2, reply_to=1, subject="Re: plan"))
    box.sync()
    box.deliver(raw(1, subject="plan"))
    box.deliver(raw(9, subject="plan"))
    box.sync()
    threads = {m.rfc_message_id: m.thread_id for m in box.messages()}
    assert threads["1@sync.test"] == threads["2@sync.test"] != threads["9@sync.test"]


def test_attachments_are_listed(box: Box) -> None:
    box.deliver(
        b"Message-ID: <att@sync.test>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b\r\nContent-Type: application/pdf\r\n"
        b'Content-Disposition: attachment; filename="a.pdf"\r\n\r\n%PDF\r\n--b--\r\n'
    )
    box.sync()
    with reading() as session:
        (attachment,) = session.exec(select(Attachment)).all()
        assert (attachment.filename, attachment.content_type) == ("a.pdf", "application/pdf")
    assert box.messages()[0].has_attachments


def test_the_corpora_arrive_to_the_last_message(box: Box, corpora: Path) -> None:
    """Issue 2's acceptance: thousands of real and hostile messages, each stored or quarantined with its reason."""
    files = sorted(p for name in ("mime", "i18n") for p in (corpora / name).rglob("*.eml") if p.stat().st_size)
    assert len(files) > 500
    for path in files:
        box.deliver(path.read_bytes())
    report = box.sync()
    assert report.complete
    line = box.ledger()["INBOX"]
    assert line.server == len(files) == line.stored + line.quarantined
    assert line.quarantined < len(files) / 50
    assert box.sync().stored == 0


def test_bytes_that_were_lost_come_back_to_the_same_message(box: Box) -> None:
    """After a power cut a row may point at nothing: the message is fetched again and keeps its id and its links."""
    box.deliver(raw(1))
    box.sync()
    (before,) = box.messages()
    for path in packs.folder().iterdir():
        path.write_bytes(b"damaged")
    with reading() as session:
        actor = access.actor_for(session, box.user_id)
    with pytest.raises(NotFound):
        messages.load_raw(actor, before.id or 0)  # asks for them again
    assert not heal.refetch(before.id or 0)  # once is enough
    assert messages.load_body(actor, before.id or 0).parsed is None
    assert box.ledger()["INBOX"].pending == 1
    box.sync()
    (after,) = box.messages()
    assert (after.id, after.thread_id, after.gone_at) == (before.id, before.thread_id, None)
    assert messages.load_raw(actor, after.id or 0) == raw(1)


def test_the_database_counts_its_tables_after_the_first_complete_pass(box: Box) -> None:
    """Without statistics a planner reads whole tables for years."""

    def counted() -> float:
        with reading() as session:
            connection = session.connection()
            if connection.dialect.name == "sqlite":
                if not connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'").scalar():
                    return -1
                stat = "SELECT max(CAST(stat AS INTEGER)) FROM sqlite_stat1 WHERE tbl = 'messages'"
            else:
                stat = "SELECT reltuples FROM pg_class WHERE relname = 'messages'"
            return connection.exec_driver_sql(stat).scalar() or -1

    for n in range(1, 301):
        box.deliver(raw(n))
    assert not box.sync(should_stop=lambda: True).complete
    assert counted() == -1
    assert box.sync().complete
    assert counted() == 300
