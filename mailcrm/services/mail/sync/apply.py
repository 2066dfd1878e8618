"""Writes what a pass found: folders, listings, comparisons, flags, and batches of messages.

Every function works inside the caller's transaction and never commits. The invariant they keep together: each UID of
a folder that the server listed under the current UIDVALIDITY has exactly one row in `pending_uids`,
`message_locations`, `skipped_uids` or `quarantine`; the cursor (`uidnext`) moves only with these rows (rule 7).
No network, no parsing: `engine.py` and `fetch.py` bring the values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, update
from sqlmodel import Session, col, select

from mailcrm import __version__
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
from mailcrm.models.base import utcnow
from mailcrm.services.mail import hidden, store
from mailcrm.services.mail.imap.folders import RemoteFolder
from mailcrm.services.mail.parse.values import ParsedMessage
from mailcrm.services.mail.sync.cursor import MAX_UID, Cursor, Server
from mailcrm.services.mail.sync.plan import Believe
from mailcrm.services.mail.thread.summary import refresh_threads
from mailcrm.services.mail.writeback import queue as writeback
from mailcrm.services.mail.writeback.plan import FLAGS as FLAG_ACTS
from mailcrm.services.rows import chunks, rows, run, table_of

DOUBT_EMPTY = "sync.doubt_empty"
NOT_SYNCED = ("drafts", "junk", "trash")  # roles that are not chosen by themselves

_TABLES = (MessageLocation, PendingUid, SkippedUid, Quarantined)


@dataclass(frozen=True, slots=True)
class Stored:
    """A fetched and parsed message, its bytes already in the blob store."""

    uid: int
    flags: frozenset[str]
    received_at: datetime | None
    sha: str
    size: int
    parsed: ParsedMessage


@dataclass(frozen=True, slots=True)
class Skipped:
    """A message left on the server on purpose."""

    uid: int
    reason: str


@dataclass(frozen=True, slots=True)
class Poison:
    """A message for the quarantine; `reason` a code of errors.SENTENCES, `sha` None when its bytes could not be had."""

    uid: int
    reason: str
    sha: str | None = None
    size: int = 0
    params: Mapping[str, str | int] = field(default_factory=dict[str, str | int])


@dataclass(frozen=True, slots=True)
class Gone:
    """A message that the server no longer lists."""

    uid: int


Outcome = Stored | Skipped | Poison | Gone


def save_folders(session: Session, mailbox_id: int, listed: Sequence[RemoteFolder], now: datetime) -> None:
    """Bring the folders' rows up to date. A listing without an INBOX is not believed: nothing is marked gone then."""
    known = {folder.name: folder for folder in session.exec(select(Folder).where(Folder.mailbox_id == mailbox_id))}
    everything = session.exec(select(Mailbox.sync_all).where(Mailbox.id == mailbox_id)).one()
    names: set[str] = set()
    back: list[int] = []
    lost: list[int] = []
    for remote in listed:
        if not _storable(remote.name):
            continue
        names.add(remote.name)
        folder = known.get(remote.name)
        if folder is None:
            role = remote.role or "other"
            chosen = role not in NOT_SYNCED and everything  # where folders were chosen, a new one waits to be (M14)
            folder = Folder(mailbox_id=mailbox_id, name=remote.name, chosen=chosen)
        elif folder.gone_at is not None:
            back.append(folder.id or 0)
        folder.role, folder.delimiter = remote.role or "other", remote.delimiter or ""
        folder.selectable, folder.gone_at = remote.selectable, None
        session.add(folder)
    if any(remote.role == "inbox" for remote in listed):
        for name, folder in known.items():
            if name not in names and folder.gone_at is None:
                folder.gone_at = now
                lost.append(folder.id or 0)
                session.add(folder)
    session.flush()
    _follow_folders(session, lost, back)


def _follow_folders(session: Session, lost: Sequence[int], back: Sequence[int]) -> None:
    """Mark what only lost folders had as gone, and what came back with its folder as there.

    The places of a lost folder stay: a listing may have left it out, and then nothing is to be fetched again.
    """
    if lost:
        mark_gone(
            session,
            session.exec(select(MessageLocation.message_id).where(col(MessageLocation.folder_id).in_(lost))).all(),
        )
    if back:
        here = select(MessageLocation.message_id).where(col(MessageLocation.folder_id).in_(back))
        run(
            session,
            update(Message)
            .where(col(Message.id).in_(here), col(Message.gone_at).is_not(None))
            .values(gone_at=None)
            .execution_options(synchronize_session=False),
        )


