"""An account on each of four servers, and the one question that every test ends with: is here what is there?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select

from mailcrm.models import Folder, Message, MessageLocation, Quarantined, SkippedUid
from mailcrm.services import access
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import messages
from mailcrm.services.mail.providers.values import ServerSpec
from tests.integration.sync.conftest import Box, connect
from tests.servers.other_program import ImapServer, OtherProgram

SERVERS = ("dovecot", "cyrus", "courier", "pymap")


@dataclass
class Account(Box):
    """A connected mailbox and the other program that its user has."""

    @property
    def server(self) -> ImapServer:
        return self.dovecot

    def program(self) -> OtherProgram:
        """Sign in as the user's other mail program."""
        return OtherProgram(self.server, self.user)

    def fill(self, folder: str, raws: Iterable[bytes]) -> None:
        """Put many messages into a folder, in this order, over one connection."""
        with self.program() as program:
            for data in raws:
                program.append(data, folder)

    def name(self, folder: str) -> str:
        """Return the name that the server gives a folder."""
        return folder if folder == "INBOX" else self.server.prefix + folder

    def later(self) -> None:
        """Let the intervals pass after which flags are looked at again where no CONDSTORE tells of changes."""
        with transaction() as session:
            for folder in session.exec(select(Folder).where(Folder.mailbox_id == self.mailbox_id)):
                for field in ("flags_checked_at", "flags_round_at"):
                    if (was := getattr(folder, field)) is not None:
                        setattr(folder, field, was - timedelta(days=1))
                session.add(folder)

    def by_id(self) -> dict[str | None, Message]:
        """Return the messages by Message-ID."""
        return {message.rfc_message_id: message for message in self.messages()}

    def raw_of(self, message_id: int) -> bytes:
        """Return a message's stored bytes."""
        with reading() as session:
            actor = access.actor_for(session, self.user_id)
        return messages.load_raw(actor, message_id)

    def flags(self, folder: str = "INBOX") -> dict[int, frozenset[str]]:
        """Return the stored flags by UID."""
        with reading() as session:
            rows = session.exec(
                select(MessageLocation.uid, MessageLocation.flags)
                .join(Folder, col(Folder.id) == col(MessageLocation.folder_id))
                .where(Folder.mailbox_id == self.mailbox_id, Folder.name == self.name(folder))
            ).all()
            return {uid: frozenset(flags.split()) for uid, flags in rows}

    def set_aside(self, folder: str) -> set[int]:
        """Return the UIDs of a folder (by the server's name) that are skipped or in quarantine."""
        with reading() as session:
            return {
                uid
                for table in (SkippedUid, Quarantined)
                for uid in session.exec(
                    select(table.uid)
                    .join(Folder, col(Folder.id) == col(table.folder_id))
                    .where(Folder.mailbox_id == self.mailbox_id, Folder.name == folder)
                )
            }

    def roles(self) -> dict[str, str]:
        """Return the roles of the folders that are there now, by the server's names."""
        with reading() as session:
            rows = session.exec(
                select(Folder.name, Folder.role).where(
                    Folder.mailbox_id == self.mailbox_id, col(Folder.gone_at).is_(None)
                )
            ).all()
            return dict(rows)

    def check(self) -> None:
        """Compare with the server: each UID once, each byte and flag the same, nothing gone that is still there."""
        lines = self.ledger()
        raws: dict[int, bytes] = {}
        located: set[int] = set()
        with OtherProgram(self.server, self.user) as program:
            program.client.normalise_times = False
            for folder, line in lines.items():
                places = self.locations(folder)
                located.update(places.values())
                program.client.select_folder(folder, readonly=True)
                uids = program.client.search("ALL")
                assert Counter([*places, *self.set_aside(folder)]) == Counter(uids), (folder, line)
                assert (line.server, line.pending) == (len(uids), 0), line
                flags = self.flags(folder.removeprefix(self.server.prefix))
                found: dict[int, Any] = program.client.fetch(list(places), ["BODY.PEEK[]", "FLAGS"]) if places else {}
                for uid, message_id in places.items():
                    raws.setdefault(message_id, self.raw_of(message_id))
                    assert raws[message_id] == found[uid][b"BODY[]"], (folder, uid)
                    there = {flag.decode("latin-1") for flag in found[uid][b"FLAGS"]} - {"\\Recent"}
                    assert flags[uid] == there, (folder, uid)
        for message in self.messages():
            assert (message.gone_at is None) == (message.id in located), message.rfc_message_id


def account_on(server: ImapServer, spec: ServerSpec | None = None, **settings: object) -> Account:
    """Make a user on a server and connect the mailbox, through `spec` when it is given."""
    return Account(**vars(connect(server, spec, **settings)))  # type: ignore[arg-type]


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> ImapServer:
    """Each of the four servers in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def account(sqlite_db: Path, server: ImapServer) -> Account:
    """A fresh mailbox, empty on both sides."""
    return account_on(server)
