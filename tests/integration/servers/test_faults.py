"""Every command of a first sync and of an incremental pass, broken in every way that a network or a server has.

Whatever happens: the pass ends by itself with an error that has a name, nothing is lost, nothing is doubled, and the
next quiet pass puts everything right. The command lists come from a clean run, so a new command is tried by itself.
Byte for byte, the same is done on a server in memory (tests/fakes); here the server is real.

One byte changed on the way (`garble`) is what TLS excludes. It may change content, flags or a number, and nobody can
know; what must hold is that the pass goes on, that every UID has one row, and that the ledger balances. `verify` finds
what is wrong by size and Message-ID. The same goes for a line that is left out of an answer: a changed flag that the
server keeps to itself can't be known, but no message may be missed or doubled.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select

from mailcrm.models import Folder, Mailbox, Message, MessageLocation
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import blobs
from mailcrm.services.mail.imap.wire import Limits
from mailcrm.services.mail.sync import engine
from tests.integration.servers.conftest import Account, account_on
from tests.integration.sync.conftest import raw
from tests.servers.dovecot import DovecotServer
from tests.servers.fault_proxy import KINDS, Fault, FaultProxy, Kind

#: Seconds: a stalled read ends the pass. On a busy machine a good answer may come too late: that is a fault like others.
SHORT = Limits(connect=2, read=0.25, sign_in=2)

#: What the pass may say. `sync.broke` is not among them: it means that something unforeseen was raised.
ERRORS = {
    "server.lost", "server.protocol", "server.timeout", "server.refused", "server.unreachable", "imap.refused",
    "imap.unavailable", "imap.throttled", "imap.folder_missing", "imap.wrong_password", "sync.doubt_count",
    "sync.doubt_mass", "sync.doubt_empty", "server.no_starttls", "imap.disabled",
}  # fmt: skip

#: Faults by which the server says less than is so, in an answer that is whole as far as anybody can see.
LIES = ("drop_first", "drop_last")

There = dict[str, dict[int, tuple[str, frozenset[str]]]]


class Stage:
    """One mailbox before a pass, as often as it is wanted, and what the server has meanwhile."""

    def __init__(self, account: Account, folder: Path) -> None:
        self.account = account
        self.live = folder / "mailcrm.sqlite3"
        self.kept = sqlite3.connect(":memory:")
        with closing(sqlite3.connect(self.live)) as live:
            live.backup(self.kept)
        self.there: There = {}

    def back(self, port: int) -> None:
        """Put every row back as it was, by SQLite's own hand, and let the mailbox connect to `port`."""
        with closing(sqlite3.connect(self.live)) as live:
            self.kept.backup(live)
        self.to(port)

    def to(self, port: int) -> None:
        """Let the mailbox connect to `port`."""
        with transaction() as session:
            mailbox = session.get_one(Mailbox, self.account.mailbox_id)
            mailbox.imap_port = port
            session.add(mailbox)


def read_server(account: Account) -> There:
    """Return what the server has: (digest, flags) by UID by folder."""
    out: There = {}
    with account.program() as program:
        for folder in account.ledger():
            program.client.select_folder(folder, readonly=True)
            found: dict[int, Any] = program.client.fetch(program.client.search("ALL") or [1], ["BODY.PEEK[]", "FLAGS"])
            out[folder] = {
                uid: (blobs.digest(item[b"BODY[]"]), frozenset(f.decode() for f in item[b"FLAGS"]) - {"\\Recent"})
                for uid, item in found.items()
            }
    return out


def read_store(account: Account) -> There:
    """Return what is stored, in the same shape."""
    out: There = {folder: {} for folder in account.ledger()}
    with reading() as session:
        rows = session.exec(
            select(Folder.name, MessageLocation.uid, MessageLocation.flags, Message.blob_sha)
            .join(Folder, col(Folder.id) == col(MessageLocation.folder_id))
            .join(Message, col(Message.id) == col(MessageLocation.message_id))
            .where(Folder.mailbox_id == account.mailbox_id, col(Folder.gone_at).is_(None))
        ).all()
    for folder, uid, flags, sha in rows:
        out[folder][uid] = (sha, frozenset(flags.split()))
    return out


def filled(dovecot: DovecotServer) -> Account:
    account = account_on(dovecot)
    for n in range(1, 7):
        account.deliver(raw(n), flags=["\\Seen"] if n == 3 else [])
    account.deliver(raw(10), "Sent")
    account.deliver(raw(3), "Archive")
    return account


