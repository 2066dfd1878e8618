"""A user with a mailbox on the test's Exchange server, on both databases."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlmodel import col, select, update

from mailcrm.models import Folder, Mailbox, Message, MessageLocation, ServerAction, User
from mailcrm.models.base import utcnow
from mailcrm.services import access, crypto
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail.ews import client
from mailcrm.services.mail.signing_in import credentials, open_mailbox
from mailcrm.services.mail.sync.engine import SyncReport, sync_mailbox
from mailcrm.services.mail.sync.ledger import FolderLedger, ledger
from mailcrm.services.mail.writeback.apply import write_back
from tests.servers.ews import EwsServer

_users = itertools.count(1)


@dataclass
class Exchange:
    """A connected mailbox and its server."""

    server: EwsServer
    user_id: int
    mailbox_id: int

    @property
    def actor(self) -> Actor:
        with reading() as session:
            return access.actor_for(session, self.user_id)

    def open(self) -> client.EwsConnection:
        found = open_mailbox(credentials(self.mailbox_id))
        assert isinstance(found, client.EwsConnection)
        return found

    def sync(self) -> SyncReport:
        report = sync_mailbox(self.mailbox_id)
        if report.error:
            raise report.error
        return report

    def ledger(self) -> dict[str, FolderLedger]:
        found = ledger(None, self.mailbox_id)
        assert all(line.adds_up for line in found), found
        return {line.folder: line for line in found}

    def messages(self) -> dict[str, Message]:
        """By the number in the Message-ID."""
        with reading() as session:
            found = list(session.exec(select(Message).where(Message.mailbox_id == self.mailbox_id)))
            session.expunge_all()
            return {(m.rfc_message_id or f"#{m.id}").partition("@")[0]: m for m in found}

    def locations(self, folder: str) -> dict[int, int]:
        with reading() as session:
            return dict(
                session.exec(
                    select(MessageLocation.uid, MessageLocation.message_id)
                    .join(Folder, col(Folder.id) == col(MessageLocation.folder_id))
                    .where(Folder.mailbox_id == self.mailbox_id, Folder.name == folder)
                ).all()
            )

    def write(self) -> int:
        """Do what is queued, whatever its moment."""
        with transaction() as session:
            session.exec(
                update(ServerAction)
                .where(col(ServerAction.mailbox_id) == self.mailbox_id, col(ServerAction.state) == "queued")
                .values(not_before=utcnow() - timedelta(seconds=1), next_try_at=None)
            )
        return write_back(self.mailbox_id)

    def row(self) -> Mailbox:
        with reading() as session:
            found = session.get_one(Mailbox, self.mailbox_id)
            session.expunge_all()
            return found

    def change(self, **values: object) -> None:
        with transaction() as session:
            row = session.get_one(Mailbox, self.mailbox_id)
            for name, value in values.items():
                setattr(row, name, value)
            session.add(row)


@pytest.fixture
def server() -> Iterator[EwsServer]:
    """An Exchange server with the usual folders, in German."""
    with EwsServer() as made:
        yield made


@pytest.fixture
def box(db: str, server: EwsServer) -> Exchange:
    """A fresh mailbox, empty on both sides."""
    return connect(server)


def connect(server: EwsServer, password: str = "secret") -> Exchange:
    """Make a user and the mailbox."""
    with transaction() as session:
        user = User(name="Ann", email=f"ews{next(_users)}@home.test", password_hash="x", role="member")
        session.add(user)
        session.flush()
        row = Mailbox(
            user_id=user.id or 0, address="ann@home.test", kind="ews", provider="exchange",
            imap_host="localhost", imap_port=server.port, imap_security="none", imap_username=server.user,
            smtp_host="localhost", smtp_port=server.port, smtp_security="none", smtp_username=server.user, secret=b"",
        )  # fmt: skip
        session.add(row)
        session.flush()
        row.secret = crypto.seal({"imap": password, "smtp": password}, context=f"mailbox:{row.id}")
        session.add(row)
        return Exchange(server, user.id or 0, row.id or 0)
