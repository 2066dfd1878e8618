"""A draft's copy in the mailbox's Drafts folder, on a real Dovecot: only where its user asked for it (issue 5, Deliver 5)."""

from __future__ import annotations

from datetime import timedelta
from email import message_from_bytes
from pathlib import Path
from unittest import mock

import pytest
from sqlmodel import select, update

from mailcrm.errors import UserError
from mailcrm.models import DraftCopy, Folder, Mailbox, Message, utcnow
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs import sweep
from mailcrm.services.mail import mailboxes
from mailcrm.services.mail.imap.client import ImapConnection
from mailcrm.services.mail.outbox import draft, draft_copy, draft_copy_due, queue
from mailcrm.services.mail.sync.engine import sync_mailbox
from tests.integration.outbox.conftest import Desk


@pytest.fixture
def asking(full_desk: Desk) -> Desk:
    """A synced mailbox whose user wants copies."""
    assert full_desk.dovecot is not None
    assert sync_mailbox(full_desk.mailbox_id).error is None
    mailboxes.change(full_desk.actor, full_desk.mailbox_id, write_drafts=True)
    return full_desk


def work() -> int:
    """Run the job once typing has paused and every wait is over."""
    with transaction() as session:
        session.exec(update(DraftCopy).values(next_try_at=None, lease_until=None))  # type: ignore[call-overload]
    with mock.patch.object(draft_copy_due, "SETTLED", -timedelta(seconds=1)):
        return draft_copy.keep_copies()


def copies(desk: Desk) -> list[Path]:
    """What stands in the Drafts folder on the server's disk."""
    assert desk.dovecot is not None
    base = desk.dovecot.maildir(desk.user, "Drafts")
    return [each for part in ("cur", "new") for each in (base / part).iterdir()]


def body(path: Path) -> str:
    """A copy's plain text, and that it is a draft that was read."""
    assert set("DS") <= set(path.name.rpartition(",")[2])
    part = next(
        each for each in message_from_bytes(path.read_bytes()).walk() if each.get_content_type() == "text/plain"
    )
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode().strip()


def test_a_copy_follows_its_draft_and_goes_when_it_is_sent_or_discarded(asking: Desk) -> None:
    """Replaced when saved, with Bcc; removed on send; back after undo; nothing else in the folder is touched."""
    other = b"From: a@b.test\r\nMessage-ID: <1@other.test>\r\nSubject: of another program\r\n\r\nx\r\n"
    asking.dovecot.deliver(asking.user, other, "Drafts")  # type: ignore[union-attr]
    made = asking.draft(to="mika@saimaa.test, typed by half", bcc="secret@x.test")
    assert draft_copy.keep_copies() == 0, "typing goes on"
    assert work() == 1
    (first,) = [each for each in copies(asking) if b"other.test" not in each.read_bytes()]
    assert body(first) == "Here they are."
    assert message_from_bytes(first.read_bytes())["Bcc"] == "secret@x.test"
    assert work() == 0, "nothing changed"
    asking.save(asking.look(made.id), to="mika@saimaa.test", html="<p>Here they are, all.</p>")
    assert work() == 1
    (second,) = [each for each in copies(asking) if b"other.test" not in each.read_bytes()]
    assert body(second) == "Here they are, all."
    queue.send(asking.actor, made.id, delay_s=600)
    assert work() == 1
    assert len(copies(asking)) == 1
    queue.undo(asking.actor, made.id)
    assert work() == 1
    assert len(copies(asking)) == 2
    draft.discard(asking.actor, made.id)
    assert work() == 1
    (left,) = copies(asking)
    assert left.read_bytes().endswith(b"x\r\n") or b"other.test" in left.read_bytes()
    with reading() as session:
        assert session.exec(select(DraftCopy)).all() == []


