"""Writes what a pass found: listings, comparisons, and batches of messages.

Folders are written by `folder_rows.py`, flags by `states.py`, what is lost, found again and gone by `homes.py`.
Every function works inside the caller's transaction and never commits. The invariant they keep together: each UID of
a folder that the server listed under the current UIDVALIDITY has exactly one row in `pending_uids`,
`message_locations`, `skipped_uids` or `quarantine`; the cursor (`uidnext`) moves only with these rows (rule 7).
No network, no parsing: `engine.py` and `fetch.py` bring the values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Integer, bindparam, delete, func, or_, union_all, update
from sqlmodel import Session, col, select

from mailcrm import __version__
from mailcrm.models import (
    Folder,
    Message,
    MessageLocation,
    Outbox,
    PendingUid,
    Quarantined,
    SkippedUid,
)
from mailcrm.models.base import utcnow
from mailcrm.services.mail import junk, store
from mailcrm.services.mail.parse.values import ParsedMessage
from mailcrm.services.mail.sync import homes, states
from mailcrm.services.mail.sync.cursor import MAX_UID, Cursor, Server
from mailcrm.services.mail.sync.folder_rows import NOT_SYNCED, save_folders
from mailcrm.services.mail.sync.plan import Believe, among
from mailcrm.services.mail.sync.values import (
    Found,
    Gone,
    Located,
    Outcome,
    Poison,
    Skipped,
    Stored,
    spell,
    spell_labels,
)
from mailcrm.services.rows import chunks, insert_many, is_one_of, pick, rows, run, table_of

DOUBT_EMPTY = "sync.doubt_empty"
FEW = 5_000  # UIDs that are looked up one by one rather than by reading all of a folder's

_TABLES = (MessageLocation, PendingUid, SkippedUid, Quarantined)
_OF_FOLDER = bindparam("folder", type_=Integer)
#: Asked for every folder that is looked at closely: made once, and one statement for the four tables.
_COUNTS = pick(*(
    pick(func.count()).select_from(table).where(col(table.folder_id) == _OF_FOLDER).scalar_subquery()
    for table in _TABLES
))  # fmt: skip
_UIDS_FROM = union_all(*(
    pick(table.uid).where(col(table.folder_id) == _OF_FOLDER, col(table.uid) >= bindparam("low", type_=Integer)) for table in _TABLES
))  # fmt: skip


def load_cursor(session: Session, folder: Folder, *, trusting: bool = False) -> Cursor:
    """Return where the folder stands, counted from its rows.

    `trusting` takes `server_count` for the count, which costs nothing in a folder of 100,000: every transaction keeps
    the two equal, but for a doubt, which is counted. Good enough to see that nothing changed; not to remove anything.
    """
    if trusting and not folder.error_code:
        known = folder.server_count
    else:
        known = sum(rows(session, _COUNTS, {"folder": folder.id})[0])
    return Cursor(
        uidvalidity=folder.uidvalidity,
        uidnext=folder.uidnext,
        highestmodseq=folder.highestmodseq,
        known=known,
        suspicious=folder.error_code == DOUBT_EMPTY,
        flags_checked_at=folder.flags_checked_at,
        flags_below=folder.flags_below,
        flags_round_at=folder.flags_round_at,
    )


def known_uids(session: Session, folder_id: int) -> set[int]:
    """Return every UID that has a row."""
    out: set[int] = set()
    for table in _TABLES:
        out.update(session.exec(select(table.uid).where(table.folder_id == folder_id)))
    return out


def known_among(session: Session, folder_id: int, ranges: Sequence[tuple[int, int]]) -> list[int]:
    """Return the UIDs in these ranges that have a row; the ranges are a server's word and may be anything."""
    if sum(hi - lo + 1 for lo, hi in ranges) > FEW:
        return among(known_uids(session, folder_id), ranges)
    out: set[int] = set()
    for part in chunks(sorted({uid for lo, hi in ranges for uid in range(lo, hi + 1)})):
        for table in _TABLES:
            out.update(session.exec(select(table.uid).where(table.folder_id == folder_id, col(table.uid).in_(part))))
    return sorted(out)


def settle_counts(session: Session, folder: Folder, server: Server) -> None:
    """Note that rows and server agree on how many messages there are."""
    folder.server_count = server.exists
    if server.highestmodseq is None:
        folder.highestmodseq = None
    session.add(folder)


