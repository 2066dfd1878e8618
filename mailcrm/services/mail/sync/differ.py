"""Compares one folder's ledger with the server, message by message; finds, changes nothing (B01).

Read without the lease, so that new mail is never held up: rows first, then the server (what is stored meanwhile must
not look missing). What is found is therefore a suspicion; `mend.py` looks again under the lease before it believes it.
Judged are UID by UID: whether both sides have it; whether it has one row; for stored ones size and Message-ID, and
where these differ the bytes; whether our own bytes can be read. Memory is bounded by one window of UIDs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from sqlalchemy import exists
from sqlmodel import Session, col, func

from mailcrm.models import (
    Folder,
    Mailbox,
    Message,
    MessageLocation,
    Outbox,
    PendingUid,
    Quarantined,
    SkippedUid,
)
from mailcrm.services.db import reading
from mailcrm.services.mail import blobs
from mailcrm.services.mail.imap.client import RemoteMessage, RemoteMeta
from mailcrm.services.mail.parse.headers import message_id
from mailcrm.services.mail.parse.message import parse_message
from mailcrm.services.mail.parse.values import UnparsableMessage
from mailcrm.services.mail.remote import MailConnection
from mailcrm.services.mail.sync import fetch
from mailcrm.services.mail.sync.cursor import MAX_UID
from mailcrm.services.mail.sync.plan import windows
from mailcrm.services.rows import pick, rows, scalar

TABLES = (MessageLocation, PendingUid, SkippedUid, Quarantined)
BATCH = 500  # messages compared with one fetch of sizes and Message-IDs

Progress = Callable[[int], None]


class Stored(NamedTuple):
    """What is noted of a UID that is stored. `ours`: the outbox sent it, a server may have filed it in other words."""

    uid: int
    message_id: int
    sha: str
    size: int
    rfc_message_id: str | None
    lenient: bool


@dataclass(slots=True)
class Differences:
    """What seems to differ in one folder: UIDs by kind. `wrong` maps a UID to the message that is not it."""

    uidvalidity: int
    missing: list[int] = field(default_factory=list[int])
    surplus: list[int] = field(default_factory=list[int])
    twice: list[int] = field(default_factory=list[int])
    wrong: dict[int, int] = field(default_factory=dict[int, int])
    unreadable: dict[int, str] = field(default_factory=dict[int, str])
    #: The bytes are right and the row is not: size and Message-ID as they should be, by message.
    odd_rows: dict[int, tuple[int, str | None]] = field(default_factory=dict[int, tuple[int, str | None]])
    gone: int = 0
    uidnext: int | None = None  # where the cursor should stand, when it stands beyond the server's end
    listed: int = 0
    exists: int = 0
    known: int = 0
    renewed: bool = False

    @property
    def empty(self) -> bool:
        """Whether both sides agree."""
        found = (self.missing, self.surplus, self.twice, self.wrong, self.unreadable, self.odd_rows)
        return not (any(found) or self.gone or self.uidnext is not None)


def compare(connection: MailConnection, folder_id: int, name: str, progress: Progress) -> Differences | None:
    """Compare a folder; None when it was never opened (its first sync is to come). Leaves the folder opened.

    `progress` is told how many messages were compared since it was told last.
    """
    with reading() as session:
        folder = session.get_one(Folder, folder_id)
        uidvalidity, uidnext = folder.uidvalidity, folder.uidnext
        last = _last_uid(session, folder_id)
    if uidvalidity is None:
        return None
    server = connection.examine(name)
    found = Differences(uidvalidity, exists=server.exists)
    if server.uidvalidity != uidvalidity:
        found.renewed = True
        return found
    if server.uidnext and uidnext > server.uidnext:
        found.uidnext = server.uidnext
    end = max(uidnext, last + 1, server.uidnext) - 1
    for lo, hi in windows(1, min(end, MAX_UID), server.exists):
        _window(connection, folder_id, uidnext, lo, hi, found, progress)
    with reading() as session:
        found.gone = _gone(session, folder_id)
    return found


def _window(
    connection: MailConnection, folder_id: int, uidnext: int, lo: int, hi: int, found: Differences, progress: Progress
) -> None:
    with reading() as session:
        stored = {row.uid: row for row in _stored(session, folder_id, lo, hi)}
        others = Counter(
            row[0]
            for table in TABLES[1:]
            for row in rows(
                session,
                pick(table.uid).where(col(table.folder_id) == folder_id, col(table.uid) >= lo, col(table.uid) <= hi),
            )
        )
    listed = connection.list_uids(lo, hi)
    there = set(listed)
    found.listed += len(listed)
    found.known += len(stored.keys() | others.keys())
    # What came after the cursor is new mail: the next pass lists it.
    found.missing += [uid for uid in listed if uid < uidnext and uid not in stored and uid not in others]
    found.surplus += sorted((stored.keys() | others.keys()) - there)
    found.twice += sorted(uid for uid, count in others.items() if count + (uid in stored) > 1)
    both = iter([stored[uid] for uid in listed if uid in stored])
    while batch := list(islice(both, BATCH)):
        _batch(connection, batch, found)
        progress(len(batch))
    progress(sum(uid in others and uid not in stored for uid in listed))


def _batch(connection: MailConnection, batch: Sequence[Stored], found: Differences) -> None:
    uids = [row.uid for row in batch]
    meta = connection.fetch_meta(uids)
    ids = connection.fetch_message_ids(uids)
    doubted: dict[int, Stored] = {}
    for row in batch:
        try:
            blobs.get(row.sha)
        except blobs.BlobLost:
            found.unreadable[row.uid] = row.sha
        if row.uid in meta and not _same(row, meta[row.uid], ids.get(row.uid)):
            doubted[row.uid] = row
    if doubted:
        _by_bytes(connection, doubted, {uid: meta[uid] for uid in doubted}, found)


def _same(row: Stored, meta: RemoteMeta, header: bytes | None) -> bool:
    """Whether the server's short answers speak of the message that is noted."""
    same_id = header is None or message_id(header.partition(b":")[2].strip()) == row.rfc_message_id
    return same_id and (row.lenient or meta.size == row.size)


