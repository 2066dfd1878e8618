"""A user with a mailbox on the test Dovecot, on both databases."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest
from sqlmodel import col, select

from mailcrm.models import Folder, Mailbox, Message, MessageLocation, User
from mailcrm.services import crypto
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail.providers.values import ServerSpec
from mailcrm.services.mail.sync.engine import SyncReport, sync_mailbox
from mailcrm.services.mail.sync.ledger import FolderLedger, ledger
from tests.servers.dovecot import DovecotServer

_users = itertools.count(1)


def raw(n: int, *, reply_to: int | None = None, body: str = "", subject: str = "") -> bytes:
    """A small message; `n` makes its Message-ID."""
    threading = f"In-Reply-To: <{reply_to}@sync.test>\r\nReferences: <{reply_to}@sync.test>\r\n" if reply_to else ""
    return (
        f"From: Bob <bob@away.test>\r\nTo: ann@home.test\r\nMessage-ID: <{n}@sync.test>\r\n{threading}"
        f"Date: Thu, 01 Feb 2024 10:00:00 +0000\r\nSubject: {subject or f'number {n}'}\r\n\r\n{body or f'body {n}'}\r\n"
    ).encode()


@dataclass
class Box:
    """A connected mailbox and its server."""

    dovecot: DovecotServer
    user: str
    user_id: int
    mailbox_id: int

    def deliver(self, data: bytes, folder: str = "INBOX", **options: object):  # type: ignore[no-untyped-def]
        return self.dovecot.deliver(self.user, data, folder, **options)  # type: ignore[arg-type]

    def sync(self, **options: object) -> SyncReport:
        report = sync_mailbox(self.mailbox_id, **options)  # type: ignore[arg-type]
        if report.error:
            raise report.error
        return report

    def ledger(self) -> dict[str, FolderLedger]:
        found = ledger(None, self.mailbox_id)
        assert all(line.adds_up for line in found), found
        return {line.folder: line for line in found}

    def messages(self) -> list[Message]:
        with reading() as session:
            found = session.exec(select(Message).where(Message.mailbox_id == self.mailbox_id).order_by(col(Message.id)))
            rows = list(found)
            session.expunge_all()
            return rows

    def locations(self, folder: str = "INBOX") -> dict[int, int]:
        with reading() as session:
            return dict(
                session.exec(
                    select(MessageLocation.uid, MessageLocation.message_id)
                    .join(Folder, col(Folder.id) == col(MessageLocation.folder_id))
                    .where(Folder.mailbox_id == self.mailbox_id, Folder.name == folder)
                ).all()
            )


def connect(dovecot: DovecotServer, spec: ServerSpec | None = None, **settings: object) -> Box:
    """Make a user, a Dovecot account and the mailbox that ties them."""
    name = f"sync{next(_users)}"
    dovecot.add_user(name)
    imap = spec or dovecot.spec(name)
    with transaction() as session:
        user = User(name="Ann", email=f"{name}@home.test", password_hash="x", role="member")
        session.add(user)
        session.flush()
        mailbox = Mailbox(
            user_id=user.id or 0, address="ann@home.test",
            imap_host=imap.host, imap_port=imap.port, imap_security=imap.security, imap_username=name,
            smtp_host="localhost", smtp_port=25, smtp_security="none", smtp_username=name, secret=b"",
            **settings,  # type: ignore[arg-type]
        )  # fmt: skip
        session.add(mailbox)
        session.flush()
        mailbox.secret = crypto.seal({"imap": "secret", "smtp": "secret"}, context=f"mailbox:{mailbox.id}")
        session.add(mailbox)
        return Box(dovecot, name, user.id or 0, mailbox.id or 0)


@pytest.fixture
def box(db: str, dovecot: DovecotServer) -> Box:
    """A fresh mailbox, empty on both sides."""
    return connect(dovecot)