def save_remote_id(session: Session, folder: Folder, remote_id: str) -> None:
    """Note the server's own name for the folder (MAILBOXID)."""
    if folder.remote_id != remote_id:
        folder.remote_id = remote_id
        session.add(folder)


def save_listing(session: Session, folder: Folder, hi: int, uids: Sequence[int]) -> None:
    """Make new UIDs pending and move the cursor past `hi`, in one."""
    # Known, and counted, before any listing saw them: by a move of ours (writeback/settle.py), by `save_head`.
    low = min(uids, default=MAX_UID)
    known = {row.uid for row in rows(session, _UIDS_FROM, {"folder": folder.id, "low": low})}
    new = [uid for uid in uids if uid not in known]
    _add_pending(session, folder, new)
    folder.uidnext = max(folder.uidnext, (max(uids, default=0) if hi == MAX_UID else hi) + 1)
    folder.server_count += len(new)
    session.add(folder)


def _add_pending(session: Session, folder: Folder, uids: Iterable[int]) -> None:
    values = [{"folder_id": folder.id, "uid": uid, "tries": 0} for uid in sorted(set(uids))]
    insert_many(session, PendingUid, values)


def save_comparison(session: Session, folder: Folder, found: Believe, exists: int) -> int:
    """Forget the UIDs that vanished, make the missing ones pending; return how many vanished."""
    assert folder.id is not None
    forget(session, folder.id, found.vanished)
    _add_pending(session, folder, found.missing)
    folder.server_count = exists
    session.add(folder)
    return len(found.vanished)


def pass_by(session: Session, folder: Folder, server: Server, listed: Iterable[int]) -> None:
    """Move the cursor behind a listing of the whole folder: all of it has its rows now."""
    folder.uidnext = max(folder.uidnext, server.uidnext or max(listed, default=0) + 1)
    session.add(folder)


def forget(session: Session, folder_id: int, uids: Iterable[int]) -> None:
    """Remove the rows of UIDs; messages stay, noted as lost when no other folder has them (settled question 6)."""
    role = session.get_one(Folder, folder_id).role
    for part in chunks(sorted(set(uids))):
        left = rows(
            session,
            delete(MessageLocation)
            .where(col(MessageLocation.folder_id) == folder_id, col(MessageLocation.uid).in_(part))
            .returning(col(MessageLocation.message_id)),
        )
        for table in (PendingUid, SkippedUid, Quarantined):
            run(session, delete(table).where(col(table.folder_id) == folder_id, col(table.uid).in_(part)))
        homes.lose(session, [row[0] for row in left], role=role)


