"""Write-back on Dovecot, Cyrus, Courier and pymap: whatever a server has of MOVE, UIDPLUS and COPYUID, one outcome."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import col, select, update

from mailcrm.models import Message, ServerAction
from mailcrm.models.base import utcnow
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import threads
from mailcrm.services.mail.writeback.apply import write_back
from tests.integration.servers.conftest import SERVERS, Account, account_on
from tests.integration.sync.conftest import raw
from tests.servers.other_program import ImapServer


@pytest.fixture(params=SERVERS)
def account(sqlite_db: Path, request: pytest.FixtureRequest) -> Account:
    server: ImapServer = request.getfixturevalue(request.param)
    made = account_on(server, write_read=True, write_archive=True, write_delete=True)
    with made.program() as program:
        listed = {name for _, _, name in program.client.list_folders()}
        for folder, use in (("Archive", "\\Archive"), ("Trash", "\\Trash")):
            if program.name(folder) not in listed:
                program.create(folder, use)
    return made


def write(account: Account) -> list[tuple[str, str]]:
    """Do what is queued; return how everything ended so far."""
    with transaction() as session:
        session.exec(
            update(ServerAction)
            .where(col(ServerAction.mailbox_id) == account.mailbox_id, col(ServerAction.state) == "queued")
            .values(not_before=utcnow() - timedelta(seconds=1), next_try_at=None)
        )
    write_back(account.mailbox_id)
    with reading() as session:
        query = select(ServerAction).where(ServerAction.mailbox_id == account.mailbox_id).order_by(col(ServerAction.id))
        return [(a.kind, a.outcome or f"{a.state} {a.error_code}") for a in session.exec(query)]


def there(account: Account, folder: str) -> list[str]:
    """Subjects of what a folder holds on the server."""
    with account.program() as program:
        uids = program.uids(folder)
        key = b"BODY[HEADER.FIELDS (SUBJECT)]"
        found = program.client.fetch(uids, ["BODY.PEEK[HEADER.FIELDS (SUBJECT)]"]) if uids else {}
        headers = [
            v for item in found.values() for k, v in item.items() if k.startswith(key[:18]) and isinstance(v, bytes)
        ]
        return sorted(header.decode().strip().removeprefix("Subject: ") for header in headers)


def message(account: Account, n: int) -> Message:
    return account.by_id()[f"{n}@sync.test"]


def test_a_whole_life_of_acts(account: Account) -> None:
    """Read, unread, archive and back, delete and back: each done once there, nothing downloaded again, nothing gone."""
    actor = Actor(account.user_id)
    account.fill("INBOX", [raw(n) for n in (1, 2, 3)])
    account.sync()
    account.sync()
    inbox = ["number 1", "number 2", "number 3"]

    threads.mark_read(actor, message(account, 1).thread_id, True)
    assert write(account) == [("read", "done")]
    with account.program() as program:
        seen = [uid for uid, flags in program.flags().items() if "\\Seen" in flags]
        assert seen == [uid for uid, owner in account.locations().items() if owner == message(account, 1).id]

    threads.archive(actor, message(account, 2).thread_id)
    assert write(account)[1:] == [("archive", "done")]
    assert there(account, "Archive") == ["number 2"]
    assert there(account, "INBOX") == ["number 1", "number 3"]
    assert account.sync().stored == 0
    threads.archive(actor, message(account, 2).thread_id, False)
    assert write(account)[2:] == [("unarchive", "done")]
    assert (there(account, "Archive"), there(account, "INBOX")) == ([], inbox)
    assert account.sync().stored == 0

    threads.delete(actor, message(account, 3).thread_id)
    assert write(account)[3:] == [("delete", "done")]
    assert there(account, "Trash") == ["number 3"]
    account.sync()
    threads.restore(actor, message(account, 3).thread_id)
    assert write(account)[4:] == [("undelete", "done")]
    assert (there(account, "Trash"), there(account, "INBOX")) == ([], inbox)
    account.sync()
    account.sync()
    assert all(found.gone_at is None for found in account.messages())
    assert len(account.messages()) == 3
    account.check()
