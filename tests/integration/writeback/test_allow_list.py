r"""Never anything else in the user's mailbox: every command that the whole app sends, against an allow-list.

Settled question 5: reading is EXAMINE and BODY.PEEK; the only things that write are APPEND of a mail sent from here,
and what each write-back setting names. SELECT, STORE, MOVE, COPY and EXPUNGE do not occur where no setting is on.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from unittest import mock

import pytest

from mailcrm.errors import TransientError
from mailcrm.models import Mailbox, utcnow
from mailcrm.services.db import transaction
from mailcrm.services.mail import threads
from mailcrm.services.mail.outbox import draft, draft_copy, draft_copy_due, queue, sent_copy
from mailcrm.services.mail.outbox.views import DraftInput
from mailcrm.services.mail.watch.watcher import Watcher
from mailcrm.services.tracking import outgoing
from tests.integration.watch.conftest import row, until
from tests.integration.writeback.conftest import Desk, make_desk, raw
from tests.integration.writeback.wire import TamperProxy
from tests.servers.dovecot import DovecotServer
from tests.servers.smtp_sink import SmtpSink

#: What may be sent at any time: none of it changes anything (RFC 3501 §6; BODY.PEEK never sets \Seen).
READING = (
    r"CAPABILITY",
    r"(?:STARTTLS|LOGIN .*|AUTHENTICATE .*|LOGOUT|NOOP|IDLE|DONE|UNSELECT)",
    r"ENABLE (?:QRESYNC|CONDSTORE|UTF8=ACCEPT)(?: (?:QRESYNC|CONDSTORE|UTF8=ACCEPT))*",
    r'LIST "" "\*"(?: RETURN \([A-Z ()-]+\))?',
    r"STATUS .* \([A-Z ]+\)",
    r"EXAMINE .*",
    r"UID SEARCH .*",
    r"UID FETCH [\d:*,]+ \((?:{items})+\)(?: \(CHANGEDSINCE \d+(?: VANISHED)?\))?".replace(
        "{items}",
        "FLAGS|INTERNALDATE|RFC822[.]SIZE|UID|MODSEQ|EMAILID|BODYSTRUCTURE|X-GM-MSGID|X-GM-LABELS"
        r"|BODY[.]PEEK\[[^\]]*\](?:<\d+[.]\d+>)?|[ ]",
    ),
)
APPEND = (r'APPEND "?Sent"? \(\\Seen\) "[^"]*" \{\d+\}',)
OPENING = (r"SELECT .*",)
SEEN = (*OPENING, r"UID STORE [\d:,]+ [+-]FLAGS\.SILENT \(\\Seen\)")
MOVING = (*OPENING, r'UID MOVE [\d:,]+ "?(?:{folders})"?')
COPYING = (
    *OPENING,
    r'UID COPY [\d:,]+ "?(?:{folders})"?',
    r"UID STORE [\d:,]+ \+FLAGS\.SILENT \(\\Deleted\)",
    r"UID EXPUNGE [\d:,]+",
)
BACKWARDS = "INBOX|Sent"
DRAFTS = (
    *OPENING,
    r'APPEND "?Drafts"? \(\\Draft \\Seen\) "[^"]*" \{\d+\}',
    r"UID STORE [\d:,]+ \+FLAGS\.SILENT \(\\Deleted\)",
    r"UID EXPUNGE [\d:,]+",
)


def allowed(moving: tuple[str, ...], folders: str) -> tuple[str, ...]:
    return tuple(pattern.replace("{folders}", folders) for pattern in moving)


CASES = [
    ({}, (), ()),
    ({"write_read": True}, (), SEEN),
    ({"write_archive": True}, (), allowed(MOVING, f"Archive|{BACKWARDS}")),
    ({"write_delete": True}, (), allowed(MOVING, f"Trash|{BACKWARDS}")),
    ({"write_archive": True}, ("MOVE",), allowed(COPYING, f"Archive|{BACKWARDS}")),
    ({"write_delete": True}, ("MOVE",), allowed(COPYING, f"Trash|{BACKWARDS}")),
    ({"write_drafts": True}, (), DRAFTS),
]


def lines(proxy: TamperProxy) -> list[str]:
    """Every command line, without literals' bytes."""
    data = bytes(proxy.sent)
    found: list[str] = []
    while data:
        line, _, data = data.partition(b"\r\n")
        text = line.decode("latin-1")
        found.append(text if text == "DONE" else text.partition(" ")[2])
        if literal := re.search(rb"\{(\d+)\+?\}$", line):
            data = data[int(literal[1]) :].removeprefix(b"\r\n")
    return [line for line in found if line]


