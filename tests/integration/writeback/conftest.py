"""A mailbox on the test Dovecot whose user acts; what the server then holds is read with a client of its own."""

from __future__ import annotations

import imaplib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from email import message_from_bytes
from pathlib import Path

import pytest
from sqlmodel import col, select, update

from mailcrm.models import Folder, Mailbox, Message, ServerAction
from mailcrm.models.base import utcnow
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail.writeback.apply import write_back
from tests.integration.sync.conftest import Box, connect, raw
from tests.integration.writeback.wire import TamperProxy
from tests.servers.dovecot import DovecotServer

__all__ = ["raw"]


@dataclass
class Desk(Box):
    """A box and its user at work. Message n is the one with the Message-ID <n@sync.test>."""

    proxy: TamperProxy | None = None

    @property
    def actor(self) -> Actor:
        return Actor(self.user_id)

    def thread(self, n: int) -> int:
        return self.message(n).thread_id

    def message(self, n: int) -> Message:
        with reading() as session:
            query = select(Message).where(
                Message.mailbox_id == self.mailbox_id, Message.rfc_message_id == f"{n}@sync.test"
            )
            found = session.exec(query).one()
            session.expunge_all()
            return found

    def actions(self) -> list[ServerAction]:
        with reading() as session:
            query = select(ServerAction).where(ServerAction.mailbox_id == self.mailbox_id)
            found = list(session.exec(query.order_by(col(ServerAction.id))))
            session.expunge_all()
            return found

    def states(self) -> list[tuple[str, str, str]]:
        return [(a.kind, a.state, a.outcome or a.error_code) for a in self.actions()]

    def later(self) -> None:
        """The undo window, and every wait for a next try, are over."""
        past = utcnow() - timedelta(seconds=1)
        for action in self.actions():
            with transaction() as session:  # a lock at a time: mailcrm, at work on the same rows, is never waited for
                session.exec(
                    update(ServerAction)
                    .where(col(ServerAction.id) == action.id, col(ServerAction.state) == "queued")
                    .values(not_before=past, next_try_at=None)
                )

    def write(self) -> int:
        """Do what is queued, whatever its moment."""
        self.later()
        return write_back(self.mailbox_id)

    def settings(self, **values: bool) -> None:
        with transaction() as session:
            row = session.get_one(Mailbox, self.mailbox_id)
            for name, value in values.items():
                setattr(row, name, value)
            session.add(row)

    def choose(self, folder: str) -> None:
        with transaction() as session:
            session.exec(
                update(Folder)
                .where(col(Folder.mailbox_id) == self.mailbox_id, col(Folder.name) == folder)
                .values(chosen=True)
            )

    @contextmanager
    def imap(self) -> Iterator[imaplib.IMAP4]:
        """Another mail program."""
        client = imaplib.IMAP4("localhost", self.dovecot.plain_port)
        client.login(self.user, "secret")
        try:
            yield client
        finally:
            client.logout()

    def server(self, folder: str) -> dict[int, tuple[int, frozenset[str]]]:
        """What a folder holds: {n of the Message-ID: (UID, flags)}; fails when a message is there twice."""
        found: dict[int, tuple[int, frozenset[str]]] = {}
        with self.imap() as client:
            if client.select(f'"{folder}"', readonly=True)[0] != "OK":
                return found
            _, data = client.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
            for item in data:
                if isinstance(item, tuple):
                    head = item[0].decode()
                    name = message_from_bytes(item[1])["Message-ID"]
                    n = int(re.findall(r"<(\d+)@", name)[0]) if name else 0
                    uid = int(re.findall(r"UID (\d+)", head)[0])
                    flags = frozenset(re.findall(r"\\[A-Za-z]+|\$[A-Za-z]+", re.findall(r"FLAGS \((.*?)\)", head)[0]))
                    assert n not in found, f"message {n} is in {folder} twice"
                    found[n] = (uid, flags - {"\\Recent"})
        return found

    def files(self) -> dict[str, bytes]:
        """Every file of the mailbox on the server's disk but its caches: name (flags are in it) and bytes."""
        base = self.dovecot.home / "mail" / self.user
        keep = {}
        for path in sorted(base.rglob("*")):
            inside = path.is_file() and path.parent.name in ("cur", "new")
            if inside or path.name in ("dovecot-uidlist", "subscriptions"):
                keep[str(path.relative_to(base))] = path.read_bytes()
        return keep


def make_desk(
    dovecot: DovecotServer, *, archive: bool = True, proxy: TamperProxy | None = None, **settings: object
) -> Desk:
    """A mailbox with everything written back, unless `settings` say otherwise."""
    wanted: dict[str, object] = {"write_read": True, "write_archive": True, "write_delete": True, **settings}
    spec = replace(dovecot.spec("x"), port=proxy.port) if proxy else None
    box = connect(dovecot, spec, **wanted)
    if archive:
        dovecot.maildir(box.user, "Archive")
    return Desk(box.dovecot, box.user, box.user_id, box.mailbox_id, proxy)


@pytest.fixture
def desk(db: str, dovecot: DovecotServer) -> Desk:
    """An empty mailbox with an Archive; everything is written back."""
    return make_desk(dovecot)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path