def changed(account: Account) -> None:
    """What another program does between two passes: new mail, flags, a move, an expunge, a new folder."""
    account.deliver(raw(7))
    account.deliver(raw(8))
    account.deliver(raw(9), "New")
    with account.program() as program:
        uids = program.uids()
        program.flag("INBOX", uids[:1], "\\Seen")
        program.move("INBOX", uids[1:2], "Archive")
        program.expunge("INBOX", uids[3:4])


def walk(stage: Stage, kind: Kind, where: float = 0.5) -> int:
    """Strike at every command once; return how many there were."""
    account = stage.account
    target = ("127.0.0.1", account.dovecot.plain_port)
    with FaultProxy(target) as proxy:
        stage.back(proxy.port)
        clean = engine.sync_mailbox(account.mailbox_id)
        assert clean.complete, clean
        commands = proxy.commands
    account.check()
    there = read_server(account)
    assert read_store(account) == there
    here = {m.rfc_message_id: m.gone_at is None for m in account.messages()}
    for at, command in enumerate(commands):
        struck_at = f"{kind} at {at}: {command}"
        for _ in range(3):  # a busy machine runs into the short limits before it comes to the command
            with FaultProxy(target, Fault(kind, at, where)) as proxy:
                stage.back(proxy.port)
                report = engine.sync_mailbox(account.mailbox_id, limits=SHORT)
            if proxy.struck or report.error is None:
                break
        assert proxy.struck, (struck_at, report.error)
        check_report(report, struck_at)
        stage.to(account.dovecot.plain_port)
        with reading() as session:
            mailbox = session.exec(select(Mailbox).where(Mailbox.id == account.mailbox_id)).one()
            assert (mailbox.status, mailbox.lease_owner) == ("active", ""), struck_at
        report = engine.sync_mailbox(account.mailbox_id)
        assert report.error is None, (struck_at, report.error)
        assert report.complete, (struck_at, report.folder_errors)
        stored = read_store(account)
        if kind == "garble":
            assert {f: set(m) | account.set_aside(f) for f, m in stored.items()} == {
                f: set(m) for f, m in there.items()
            }
        else:
            assert digests(stored) == digests(there), struck_at
            # A changed flag that was kept from us comes with the next change, or with `verify`.
            assert kind in LIES or stored == there, struck_at
            assert {m.rfc_message_id: m.gone_at is None for m in account.messages()} == here, struck_at
            assert len(account.messages()) == len(here), struck_at
    return len(commands)


def digests(there: There) -> dict[str, dict[int, str]]:
    return {folder: {uid: sha for uid, (sha, _flags) in messages.items()} for folder, messages in there.items()}


def check_report(report: engine.SyncReport, struck_at: str) -> None:
    errors = [e for e in (report.error, *report.folder_errors.values()) if e is not None]
    assert {error.code for error in errors} <= ERRORS, (struck_at, [repr(e.__cause__) for e in errors], errors)
    if not errors:
        # The last commands (LOGOUT and what comes after everything is stored) may fail unnoticed.
        assert report.complete, struck_at


@pytest.mark.parametrize("kind", KINDS)
def test_a_first_sync_survives_every_fault(kind: Kind, sqlite_db: Path, dovecot: DovecotServer) -> None:
    """Issue 3, fault proxy: at every command of a first sync, once."""
    stage = Stage(filled(dovecot), sqlite_db)
    assert walk(stage, kind) > 10


@pytest.mark.parametrize("kind", KINDS)
def test_an_incremental_pass_survives_every_fault(kind: Kind, sqlite_db: Path, dovecot: DovecotServer) -> None:
    """Issue 3, fault proxy: at every command of a pass that finds new, changed, moved and expunged messages."""
    account = filled(dovecot)
    account.sync()
    stage = Stage(account, sqlite_db)
    changed(account)
    assert walk(stage, kind) > 6


@pytest.mark.parametrize("where", [0.1, 0.3, 0.7, 0.9])
def test_a_changed_byte_anywhere_upsets_nothing_for_good(where: float, sqlite_db: Path, dovecot: DovecotServer) -> None:
    """Other places in each answer than the middle: numbers, names, parentheses, tags."""
    account = filled(dovecot)
    account.sync()
    stage = Stage(account, sqlite_db)
    changed(account)
    walk(stage, "garble", where)