def save_remap(
    session: Session, folder: Folder, server: Server, listed: Sequence[int], places: Mapping[int, int]
) -> None:
    """Begin a new UIDVALIDITY: `places` maps new UIDs to messages that are stored; the other UIDs are pending.

    Nothing is deleted but rows about the old UIDs. The flags of `places` are the caller's to save with it.
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
    homes.lose(session, {row[0] for row in before} - set(places.values()), role=folder.role)
    homes.find_again(session, folder, set(places.values()))
    folder.uidvalidity = server.uidvalidity
    folder.uidnext = server.uidnext or max(listed, default=0) + 1
    folder.highestmodseq, folder.flags_checked_at = server.highestmodseq, utcnow()
    folder.flags_below, folder.flags_round_at = None, utcnow()  # each message's flags are fetched with it
    folder.server_count = len(listed)
    folder.phase = "initial"
    session.add(folder)


def save_head(session: Session, folder: Folder, server: Server, uids: Sequence[int]) -> None:
    """Begin a folder with its newest UIDs; the cursor stays before them, so that all are listed later."""
    save_remap(session, folder, server, uids, {})
    folder.uidnext = 1


def located_messages(session: Session, folder_id: int) -> list[Located]:
    """Return what was in a folder and can be recognised under another UID."""
    known = or_(col(Message.rfc_message_id).is_not(None), col(Message.remote_id).is_not(None))
    statement = (
        pick(Message.id, Message.rfc_message_id, Message.size, Message.remote_id, Message.received_at)
        .join(MessageLocation, col(MessageLocation.message_id) == col(Message.id))
        .where(col(MessageLocation.folder_id) == folder_id, known)
    )
    return [Located(*row) for row in rows(session, statement)]


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
            select(PendingUid.uid).where(
                PendingUid.folder_id == folder.id, is_one_of(session, col(PendingUid.uid), part)
            ),
        )
    }
    todo = {outcome.uid: outcome for outcome in outcomes if outcome.uid in pending}
    stored = [outcome for outcome in todo.values() if isinstance(outcome, Stored)]
    found = [outcome for outcome in todo.values() if isinstance(outcome, Found)]
    before = store.find(session, owner.mailbox_id, [outcome.sha for outcome in stored])
    own = _sent_by_us(session, owner, folder, stored)
    ids = store.store(session, owner, [_incoming(owner, folder, o) for o in stored if o.uid not in own], known=before)
    places = {outcome.uid: own.get(outcome.uid) or ids[outcome.sha] for outcome in stored}
    places |= {outcome.uid: outcome.message_id for outcome in found}
    located = [*stored, *found]
    insert_many(
        session,
        MessageLocation,
        [
            {
                "folder_id": folder.id,
                "uid": outcome.uid,
                "message_id": places[outcome.uid],
                "seen": "\\Seen" in outcome.flags,
                "flags": spell(outcome.flags),
                "labels": spell_labels(outcome.labels),
            }
            for outcome in located
        ],
    )
    again = [o for o in stored if o.sha in before or o.uid in own]
    homes.find_again(session, folder, {places[o.uid] for o in (*again, *found)})
    _name(session, {places[o.uid]: o.remote_id for o in again if o.remote_id})
    _save_others(session, folder, list(todo.values()))
    for part in chunks(sorted(todo)):
        gone = is_one_of(session, col(PendingUid.uid), part)
        run(session, delete(PendingUid).where(col(PendingUid.folder_id) == folder.id, gone))
    folder.server_count -= sum(isinstance(outcome, Gone) for outcome in todo.values())
    session.add(folder)
    return len({o.sha for o in stored if o.uid not in own} - set(before))


def _name(session: Session, remote_ids: Mapping[int, str]) -> None:
    """Keep the server's own ids of messages that were stored without one."""
    for message_id, remote_id in sorted(remote_ids.items()):
        unnamed = col(Message.remote_id).is_(None)
        run(session, update(Message).where(col(Message.id) == message_id, unnamed).values(remote_id=remote_id))


def _save_others(session: Session, folder: Folder, outcomes: Sequence[Outcome]) -> None:
    now = utcnow()
    skipped: list[dict[str, Any]] = [
        {"folder_id": folder.id, "uid": o.uid, "reason": o.reason} for o in outcomes if isinstance(o, Skipped)
    ]
    if skipped:
        session.connection().execute(table_of(SkippedUid).insert(), skipped)
    poison = [o for o in outcomes if isinstance(o, Poison)]
    store.save_blobs(
        session, {o.sha: o.size for o in poison if o.sha}, {o.sha: o.place for o in poison if o.sha and o.place}
    )
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
        archived=folder.role == "archive" or (folder.role == "all" and not outgoing and _is_filed(outcome.labels)),
        junk=folder.role == junk.ROLE,
        remote_id=outcome.remote_id,
        place=outcome.place,
        words=outcome.words,
    )


def _is_filed(labels: tuple[str, ...] | None) -> bool:
    """Gmail: archived is what lies in All Mail and not in the INBOX."""
    return labels is not None and states.INBOX_LABEL not in labels


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
    # Whoever got our mail knows its Message-ID, and may answer under it: that is no copy of ours.
    mine = [o for o in stored if is_outgoing(owner, folder.role, o.parsed)]
    by_id = {o.parsed.rfc_message_id: o.uid for o in mine if o.parsed.rfc_message_id}
    found: dict[int, int] = {}
    for part in chunks(sorted(by_id)):
        for rfc_message_id, message_id in rows(
            session,
            select(Outbox.rfc_message_id, Outbox.message_id).where(
                Outbox.mailbox_id == owner.mailbox_id,
                is_one_of(session, col(Outbox.rfc_message_id), part),
                col(Outbox.message_id).is_not(None),
            ),
        ):
            found[by_id[rfc_message_id]] = message_id
    return found


__all__ = [
    "NOT_SYNCED",
    "Found",
    "Gone",
    "Outcome",
    "Poison",
    "Skipped",
    "Stored",
    "save_folders",
]
