"""What a hostile or broken server answers, or a hostile sender arranges: nothing is missing, nothing hangs (B01, M12)."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import select

from mailcrm.models import Mailbox, Outbox
from mailcrm.services.db import transaction
from mailcrm.services.mail import packs
from mailcrm.services.mail.imap.client import ImapConnection, connect
from mailcrm.services.mail.imap.folders import RemoteFolder
from mailcrm.services.mail.imap.listing import FolderStatus
from mailcrm.services.mail.imap.wire import Limits
from mailcrm.services.mail.mailboxes import Credentials
from mailcrm.services.mail.search import index, text
from mailcrm.services.mail.sync import survey
from mailcrm.services.mail.sync.engine import sync_mailbox
from tests.fakes.imap.memory import Network
from tests.integration.sync.conftest import Box, raw
from tests.integration.sync.machine.database import Store
from tests.integration.sync.machine.world import World
from tests.integration.sync.test_changes import GMAIL, MODERN, PLAIN, a_world, deliver, messages

WHEN = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def store(migrated_sqlite: Path) -> Iterator[Store]:
    made = Store(migrated_sqlite)
    yield made
    made.close()


@pytest.mark.parametrize("offers", [MODERN, GMAIL], ids=["emailid", "gmail"])
def test_one_id_for_all_messages_loses_none_when_uids_are_new(store: Store, offers: frozenset[str]) -> None:
    """Every message took the first one's place under a new UIDVALIDITY: three new ones were never fetched, all green."""
    world = a_world(store, offers)
    deliver(world, "INBOX", 1, 2, 3)
    for mail in world.account.boxes["INBOX"].mails.values():
        mail.key = 7
    world.settle()
    world.account.expunge(world.account.boxes["INBOX"], [1, 2, 3])
    deliver(world, "INBOX", 4, 5, 6)
    for mail in world.account.boxes["INBOX"].mails.values():
        mail.key = 7
    world.account.flip(world.account.boxes["INBOX"], restart=True)
    world.settle()
    assert len(messages(world)) == 6


def test_another_message_of_the_same_id_and_size_is_fetched_when_uids_are_new(store: Store) -> None:
    """A sender chooses Message-ID and size: under a new UIDVALIDITY such a message was taken for the stored one."""
    world = a_world(store, PLAIN)
    world.account.deliver(world.account.boxes["INBOX"], raw(1, body="pay to A"), (), WHEN)
    world.settle()
    world.account.expunge(world.account.boxes["INBOX"], [1])
    world.account.deliver(world.account.boxes["INBOX"], raw(1, body="pay to B"), (), WHEN + timedelta(days=1))
    world.account.flip(world.account.boxes["INBOX"], restart=True)
    world.settle()
    assert len(messages(world)) == 2


def test_two_messages_alike_but_for_their_bytes_are_both_kept_when_uids_are_new(store: Store) -> None:
    """Even INTERNALDATE is the same: what fits twice is fetched, and the bytes decide."""
    world = a_world(store, PLAIN)
    deliver(world, "INBOX", 9)
    world.account.deliver(world.account.boxes["INBOX"], raw(1, body="pay to A"), (), WHEN)
    world.settle()
    world.account.expunge(world.account.boxes["INBOX"], [2])
    for name in "BA":
        world.account.deliver(world.account.boxes["INBOX"], raw(1, body=f"pay to {name}"), (), WHEN)
    world.account.flip(world.account.boxes["INBOX"], restart=True)
    world.settle()
    assert len(messages(world)) == 3


def test_mail_with_the_id_of_a_mail_of_ours_is_not_taken_for_it(store: Store) -> None:
    """Whoever got our mail knows its Message-ID: an answer under it, filed by a rule, was taken for our copy and lost."""
    world = a_world(store, PLAIN, "Arbeit")
    deliver(world, "INBOX", 1)
    world.settle()
    ((message_id,),) = world.store.rows("SELECT id FROM messages")
    with transaction() as session:
        mailbox = session.exec(select(Mailbox)).one()
        session.add(
            Outbox(
                user_id=mailbox.user_id,
                mailbox_id=mailbox.id or 0,
                state="sent",
                message_id=message_id,
                rfc_message_id="2@sync.test",
                sent_at=WHEN,
            )
        )
    try:
        deliver(world, "Arbeit", 2)  # from Bob
        world.settle()
        assert len(messages(world)) == 2
    finally:
        world.store.rows("DELETE FROM outbox")


