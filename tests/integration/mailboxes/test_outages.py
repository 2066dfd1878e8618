"""M10: a mailbox whose password changed at the server stops, says so, and goes on where it was; real Dovecot and SMTP."""

from __future__ import annotations

import time
from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from sqlmodel import select

from mailcrm import config as settings
from mailcrm.errors import NeedsReconnect, TransientError
from mailcrm.models import Mailbox, Message, User, utcnow
from mailcrm.services import notifications
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs import sweep
from mailcrm.services.mail import mailboxes, outage_letters, outages
from mailcrm.services.mail.mailboxes import MailboxInput
from mailcrm.services.mail.outbox import queue
from mailcrm.services.mail.sync import outcome
from mailcrm.services.mail.sync.engine import sync_mailbox
from mailcrm.services.mail.sync.outcome import SyncReport
from mailcrm.services.tracking import outgoing
from tests.builders import a_mailbox, a_user
from tests.integration.mailboxes.test_mailboxes import PASSWORD, given  # noqa: F401  (a fixture)
from tests.integration.outbox.conftest import Desk
from tests.servers.dovecot import DovecotServer
from tests.servers.smtp_sink import SmtpSink


def fail(mailbox_id: int, error: Exception) -> Mailbox:
    """Let a pass end with this error; return the row."""
    from mailcrm.services.mail.sync import lease

    owner = lease.new_owner()
    assert lease.acquire(mailbox_id, owner, utcnow())
    outcome.finish(mailbox_id, owner, SyncReport(mailbox_id, error=error), utcnow())  # type: ignore[arg-type]
    return row(mailbox_id)


def row(mailbox_id: int) -> Mailbox:
    with reading() as session:
        found = session.get_one(Mailbox, mailbox_id)
        session.expunge(found)
        return found


WRONG = NeedsReconnect("imap.wrong_password", host="h")
LOST = TransientError("server.lost", host="h")
SURE = NeedsReconnect("imap.app_password", host="h")


@pytest.mark.parametrize(
    ("story", "status"),
    [
        ([WRONG], "active"),
        ([WRONG, WRONG], "active"),
        ([WRONG, WRONG, WRONG], "needs_reconnect"),
        ([LOST, LOST, LOST, WRONG], "active"),  # an outage that ends with a refusal
        ([WRONG, WRONG, LOST, WRONG, WRONG], "active"),  # a flaky server
        ([SURE], "needs_reconnect"),
        ([LOST, SURE], "needs_reconnect"),
    ],
)
def test_one_wrong_answer_disconnects_nobody_unless_it_is_sure(db: str, story: list[Exception], status: str) -> None:
    """sync.md A4: three strikes in a row; what no outage explains needs one."""
    aino = a_user()
    box = a_mailbox(aino)
    for error in story:
        found = fail(box, error)
    assert found.status == status
    told = [note.kind for note in notifications.list_notifications(aino)]
    assert told == (["reconnect"] if status == "needs_reconnect" else [])
    if found.error_code == "imap.wrong_password" and status == "active":
        assert found.next_try_at is not None
        assert found.next_try_at - utcnow() < timedelta(seconds=25)  # three of them within a minute