def _by_bytes(
    connection: MailConnection, doubted: dict[int, Stored], meta: dict[int, RemoteMeta], found: Differences
) -> None:
    """Let the bytes decide: a server may lie about sizes, and spell a Message-ID in its own way."""
    for part in fetch.batches(meta, None):
        for item in connection.fetch_raw(part, meta=meta):
            if not isinstance(item, RemoteMessage):
                continue
            row, named = doubted[item.uid], _message_id_of(item.raw)
            if blobs.digest(item.raw) != row.sha:
                if not row.lenient or named != row.rfc_message_id:
                    found.wrong[item.uid] = row.message_id
            elif len(item.raw) != row.size or named != row.rfc_message_id:
                found.odd_rows[row.message_id] = (len(item.raw), named)


def _message_id_of(raw: bytes) -> str | None:
    """Return the Message-ID that storing these bytes would note."""
    try:
        return parse_message(raw).rfc_message_id
    except UnparsableMessage:
        return None


def _stored(session: Session, folder_id: int, lo: int, hi: int) -> Iterator[Stored]:
    ours = exists().where(col(Outbox.message_id) == col(Message.id))
    # Exchange writes the MIME anew each time it is asked, from what it took apart.
    written = exists().where(col(Mailbox.id) == col(Message.mailbox_id), col(Mailbox.kind) == "ews")
    statement = (
        pick(
            MessageLocation.uid,
            MessageLocation.message_id,
            Message.blob_sha,
            Message.size,
            Message.rfc_message_id,
            ours.correlate(Message) | written.correlate(Message) | col(Message.partial).is_(True),
        )
        .join(Message, col(Message.id) == col(MessageLocation.message_id))
        .where(
            col(MessageLocation.folder_id) == folder_id, col(MessageLocation.uid) >= lo, col(MessageLocation.uid) <= hi
        )
    )
    return (Stored(*row) for row in rows(session, statement))


def _last_uid(session: Session, folder_id: int) -> int:
    return max(
        scalar(session, pick(func.max(col(table.uid))).where(col(table.folder_id) == folder_id)) or 0
        for table in TABLES
    )


def _gone(session: Session, folder_id: int) -> int:
    located = pick(MessageLocation.message_id).where(col(MessageLocation.folder_id) == folder_id)
    statement = pick(func.count()).select_from(Message).where(col(Message.gone_at).is_not(None))
    return scalar(session, statement.where(col(Message.id).in_(located)))