def test_folders_that_all_look_alike_are_not_opened_in_pairs(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each missing folder was compared with each new one: with thousands that a server makes up, a pass had no end."""
    monkeypatch.setattr(survey, "MOST_PROOFS", 5)
    world = a_world(store, PLAIN)
    for generation in "ab":
        if generation == "b":
            for name in [name for name in world.account.boxes if name != "INBOX"]:
                world.account.delete(world.account.boxes[name])
        for n in range(20):
            made = world.account.create(f"{generation}{n}")
            made.uidvalidity = 77
            deliver(world, made.name, n + (100 if generation == "b" else 0))
        world.sync()
    opened = sum(line.startswith("EXAMINE") for line in world.network.commands)
    assert opened <= 5 + 2 * 20
    world.settle()


def test_thousands_of_folders_that_are_made_anew_each_time() -> None:
    """Names were looked for one by one: 30,000 folders with new ids took a minute of a processor in every pass."""
    status = FolderStatus(1, 1, 0, None, "")
    known = [survey.Known(n, f"f{n}", "other", "/", True, f"old{n}", 1, 1, False) for n in range(30_000)]
    listed = [RemoteFolder(f"f{n}", "/", None, True, replace(status, remote_id=f"new{n}")) for n in range(30_000)]
    verdict = survey.compare(known, listed)
    assert len(verdict.recreated) == 30_000
    turned = [replace(each, status=replace(status, remote_id=f"old{n - 1}")) for n, each in enumerate(listed)]
    assert len(survey.compare(known, turned).renamed) == 29_999


def test_numbers_that_are_no_uids_are_not_stored(store: Store) -> None:
    """A SEARCH for the newest messages may name anything; what no UID can be broke the pass in the database."""
    world = a_world(store, PLAIN)
    deliver(world, "INBOX", *range(1, 60))
    network = Network(world.account, [], None, 0)

    def dial(access: Credentials, limits: Limits | None) -> ImapConnection:
        connection = connect(access.imap, access.imap_password, limits=limits, opener=network.open)
        search = connection._wire.search_raw
        connection._wire.search_raw = lambda criteria: [0, 2**32, 10**20, *search(criteria)]  # type: ignore[method-assign]
        return connection

    report = sync_mailbox(world.store.mailbox_id, dial=dial)
    assert report.error is None
    world.settle()


@pytest.mark.parametrize("where", ["half of a pack is written", "the pack is flushed", "the database"])
def test_a_full_disk_is_said_and_nothing_is_lost(store: Store, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """It was a bug of ours on the screen; what is stored stays, and the rest comes when there is room (threat 27)."""
    world = a_world(store, PLAIN)
    deliver(world, "INBOX", 1, 2)
    world.settle()
    deliver(world, "INBOX", 3, 4, 5)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def half(descriptor: int, parts: list[memoryview]) -> int:
        return os.write(descriptor, parts[0][:10]) if len(parts[0]) > 10 else full()

    def no_room(*_: object) -> None:
        raise OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))

    with monkeypatch.context() as patch:
        if where == "the database":
            patch.setattr(index, "add", no_room)
        elif where == "the pack is flushed":
            patch.setattr(packs, "_sync", full)
        else:
            patch.setattr(packs.os, "writev", half)
        report = sync_mailbox(world.store.mailbox_id, dial=dial_to(world))
    assert report.error is not None
    assert report.error.code == "sync.disk_full"
    assert len(messages(world)) == 2
    world.ledger_holds()
    world.settle()
    assert len(messages(world)) == 5


def dial_to(world: World) -> Callable[[Credentials, Limits | None], ImapConnection]:
    network = Network(world.account, [], None, 0)
    return lambda access, limits: connect(access.imap, access.imap_password, limits=limits, opener=network.open)


def test_what_a_database_refuses_for_its_size_stops_one_message_only(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's limits came as "busy, try again": one email of long words ended every later pass, for ever (B02)."""
    monkeypatch.setattr(text, "_fitting", lambda found: found)
    flood = " ".join(f"{n:04d}" + "\U00010330" * 56 for n in range(7000))
    box.deliver(raw(1))
    box.deliver(raw(2).replace(b"Subject:", b"Content-Type: text/plain; charset=utf-8\r\nSubject:") + flood.encode())
    box.deliver(raw(3))
    report = box.sync()
    assert report.complete
    line = box.ledger()["INBOX"]
    assert (line.stored, line.quarantined) in ((3, 0), (2, 1))  # SQLite has no such limit