@pytest.mark.parametrize("dies", ["select", "leave"])
def test_a_kill_between_two_commands_neither_loses_nor_doubles(
    asking: Desk, monkeypatch: pytest.MonkeyPatch, dies: str
) -> None:
    """After APPEND, and after the former copy went, before it was noted: the next run ends with one copy, the newest."""

    class Killed(BaseException):
        pass

    def die(*_args: object) -> None:
        raise Killed

    made = asking.draft()
    work()
    asking.save(asking.look(made.id), html="<p>Newer.</p>")
    with monkeypatch.context() as patched:
        patched.setattr(draft_copy.Writer, dies, die)
        with pytest.raises(Killed):
            work()
    assert copies(asking), "never missing"
    work()
    (one,) = copies(asking)
    assert body(one) == "Newer."


def test_what_another_program_made_of_it_stays(asking: Desk) -> None:
    """Thunderbird keeps the Message-ID when it edits a draft, but not our mark: its version is the user's own work."""
    made = asking.draft()
    work()
    (ours,) = copies(asking)
    theirs = b"\r\n".join(line for line in ours.read_bytes().splitlines() if not line.startswith(b"X-Mailcrm-Draft"))
    ours.unlink()
    asking.dovecot.deliver(asking.user, theirs, "Drafts")  # type: ignore[union-attr]
    draft.discard(asking.actor, made.id)
    work()
    assert len(copies(asking)) == 1


def test_nothing_is_put_there_unasked_and_all_goes_when_it_is_switched_off(asking: Desk) -> None:
    """Settled question 5; the sweep finds what is to do, and nothing when nothing is."""
    mailboxes.change(asking.actor, asking.mailbox_id, write_drafts=False)
    asking.draft()
    assert work() == 0
    assert copies(asking) == []
    mailboxes.change(asking.actor, asking.mailbox_id, write_drafts=True)
    with mock.patch.object(draft_copy_due, "SETTLED", -timedelta(seconds=1)):
        assert sweep.sweep() > 0
    work()
    assert len(copies(asking)) == 1
    mailboxes.change(asking.actor, asking.mailbox_id, write_drafts=False)
    work()
    assert copies(asking) == []


def test_where_it_can_not_be_kept_true_it_is_refused(asking: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder, a synced one (each copy would come back as a message), Gmail, no UIDPLUS; a server that is away waits."""
    mailboxes.change(asking.actor, asking.mailbox_id, write_drafts=False)

    def refused() -> None:
        with pytest.raises(UserError) as found:
            mailboxes.change(asking.actor, asking.mailbox_id, write_drafts=True)
        assert found.value.code == "drafts.not_there"

    def put(**values: object) -> None:
        with transaction() as session:
            session.exec(update(Folder).where(Folder.role == "drafts").values(**values))  # type: ignore[call-overload,arg-type]

    put(chosen=True)
    refused()
    put(chosen=False, gone_at=utcnow())
    refused()
    put(gone_at=None)
    with transaction() as session:
        row = session.get_one(Mailbox, asking.mailbox_id)
        host, row.imap_host = row.imap_host, "imap.gmail.com"
    refused()
    with transaction() as session:
        session.get_one(Mailbox, asking.mailbox_id).imap_host = host
    mailboxes.change(asking.actor, asking.mailbox_id, write_drafts=True)
    asking.draft()
    real = ImapConnection.capabilities
    monkeypatch.setattr(ImapConnection, "capabilities", lambda self: real(self) - {"UIDPLUS"})
    work()
    assert copies(asking) == []
    with reading() as session:
        row = session.get_one(DraftCopy, 1)
        assert row.error_code == "drafts.not_there"
        assert row.next_try_at is not None
        assert row.next_try_at > utcnow() + timedelta(hours=12)
    monkeypatch.undo()
    with transaction() as session:
        session.get_one(Mailbox, asking.mailbox_id).imap_port = 1
    work()
    with transaction() as session:
        row = session.get_one(DraftCopy, 1)
        assert row.next_try_at is not None
        assert row.next_try_at < utcnow() + timedelta(hours=12)
        session.get_one(Mailbox, asking.mailbox_id).imap_port = asking.dovecot.plain_port  # type: ignore[union-attr]
    work()
    assert len(copies(asking)) == 1
    sync_mailbox(asking.mailbox_id)
    with reading() as session:
        assert session.exec(select(Message)).all() == [], "a copy is no message"