def test_a_changed_password_is_noticed_and_mended(
    given: MailboxInput,  # noqa: F811
    dovecot: DovecotServer,
    smtp_sink: SmtpSink,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The whole of M10: banner's row, bell, letter; then the mail that came meanwhile, and the queued message."""
    monkeypatch.setenv("MAILCRM_SMTP_HOST", "localhost")
    monkeypatch.setenv("MAILCRM_SMTP_PORT", str(smtp_sink.port))
    monkeypatch.setenv("MAILCRM_SMTP_SECURITY", "none")
    smtp_sink.add_user("workspace", "its own")
    monkeypatch.setenv("MAILCRM_SMTP_USERNAME", "workspace")
    monkeypatch.setenv("MAILCRM_SMTP_PASSWORD", "its own")
    monkeypatch.setenv("MAILCRM_SMTP_FROM", "crm@home.test")
    settings.reset()
    smtp_sink.messages.clear()
    aino = a_user()
    view = mailboxes.connect(aino, given)
    name = given.imap.username
    dovecot.deliver(name, b"Subject: before\r\nMessage-ID: <before@t>\r\n\r\nx\r\n")
    assert sync_mailbox(view.id).error is None

    (dovecot.home / "users" / name).unlink()
    dovecot.passwords.pop(name)
    dovecot.add_user(name, "the new one")
    dovecot.deliver(name, b"Subject: meanwhile\r\nMessage-ID: <meanwhile@t>\r\n\r\nx\r\n")
    time.sleep(1.5)  # Dovecot looks at most once a second for a changed password
    for _ in range(outages.STRIKES):
        error = sync_mailbox(view.id).error
        assert error is not None, "the old password still works"
        assert error.code == "imap.wrong_password"
    assert row(view.id).status == "needs_reconnect"
    assert [note.kind for note in notifications.list_notifications(aino)] == ["reconnect"]

    made = Desk(smtp_sink, aino, view.id, view.address).draft(to="mika@saimaa.test", subject="Waits")
    queue.send(aino, made.id, delay_s=0)
    assert outgoing.deliver_due() == 0
    with reading() as session:
        assert session.exec(select(Mailbox.id).where(outage_letters.untold())).first() == view.id
    assert sweep.sweep() >= 1
    assert outage_letters.tell_due() == 1
    assert outage_letters.tell_due() == 0  # once for each outage
    (letter,) = smtp_sink.messages
    with reading() as session:
        assert letter.rcpt_to == (session.get_one(User, aino.user_id).email,)
    parsed = message_from_bytes(letter.raw, policy=policy.default)
    text = parsed.get_content()
    assert f"/settings/email-sync?reconnect={view.id}" in text
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert PASSWORD not in text

    smtp_sink.users[name] = "the new one"
    mailboxes.reconnect(aino, view.id, "the new one")
    assert row(view.id).reconnect_told_at is None
    assert all(note.read for note in notifications.list_notifications(aino))
    report = sync_mailbox(view.id)
    assert (report.error, report.stored) == (None, 1)  # from its cursor: only what came meanwhile
    with reading() as session:
        assert {m.subject for m in session.exec(select(Message))} >= {"before", "meanwhile"}
    assert outgoing.deliver_due() == 1
    assert [got.rcpt_to for got in smtp_sink.messages][1:] == [("mika@saimaa.test",)]


def test_without_a_server_of_its_own_the_letter_goes_through_another_mailbox(
    given: MailboxInput,  # noqa: F811
    smtp_sink: SmtpSink,
) -> None:
    smtp_sink.messages.clear()
    aino = a_user()
    works = mailboxes.connect(aino, given)
    broken = a_mailbox(aino)
    with transaction() as session:
        outages.lost(session, session.get_one(Mailbox, broken), SURE)
    assert outage_letters.tell_due() == 1
    (letter,) = smtp_sink.messages
    assert letter.mail_from == works.address
    assert row(broken).reconnect_told_at is not None


def test_where_nobody_can_send_a_letter_the_app_tells(db: str) -> None:
    aino = a_user()
    broken = a_mailbox(aino)
    with transaction() as session:
        outages.lost(session, session.get_one(Mailbox, broken), SURE)
    assert outage_letters.tell_due() == 0
    assert row(broken).reconnect_told_at is not None
    assert [note.kind for note in notifications.list_notifications(aino)] == ["reconnect"]


def test_a_paused_mailbox_stays_paused(db: str) -> None:
    broken = a_mailbox(a_user(), status="paused")
    with transaction() as session:
        outages.lost(session, session.get_one(Mailbox, broken), SURE)
    assert row(broken).status == "paused"
