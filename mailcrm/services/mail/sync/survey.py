"""Asks the server for its folders, and finds out which were renamed, made anew under an old name, or deleted.

    listed, known             same folder, unless its MAILBOXID (RFC 8474) says otherwise: renamed, swapped, re-created
    listed, unknown           new, unless a missing folder is proven to be it: by MAILBOXID, else by UIDVALIDITY,
                              UIDNEXT and a sample of its messages
    missing                   gone, when STATUS says so too; never after a listing without INBOX or with a broken line

What can't be proven is *gone* and *new*: the messages are found again by what they are (`identify.py`), so that none
is fetched twice. Network first, then one short transaction, and only when something is to be written.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from sqlmodel import Session, col

from mailcrm.errors import MailcrmError
from mailcrm.models import Folder, Message, MessageLocation
from mailcrm.models.base import utcnow
from mailcrm.services.db import reading
from mailcrm.services.mail.imap.client import FolderStatus
from mailcrm.services.mail.imap.folders import RemoteFolder
from mailcrm.services.mail.parse.headers import message_id
from mailcrm.services.mail.remote import MailConnection
from mailcrm.services.mail.sync.folder_rows import save_folders
from mailcrm.services.mail.sync.look import Writing
from mailcrm.services.rows import pick, rows

SAMPLE = 6  # messages from either end of a folder that must be the same before it counts as renamed
MOST_PROOFS = 100  # new folders that are opened to see whether they are a missing one; the others are new

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Known:
    """A folder's row by what a comparison needs."""

    id: int
    name: str
    role: str
    delimiter: str
    selectable: bool
    remote_id: str
    uidvalidity: int | None
    uidnext: int
    gone: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a listing means: `renamed` new names by folder id, `recreated` ids, and the ids that are `missing`."""

    renamed: dict[int, str]
    recreated: frozenset[int]
    missing: tuple[Known, ...]


def compare(known: Sequence[Known], listed: Sequence[RemoteFolder]) -> Verdict:
    """Tell renamed, re-created and missing folders by names and MAILBOXIDs. Pure."""
    ids = {f.name: f.status.remote_id for f in listed if f.status is not None and f.status.remote_id}
    if any(count > 1 for count in Counter(ids.values()).values()):
        ids = {}  # two folders with one id: the server's ids mean nothing
    name_of = {remote_id: name for name, remote_id in ids.items()}
    names = {folder.name for folder in listed}
    renamed: dict[int, str] = {}
    taken: set[str] = set()
    remade: list[Known] = []
    for row in known:
        now = name_of.get(row.remote_id) if row.remote_id else None
        if now is not None and now != row.name and now not in taken:
            renamed[row.id] = now
            taken.add(now)
        elif now is None and row.remote_id and row.name in ids:
            remade.append(row)
    recreated = {row.id for row in remade if row.name not in taken}
    missing = tuple(row for row in known if row.name not in names and row.id not in renamed and not row.gone)
    return Verdict(renamed, frozenset(recreated), missing)


def take(
    connection: MailConnection, mailbox_id: int, writing: Writing, *, counts: bool = True, just_opened: bool = False
) -> dict[int, FolderStatus]:
    """List the folders, bring their rows up to date, and return the counts that came with the listing, by id."""
    listed, whole = connection.survey(counts=counts, just_opened=just_opened)
    known = _known(mailbox_id)
    verdict = compare(known, listed)
    believed = whole and any(folder.role == "inbox" for folder in listed)
    kept = {row.id for row in verdict.missing}
    renamed = dict(verdict.renamed)
    if believed and verdict.missing:
        there = {row.id for row in verdict.missing if _is_there(connection, row)}
        gone = [row for row in verdict.missing if row.id not in there]
        names = {row.name for row in known if not row.gone} | set(renamed.values())
        fresh = [f for f in listed if f.selectable and f.name not in names]
        renamed |= _proven(connection, gone, fresh)
        kept = there
    if renamed or verdict.recreated or _differs(known, listed, kept):
        with writing() as session:
            save_folders(session, mailbox_id, listed, utcnow(), renamed=renamed, recreated=verdict.recreated, kept=kept)
        known = _known(mailbox_id)
    statuses = {folder.name: folder.status for folder in listed if folder.status is not None}
    return {row.id: statuses[row.name] for row in known if row.name in statuses}


def _known(mailbox_id: int) -> list[Known]:
    with reading() as session:
        statement = pick(
            Folder.id, Folder.name, Folder.role, Folder.delimiter, Folder.selectable, Folder.remote_id,
            Folder.uidvalidity, Folder.uidnext, col(Folder.gone_at).is_not(None),
        ).where(col(Folder.mailbox_id) == mailbox_id)  # fmt: skip
        return [Known(*row) for row in rows(session, statement)]


def _differs(known: Sequence[Known], listed: Sequence[RemoteFolder], kept: set[int]) -> bool:
    """Whether anything about the rows is to be written."""
    rows_of = {row.name: row for row in known}
    for folder in listed:
        row = rows_of.pop(folder.name, None)
        told = folder.status.remote_id if folder.status is not None else ""
        if (
            row is None
            or row.gone
            or (row.role, row.delimiter) != (folder.role or "other", folder.delimiter or "")
            or row.selectable != folder.selectable
            or (told and told != row.remote_id)
        ):
            return True
    return any(not row.gone and row.id not in kept for row in rows_of.values())


def _is_there(connection: MailConnection, row: Known) -> bool:
    """Ask for a folder that a listing left out; only the server's own NO makes it gone."""
    if not row.selectable:
        return False
    try:
        connection.status(row.name)
    except MailcrmError:
        if not connection.alive:
            raise
        return False
    log.warning("a folder is there and not listed", folder_id=row.id)
    return True