def everything(desk: Desk, watch: Callable[[], Watcher], sink: SmtpSink) -> None:
    """A full life: first sync, new mail, flags, IDLE, reading, archiving, deleting, undo, and a mail sent."""
    for n in range(1, 7):
        desk.deliver(raw(n, reply_to=n - 1 if n == 3 else None), flags=["\\Flagged"] if n == 2 else [])
    desk.deliver(raw(9), "Projects")
    desk.sync()
    watch()
    until(lambda: row(desk.mailbox_id).watch == "idle", "IDLE")
    first = desk.deliver(raw(7))
    first.rename(str(first) + "F")
    desk.sync()
    threads.mark_read(desk.actor, desk.thread(1), True)
    threads.archive(desk.actor, desk.thread(4))
    threads.delete(desk.actor, desk.thread(5))
    desk.write()
    threads.mark_read(desk.actor, desk.thread(1), False)
    threads.archive(desk.actor, desk.thread(4), False)
    threads.restore(desk.actor, desk.message(5).thread_id)
    threads.delete(desk.actor, desk.thread(6))
    threads.restore(desk.actor, desk.message(6).thread_id)
    desk.write()
    desk.sync()
    made = draft.new_draft(desk.actor, mailbox_id=desk.mailbox_id)
    entered = DraftInput(made.mailbox_id, "mika@saimaa.test", made.cc, made.bcc, "Hi", "<p>Hi</p>", False, False,
                         made.visibility, made.deal_id)  # fmt: skip
    for text in ("<p>Hi</p>", "<p>Hi, Mika</p>"):
        draft.save(desk.actor, made.id, replace(entered, html=text))
        keep_copies_later()
    queue.send(desk.actor, made.id, delay_s=0)
    keep_copies_later()
    outgoing.deliver_due()
    sent_copy.store_copies()
    assert len(sink.messages) == 1
    desk.sync()
    desk.dovecot.new_uidvalidity(desk.user)
    with suppress(TransientError):  # Dovecot may say BYE where a folder changed under it ("please relogin")
        desk.sync()
    desk.sync()
    desk.ledger()


def keep_copies_later() -> None:
    """The job of the drafts' copies, once typing has paused for long."""
    with mock.patch.object(draft_copy_due, "SETTLED", -timedelta(seconds=1)):
        draft_copy.keep_copies()


@pytest.fixture
def watch() -> object:
    running: list[tuple[Watcher, threading.Thread]] = []

    def start() -> Watcher:
        made = Watcher(per_second=100)
        thread = threading.Thread(target=made.run, daemon=True)
        thread.start()
        running.append((made, thread))
        return made

    yield start
    for watcher, thread in running:
        watcher.stop()
        thread.join(30)


@pytest.mark.parametrize(("settings", "hide", "writes"), CASES, ids=lambda v: "-".join(v) if v else "none")
def test_no_command_but_those_that_a_setting_allows(
    sqlite_db: object, dovecot: DovecotServer, smtp_sink: SmtpSink, watch: Callable[[], Watcher],
    settings: dict[str, bool], hide: tuple[str, ...], writes: tuple[str, ...],
) -> None:  # fmt: skip
    with TamperProxy((dovecot.host, dovecot.plain_port), hide) as proxy:
        off = {"write_read": False, "write_archive": False, "write_delete": False}
        desk = make_desk(dovecot, proxy=proxy, **{**off, **settings})
        smtp_sink.add_user("aino")
        with transaction() as session:
            mailbox = session.get_one(Mailbox, desk.mailbox_id)
            mailbox.smtp_host, mailbox.smtp_port, mailbox.smtp_username = smtp_sink.host, smtp_sink.port, "aino"
            session.add(mailbox)
        everything(desk, watch, smtp_sink)
        sent = lines(proxy)
        patterns = [re.compile(p) for p in (*READING, *APPEND, *writes)]
        refused = [line for line in sent if not any(p.fullmatch(line) for p in patterns)]
        assert refused == []
        used = {p for p in writes if any(re.fullmatch(p, line) for line in sent)}
        assert used == set(writes), (
            "each command that is allowed was seen, so that the list is no longer than it must be"
        )
        assert any(re.fullmatch(APPEND[0], line) for line in sent)
        assert "IDLE" in sent


def test_a_sync_changes_no_byte_of_the_mailbox(sqlite_db: object, dovecot: DovecotServer) -> None:
    """Flags, folders, UIDs and mail of the server's disk are the same before and after; nothing is marked \\Recent."""
    desk = make_desk(dovecot, write_read=True, write_archive=True, write_delete=True)
    for n in range(1, 30):
        desk.deliver(
            raw(n), ("INBOX", "Sent", "Projects/Old", "日本語")[n % 4], flags=["\\Flagged", "\\Deleted"][: n % 3]
        )
    with desk.imap() as client:  # Dovecot numbers what is new when it first looks
        for folder in ("INBOX", "Sent", "Projects/Old", "Archive", "Trash", "Drafts", "Junk", '"&ZeVnLIqe-"'):
            client.select(folder, readonly=True)
            client.uid("FETCH", "1:*", "(FLAGS)")
    before = desk.files()
    assert len([name for name in before if "/cur/" in name]) == 29
    desk.sync()
    desk.sync()
    assert len(desk.messages()) == 29
    assert desk.files() == before
    with transaction() as session:
        mailbox = session.get_one(Mailbox, desk.mailbox_id)
        mailbox.sync_requested_at = utcnow()
        session.add(mailbox)
    for message in desk.messages():
        threads.open_thread(desk.actor, message.thread_id)
    desk.write()
    desk.sync()
    assert desk.files() == before
