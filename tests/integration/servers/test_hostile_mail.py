"""Everything that the corpora and the bombs have, through a real server: stored, and in nobody's way."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlmodel import select

from mailcrm.models import Quarantined
from mailcrm.services.db import reading
from mailcrm.services.mail.sync import engine
from tests.corpus.bombs import BOMBS
from tests.integration.servers.conftest import Account, account_on
from tests.integration.sync.conftest import raw
from tests.servers.dovecot import DovecotServer

#: Bytes; larger bombs go to Dovecot only: forty megabytes over APPEND prove nothing more at each server.
SMALL = 250_000


def corpus(corpora: Path) -> list[bytes]:
    """Return every message of the corpora."""
    paths = [
        p for name in ("mime", "i18n", "addresses_headers", "threads_quotes") for p in (corpora / name).rglob("*.eml")
    ]
    return [data for p in sorted(paths) if (data := p.read_bytes()).strip()]


def reasons(account: Account) -> list[str]:
    """Return why messages are in quarantine."""
    with reading() as session:
        return list(session.exec(select(Quarantined.reason)).all())


def test_every_message_of_the_corpora_is_stored(sqlite_db: Path, dovecot: DovecotServer, corpora: Path) -> None:
    """Issue 3, "It is done when": the quarantine holds only what cannot be fetched, and a server gives out all of these."""
    messages = corpus(corpora)
    assert len(messages) > 1000
    account = account_on(dovecot)
    for data in messages:
        account.deliver(data)
    assert account.sync().complete
    line = account.ledger()["INBOX"]
    assert (line.server, line.stored, line.quarantined) == (len(messages), len(messages), 0), reasons(account)
    account.check()


def test_every_bomb_is_stored_and_delays_nobody(sqlite_db: Path, dovecot: DovecotServer) -> None:
    """Issue 3: none crashes, and another mailbox's mail arrives while they are being worked on.

    By order, not by the clock: the second mailbox's pass begins when the first has begun to store bombs, and is
    done before the first is.
    """
    account, other = account_on(dovecot), account_on(dovecot)
    for make in BOMBS.values():
        account.deliver(make())
    for n in range(1, 6):
        other.deliver(raw(n))
    begun, done = threading.Event(), threading.Event()
    order: list[str] = []

    def bystander() -> None:
        begun.wait(60)
        other.sync()
        order.append("other")
        done.set()

    def progress(_: engine.SyncReport) -> None:
        begun.set()
        order.append("batch")

    thread = threading.Thread(target=bystander)
    thread.start()
    report = engine.sync_mailbox(account.mailbox_id, progress=progress)
    order.append("bombs")
    thread.join(60)
    assert report.error is None
    assert report.complete
    assert done.is_set()
    line = account.ledger()["INBOX"]
    assert (line.server, line.stored, line.quarantined) == (len(BOMBS), len(BOMBS), 0), reasons(account)
    assert order.index("other") < order.index("bombs"), order
    account.check()
    assert other.ledger()["INBOX"].stored == 5


@pytest.mark.parametrize("server", ["cyrus", "courier"], indirect=True)
def test_small_bombs_arrive_from_other_servers(account: Account) -> None:
    """What a server does with them first (Cyrus parses each at APPEND) changes nothing here. pymap chokes on them."""
    bombs = [data for make in BOMBS.values() if len(data := make()) <= SMALL]
    assert len(bombs) >= 20
    account.fill("INBOX", bombs)
    assert account.sync().complete
    line = account.ledger()["INBOX"]
    assert (line.server, line.stored, line.quarantined) == (len(bombs), len(bombs), 0), reasons(account)
    account.check()