def _storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def load_cursor(session: Session, folder: Folder) -> Cursor:
    """Return where the folder stands."""
    counts = [
        session.exec(select(func.count()).select_from(table).where(table.folder_id == folder.id)).one()
        for table in _TABLES
    ]
    return Cursor(
        uidvalidity=folder.uidvalidity,
        uidnext=folder.uidnext,
        highestmodseq=folder.highestmodseq,
        known=sum(counts),
        pending=counts[1],
        suspicious=folder.error_code == DOUBT_EMPTY,
        flags_checked_at=folder.flags_checked_at,
    )


def known_uids(session: Session, folder_id: int) -> set[int]:
    """Return every UID that has a row."""
    out: set[int] = set()
    for table in _TABLES:
        out.update(session.exec(select(table.uid).where(table.folder_id == folder_id)))
    return out


def save_listing(session: Session, folder: Folder, hi: int, uids: Sequence[int]) -> None:
    """Make new UIDs pending and move the cursor past `hi`, in one."""
    brought = set(  # by a move of ours (writeback/settle.py): located, and counted, before any listing saw them
        session.exec(
            select(MessageLocation.uid).where(
                MessageLocation.folder_id == folder.id, MessageLocation.uid >= min(uids, default=MAX_UID)
            )
        )
    )
    new = [uid for uid in uids if uid not in brought]
    _add_pending(session, folder, new)
    folder.uidnext = max(folder.uidnext, (max(uids, default=0) if hi == MAX_UID else hi) + 1)
    folder.server_count += len(new)
    session.add(folder)


def _add_pending(session: Session, folder: Folder, uids: Iterable[int]) -> None:
    values = [{"folder_id": folder.id, "uid": uid, "tries": 0} for uid in sorted(set(uids))]
    if values:
        session.connection().execute(table_of(PendingUid).insert(), values)


def save_comparison(session: Session, folder: Folder, found: Believe, exists: int) -> int:
    """Forget the UIDs that vanished, make the missing ones pending; return how many vanished."""
    assert folder.id is not None
    forget(session, folder.id, found.vanished)
    _add_pending(session, folder, found.missing)
    folder.server_count = exists
    session.add(folder)
    return len(found.vanished)


def forget(session: Session, folder_id: int, uids: Iterable[int]) -> None:
    """Remove the rows of UIDs; messages stay, marked gone when no other folder has them (settled question 6)."""
    for part in chunks(sorted(set(uids))):
        left = rows(
            session,
            delete(MessageLocation)
            .where(col(MessageLocation.folder_id) == folder_id, col(MessageLocation.uid).in_(part))
            .returning(col(MessageLocation.message_id)),
        )
        for table in (PendingUid, SkippedUid, Quarantined):
            run(session, delete(table).where(col(table.folder_id) == folder_id, col(table.uid).in_(part)))
        mark_gone(session, [row[0] for row in left])


def mark_gone(session: Session, message_ids: Iterable[int]) -> None:
    """Note which of these messages no folder has any more."""
    for part in chunks(sorted(set(message_ids))):
        located = (
            select(MessageLocation.message_id)
            .join(Folder, col(Folder.id) == col(MessageLocation.folder_id))
            .where(col(MessageLocation.message_id).in_(part), col(Folder.gone_at).is_(None))
        )
        run(
            session,
            update(Message)
            .where(col(Message.id).in_(part), col(Message.id).not_in(located), col(Message.gone_at).is_(None))
            .values(gone_at=utcnow())
            .execution_options(synchronize_session=False),
        )
        hidden.settle_messages(session, part)


