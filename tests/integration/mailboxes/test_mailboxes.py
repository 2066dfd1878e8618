"""Connecting a mailbox on real servers: tried before it is saved, sealed, and nobody else's (issue 2, Bad input)."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from sqlmodel import select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Folder, Mailbox, Message, Thread, utcnow
from mailcrm.services import i18n
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import health, mailboxes
from mailcrm.services.mail.mailboxes import MailboxInput
from mailcrm.services.mail.sync.engine import sync_mailbox
from mailcrm.services.mail.sync.ledger import ledger
from tests.builders import a_mailbox, a_message, a_user
from tests.servers.dovecot import DovecotServer
from tests.servers.smtp_sink import SmtpSink

PASSWORD = "open sesame 7"
_names = itertools.count(1)


@pytest.fixture
def given(db: str, dovecot: DovecotServer, smtp_sink: SmtpSink) -> MailboxInput:
    """What a person would enter, and what the servers accept."""
    name = f"connect{next(_names)}"
    dovecot.add_user(name, PASSWORD)
    smtp_sink.add_user(name, PASSWORD)
    return MailboxInput(
        f"{name}@Home.test", dovecot.spec(name), smtp_sink.spec(name), PASSWORD, display_name=" Ann  B "
    )


def saved() -> list[Mailbox]:
    with reading() as session:
        return list(session.exec(select(Mailbox)))


def test_a_mailbox_that_works_is_saved_sealed_and_asked_to_sync(given: MailboxInput) -> None:
    aino = a_user()
    view = mailboxes.connect(aino, given)
    assert view.address == given.address.lower()
    assert view.display_name == "Ann B"
    assert (view.default_visibility, view.track_opens) == ("private", False)
    row = saved()[0]
    assert PASSWORD.encode() not in row.secret
    assert row.sync_requested_at is not None
    assert tuple(mailboxes.credentials(view.id)) == (given.imap, PASSWORD, given.smtp, PASSWORD)
    assert health.sync_status(aino).kind == "syncing"
    assert not sync_mailbox(view.id).error
    assert health.sync_status(aino).kind == "ok"
    assert PASSWORD not in repr(given)
    assert PASSWORD not in repr(mailboxes.credentials(view.id))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"password": "wrong"}, "imap.wrong_password"),
        ({"smtp_password": "wrong"}, "smtp.wrong_password"),
        ({"address": "no address"}, "mailbox.address"),
        ({"history_days": 0}, "mailbox.history"),
    ],
)
def test_what_does_not_work_is_told_and_not_saved(given: MailboxInput, change: dict[str, object], code: str) -> None:
    with pytest.raises(UserError) as caught:
        mailboxes.connect(a_user(), replace(given, **change))  # type: ignore[arg-type]
    assert caught.value.code == code
    assert saved() == []


def test_a_closed_port_is_told_and_not_saved(given: MailboxInput) -> None:
    with pytest.raises(UserError) as caught:
        mailboxes.connect(a_user(admin=True), replace(given, imap=replace(given.imap, port=1)))
    assert caught.value.code == "server.refused"
    assert saved() == []


def test_the_same_address_is_connected_once_by_a_user_and_by_another_user_too(given: MailboxInput) -> None:
    aino = a_user()
    mailboxes.connect(aino, given)
    with pytest.raises(UserError) as caught:
        mailboxes.connect(aino, given)
    assert caught.value.code == "mailbox.taken"
    mailboxes.connect(a_user("Boris"), given)


def test_chosen_folders_are_kept_and_only_they_are_synced(given: MailboxInput, dovecot: DovecotServer) -> None:
    user = given.imap.username
    for folder in ("INBOX", "Projects"):
        dovecot.deliver(user, b"Subject: x\r\nMessage-ID: <%b@t>\r\n\r\nx\r\n" % folder.encode(), folder)
    view = mailboxes.connect(a_user(), replace(given, folders=("INBOX",)))
    sync_mailbox(view.id)
    with reading() as session:
        chosen = {row.name: row.chosen for row in session.exec(select(Folder).where(Folder.mailbox_id == view.id))}
        assert chosen["INBOX"] is True
        assert chosen["Projects"] is False
        assert len(session.exec(select(Message)).all()) == 1


def test_nobody_else_reaches_a_mailbox(given: MailboxInput) -> None:
    """M25: administrators neither."""
    view = mailboxes.connect(a_user(), given)
    boris = a_user("Boris", admin=True)
    for call in (
        lambda: mailboxes.get(boris, view.id),
        lambda: mailboxes.change(boris, view.id, paused=True),
        lambda: mailboxes.reconnect(boris, view.id, PASSWORD),
        lambda: mailboxes.request_sync(boris, view.id),
        lambda: mailboxes.remove(boris, view.id),
    ):
        with pytest.raises(NotFound):
            call()
    assert mailboxes.list_mailboxes(boris) == ()
    assert health.sync_status(boris).kind == "none"
    assert len(saved()) == 1


def test_reconnecting_takes_only_a_password_that_works(given: MailboxInput) -> None:
    """M10."""
    aino = a_user()
    view = mailboxes.connect(aino, given)
    with transaction() as session:
        row = session.get_one(Mailbox, view.id)
        row.status, row.error_code, row.error_params = "needs_reconnect", "imap.wrong_password", {"host": "h"}
        row.next_try_at = utcnow()
    assert health.sync_status(aino).sentence.startswith("h did not accept")
    assert health.sync_status(aino).kind == "reconnect"
    boris = a_mailbox(aino, error_code="server.lost", error_params={"host": "x"})
    assert health.sync_status(aino).kind == "reconnect"  # what needs the user comes before what ends by itself
    mailboxes.remove(aino, boris)
    with pytest.raises(UserError):
        mailboxes.reconnect(aino, view.id, "still wrong")
    assert mailboxes.get(aino, view.id).status == "needs_reconnect"
    fixed = mailboxes.reconnect(aino, view.id, PASSWORD)
    assert (fixed.status, fixed.error, fixed.next_try_at) == ("active", "", None)
    mailboxes.change(aino, view.id, paused=True)
    assert health.sync_status(aino).kind == "paused"


def test_changing_settings_changes_what_is_given_only(given: MailboxInput) -> None:
    aino = a_user()
    view = mailboxes.connect(aino, given)
    changed = mailboxes.change(aino, view.id, track_opens=True, default_visibility="shared")
    assert (changed.track_opens, changed.track_clicks, changed.default_visibility) == (True, False, "shared")
    with pytest.raises(UserError):
        mailboxes.change(aino, view.id, default_visibility="public")
    assert mailboxes.change(aino, view.id, paused=True).status == "paused"
    assert mailboxes.change(aino, view.id, paused=False).status == "active"


def test_removing_takes_its_mail_and_leaves_the_rest(db: str) -> None:
    aino = a_user()
    first, second = a_mailbox(aino), a_mailbox(aino)
    only = a_message(first)
    both = a_message(first, subject="Both")
    other = a_message(second, subject="Both", thread_id=both.thread_id)
    mailboxes.remove(aino, first)
    with reading() as session:
        assert session.get(Thread, only.thread_id) is None
        thread = session.get(Thread, both.thread_id)
        assert thread is not None
        assert thread.message_count == 1
        assert [row.id for row in session.exec(select(Message))] == [other.id]
    assert [box.id for box in mailboxes.list_mailboxes(aino)] == [second]


def test_a_syncs_error_is_said_in_its_readers_language(db: str) -> None:
    """A row keeps code and parameters, never a sentence: settings, footer and ledger translate it for who reads it."""
    aino = a_user()
    lost = {"error_code": "server.lost", "error_params": {"host": "imap.home.test"}}
    mailbox_id = a_mailbox(aino, **lost)
    with transaction() as session:
        folder = session.exec(select(Folder).where(Folder.role == "inbox")).one()
        folder.error_code, folder.error_params = "sync.doubt_empty", {"folder": "INBOX"}
    for language in i18n.LANGUAGES:
        reader = replace(aino, language=language)
        said = i18n.sentence_of("server.lost", language, host="imap.home.test")
        assert mailboxes.get(reader, mailbox_id).error_sentence == said
        assert mailboxes.list_mailboxes(reader)[0].error_sentence == said
        assert health.sync_status(reader).sentence == said
        assert ledger(reader, mailbox_id)[0].error == i18n.sentence_of("sync.doubt_empty", language, folder="INBOX")
        assert ledger(reader, mailbox_id)[1].error == ""