def _proven(connection: MailConnection, gone: Sequence[Known], fresh: Sequence[RemoteFolder]) -> dict[int, str]:
    """Find missing folders under new names; each new name once, and only with proof.

    Each new folder is asked once, and `MOST_PROOFS` are opened: a server may call thousands otherwise each time.
    """
    known = [row for row in gone if row.uidvalidity is not None]
    told = _told(connection, fresh) if known else {}
    counted = Counter(status.remote_id for status in told.values())
    by_id = {status.remote_id: name for name, status in told.items() if counted[status.remote_id] == 1}
    alike: dict[int, list[str]] = defaultdict(list)
    for name, status in told.items():
        alike[status.uidvalidity].append(name)
    renamed: dict[int, str] = {}
    taken: set[str] = set()
    proofs = 0
    for row in known:
        named = by_id.get(row.remote_id) if row.remote_id else None
        candidates = [named] if named else alike[row.uidvalidity or 0][:MOST_PROOFS] if proofs < MOST_PROOFS else []
        for name in candidates:
            status = told[name]
            if name in taken or (not named and row.remote_id and status.remote_id):
                continue
            if not named:
                if status.uidnext and status.uidnext < row.uidnext:
                    continue
                proofs += 1
                if proofs > MOST_PROOFS or not _is_proof(connection, row, name):
                    continue
            renamed[row.id] = name
            taken.add(name)
            break
    return renamed


def _told(connection: MailConnection, folders: Sequence[RemoteFolder]) -> dict[str, FolderStatus]:
    found: dict[str, FolderStatus] = {}
    for folder in folders:
        try:
            found[folder.name] = folder.status or connection.status(folder.name)
        except MailcrmError:
            if not connection.alive:
                raise
    return found


def _is_proof(connection: MailConnection, row: Known, name: str) -> bool:
    try:
        return _holds(connection, row, name)
    except MailcrmError:
        if not connection.alive:
            raise
        return False


def _holds(connection: MailConnection, row: Known, name: str) -> bool:
    """Whether a folder holds the messages of another under the same UIDs: a sample from both ends, all the same."""
    with reading() as session:
        sample = _sample(session, row.id)
    if not sample:
        return False
    if connection.examine(name).uidvalidity != row.uidvalidity:
        return False
    metas = connection.fetch_meta(sample)
    headers = connection.fetch_message_ids(list(metas))
    for uid, meta in metas.items():
        value = headers.get(uid, b"").partition(b":")[2].strip()
        if (message_id(value), meta.size) != sample[uid]:
            return False
    return len(metas) * 2 > len(sample)


def _sample(session: Session, folder_id: int) -> Mapping[int, tuple[str, int]]:
    """Return (Message-ID, size) by UID of the oldest and the newest messages that have a Message-ID."""
    statement = (
        pick(MessageLocation.uid, Message.rfc_message_id, Message.size)
        .join(Message, col(Message.id) == col(MessageLocation.message_id))
        .where(col(MessageLocation.folder_id) == folder_id, col(Message.rfc_message_id).is_not(None))
        .limit(SAMPLE)
    )
    ends = (col(MessageLocation.uid).asc(), col(MessageLocation.uid).desc())
    return {uid: (name, size) for end in ends for uid, name, size in rows(session, statement.order_by(end))}


__all__ = ["Known", "Verdict", "compare", "take"]