def save_remap(
    session: Session, folder: Folder, server: Server, listed: Sequence[int], places: Mapping[int, int]
) -> None:
    """Begin a new UIDVALIDITY: `places` maps new UIDs to messages that are stored; the other UIDs are pending.

    Nothing is deleted but rows about the old UIDs. The flags of `places` are to be fetched next.
    """
    before = rows(
        session,
        delete(MessageLocation)
        .where(col(MessageLocation.folder_id) == folder.id)
        .returning(col(MessageLocation.message_id)),
    )
    for table in (PendingUid, SkippedUid, Quarantined):
        run(session, delete(table).where(col(table.folder_id) == folder.id))
    values = [
        {"folder_id": folder.id, "uid": uid, "message_id": places[uid], "seen": False, "flags": ""}
        for uid in listed
        if uid in places
    ]
    if values:
        session.connection().execute(table_of(MessageLocation).insert(), values)
    _add_pending(session, folder, [uid for uid in listed if uid not in places])
    mark_gone(session, {row[0] for row in before} - set(places.values()))
    folder.uidvalidity = server.uidvalidity
    folder.uidnext = server.uidnext or max(listed, default=0) + 1
    folder.highestmodseq, folder.flags_checked_at = server.highestmodseq, utcnow()
    folder.server_count = len(listed)
    folder.phase = "initial"
    session.add(folder)


def located_messages(session: Session, folder_id: int) -> list[tuple[int, str, int]]:
    """Return (message id, Message-ID, size) of what was in a folder and has a Message-ID."""
    return [
        (row[0], row[1], row[2])
        for row in rows(
            session,
            select(Message.id, Message.rfc_message_id, Message.size)  # type: ignore[arg-type]
            .join(MessageLocation, col(MessageLocation.message_id) == col(Message.id))
            .where(MessageLocation.folder_id == folder_id, col(Message.rfc_message_id).is_not(None)),
        )
    ]


def save_flags(session: Session, folder: Folder, flags: Mapping[int, frozenset[str]]) -> set[int]:
    """Write the flags that changed; a message is read when its changed location is. Returns the messages touched."""
    touched: dict[int, bool] = {}
    for part in chunks(sorted(flags)):
        for location in session.exec(
            select(MessageLocation).where(MessageLocation.folder_id == folder.id, col(MessageLocation.uid).in_(part))
        ):
            spelled = spell(flags[location.uid])
            if spelled != location.flags:
                seen = "\\Seen" in flags[location.uid]
                if seen != location.seen:
                    touched[location.message_id] = seen
                location.flags, location.seen = spelled, seen
                session.add(location)
    session.flush()
    # What was read here and is not written back yet holds until it is: no flicker; then the server's word counts again.
    for message_id in writeback.waits_for(session, list(touched), FLAG_ACTS):
        del touched[message_id]
    for seen in (True, False):
        for part in chunks(sorted(i for i, read in touched.items() if read == seen)):
            run(session, update(Message).where(col(Message.id).in_(part)).values(read=seen))
    _refresh(session, touched)
    return set(touched)


def _refresh(session: Session, message_ids: Iterable[int]) -> None:
    threads: set[int] = set()
    for part in chunks(sorted(set(message_ids))):
        threads.update(row[0] for row in rows(session, select(Message.thread_id).where(col(Message.id).in_(part))))
    refresh_threads(session, threads)


def spell(flags: Iterable[str]) -> str:
    """Return flags as they are stored: one line, in order, of what SQL can hold."""
    return " ".join(sorted(flag for flag in flags if _storable(flag)))[:2000]


