"""Fifty mailboxes of fifty users that sync at once: no row of one is another's (security.md 30)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from mailcrm.services.access import Actor
from mailcrm.services.db import reading
from mailcrm.services.mail.imap.client import ImapConnection, connect
from mailcrm.services.mail.imap.wire import Limits
from mailcrm.services.mail.mailboxes import Credentials
from mailcrm.services.mail.sync.engine import SyncReport, sync_mailbox
from tests.builders import a_mailbox, a_user
from tests.fakes.imap.account import Account, Quirks
from tests.fakes.imap.memory import Network
from tests.integration.sync.conftest import raw

MAILBOXES, EACH = 50, 20
#: Every path from a message's parts to an owner, and from there to the mailbox's: rows where they differ.
CROSSED = (
    "SELECT count(*) FROM messages m JOIN mailboxes b ON b.id = m.mailbox_id WHERE m.user_id <> b.user_id",
    "SELECT count(*) FROM messages m JOIN threads t ON t.id = m.thread_id WHERE m.user_id <> t.user_id",
    (
        "SELECT count(*) FROM message_locations l JOIN folders f ON f.id = l.folder_id"
        " JOIN messages m ON m.id = l.message_id WHERE f.mailbox_id <> m.mailbox_id"
    ),
    (
        "SELECT count(*) FROM messages m JOIN mailboxes b ON b.id = m.mailbox_id"
        " WHERE m.subject NOT LIKE '%' || b.imap_username || '.'"
    ),
    (
        "SELECT count(*) FROM participants p JOIN messages m ON m.id = p.message_id JOIN mailboxes b ON b.id = m.mailbox_id"
        " WHERE p.role = 'cc' AND p.address <> b.imap_username || '@canary.test'"
    ),
)


def test_no_row_is_anothers(sqlite_db: Path, record_property: Callable[[str, object], None]) -> None:
    """The same Message-IDs and threads in all of them, four at a time, interleaved: owners never mix."""
    boxes: dict[int, tuple[Actor, Account]] = {}
    for n in range(MAILBOXES):
        actor = a_user(f"Owner{n}")
        account = Account(Quirks(frozenset()), [("INBOX", "")])
        for each in range(EACH):
            mail = raw(each, reply_to=each - 1 if each % 5 else None, subject=f"canary of u{n:02}.")
            mail = mail.replace(b"Message-ID:", f"Cc: u{n:02}@canary.test\r\nMessage-ID:".encode())
            account.deliver(account.boxes["INBOX"], mail, (), datetime.now(UTC).replace(microsecond=0))
        boxes[a_mailbox(actor, imap_username=f"u{n:02}")] = actor, account

    def sync(mailbox_id: int) -> SyncReport:
        def dial(access: Credentials, limits: Limits | None) -> ImapConnection:
            network = Network(boxes[access.mailbox_id][1], [], None, 0)
            return connect(access.imap, access.imap_password, limits=limits, opener=network.open)

        return sync_mailbox(mailbox_id, dial=dial)

    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(sync, list(boxes) * 2))
    assert [report.error for report in reports if report.error] == []
    with reading() as session:
        counted = [session.connection().execute(text(query)).scalar() for query in CROSSED]
        stored = session.connection().execute(text("SELECT count(*) FROM messages")).scalar()
    assert counted == [0] * len(CROSSED)
    assert stored == MAILBOXES * EACH
    record_property("measured", f"{MAILBOXES} mailboxes, {stored} messages, 0 crossed")