def save_batch(session: Session, owner: store.Owner, folder: Folder, outcomes: Sequence[Outcome]) -> int:
    """Move UIDs out of pending, each to what became of it; return how many messages are new here.

    UIDs that are not pending any more are left alone, so that applying a batch twice changes nothing.
    """
    assert folder.id is not None
    pending = {
        row[0]
        for part in chunks([outcome.uid for outcome in outcomes])
        for row in rows(
            session,
            select(PendingUid.uid).where(PendingUid.folder_id == folder.id, col(PendingUid.uid).in_(part)),
        )
    }
    todo = {outcome.uid: outcome for outcome in outcomes if outcome.uid in pending}
    stored = [outcome for outcome in todo.values() if isinstance(outcome, Stored)]
    before = store.find(session, owner.mailbox_id, [outcome.sha for outcome in stored])
    own = _sent_by_us(session, owner, folder, stored)
    ids = store.store(session, owner, [_incoming(owner, folder, o) for o in stored if o.uid not in own])
    places = {outcome.uid: own.get(outcome.uid) or ids[outcome.sha] for outcome in stored}
    if stored:
        session.connection().execute(
            table_of(MessageLocation).insert(),
            [
                {
                    "folder_id": folder.id,
                    "uid": outcome.uid,
                    "message_id": places[outcome.uid],
                    "seen": "\\Seen" in outcome.flags,
                    "flags": spell(outcome.flags),
                }
                for outcome in stored
            ],
        )
    _found_again(session, folder, {places[o.uid] for o in stored if o.sha in before or o.uid in own})
    _save_others(session, folder, list(todo.values()))
    for part in chunks(sorted(todo)):
        run(session, delete(PendingUid).where(col(PendingUid.folder_id) == folder.id, col(PendingUid.uid).in_(part)))
    folder.server_count -= sum(isinstance(outcome, Gone) for outcome in todo.values())
    session.add(folder)
    return len({o.sha for o in stored if o.uid not in own} - set(before))


def _save_others(session: Session, folder: Folder, outcomes: Sequence[Outcome]) -> None:
    now = utcnow()
    skipped: list[dict[str, Any]] = [
        {"folder_id": folder.id, "uid": o.uid, "reason": o.reason} for o in outcomes if isinstance(o, Skipped)
    ]
    if skipped:
        session.connection().execute(table_of(SkippedUid).insert(), skipped)
    poison = [o for o in outcomes if isinstance(o, Poison)]
    store.save_blobs(session, {o.sha: o.size for o in poison if o.sha})
    if poison:
        session.connection().execute(
            table_of(Quarantined).insert(),
            [
                {"folder_id": folder.id, "uid": o.uid, "blob_sha": o.sha, "reason": o.reason[:500],
                 "reason_params": dict(o.params), "version": __version__, "tries": 1, "created_at": now, "tried_at": now}
                for o in poison
            ],
        )  # fmt: skip


def _incoming(owner: store.Owner, folder: Folder, outcome: Stored) -> store.Incoming:
    outgoing = is_outgoing(owner, folder.role, outcome.parsed)
    return store.Incoming(
        sha=outcome.sha,
        size=outcome.size,
        parsed=outcome.parsed,
        received_at=outcome.received_at,
        direction="out" if outgoing else "in",
        read=outgoing or "\\Seen" in outcome.flags,
        archived=folder.role == "archive",
    )


def is_outgoing(owner: store.Owner, role: str, parsed: ParsedMessage) -> bool:
    """Tell whether the mailbox's user sent a message. What comes to the INBOX did not, whoever it says it is from."""
    if role in ("sent", "drafts"):
        return True
    if role in ("inbox", "junk"):
        return False
    return any(address.address.lower() in owner.addresses for address in parsed.from_)


def _sent_by_us(session: Session, owner: store.Owner, folder: Folder, stored: Sequence[Stored]) -> dict[int, int]:
    """Return the messages, by UID, that our outbox sent and a server filed in its own words (other bytes)."""
    if folder.role == "inbox":  # mail to oneself is a message of its own there
        return {}
    by_id = {o.parsed.rfc_message_id: o.uid for o in stored if o.parsed.rfc_message_id}
    found: dict[int, int] = {}
    for part in chunks(sorted(by_id)):
        for rfc_message_id, message_id in rows(
            session,
            select(Outbox.rfc_message_id, Outbox.message_id).where(
                Outbox.mailbox_id == owner.mailbox_id,
                col(Outbox.rfc_message_id).in_(part),
                col(Outbox.message_id).is_not(None),
            ),
        ):
            found[by_id[rfc_message_id]] = message_id
    return found


def _found_again(session: Session, folder: Folder, message_ids: Iterable[int]) -> None:
    """A stored message turned up in this folder: it is not gone, and lies where the user moved it."""
    values: dict[str, Any] = {"gone_at": None}
    if folder.role in ("inbox", "archive"):
        values["archived"] = folder.role == "archive"
    for part in chunks(sorted(set(message_ids))):
        run(session, update(Message).where(col(Message.id).in_(part)).values(**values))
        hidden.settle_messages(session, part)
