"""Mends what `differ.py` found in one folder, under the mailbox's lease, after looking at each of it once more.

| found      | looked at again                           | mended by                                             |
|------------|-------------------------------------------|-------------------------------------------------------|
| missing    | the server has it, no row has             | pending: the next pass fetches it                     |
| surplus    | a row has it, the server has not          | its rows are removed, the message stays (rule 6)      |
| twice      | several tables have it                    | the row that says most stays: stored first            |
| wrong      | the place still names the other message   | pending: found again by its bytes, or stored          |
| unreadable | the bytes still can't be read             | the server's bytes, when they are the same; else wrong |
| odd rows   | (the bytes said so)                       | size and Message-ID of the row                        |
| gone       | a place is here                           | the mark is taken off                                 |
| cursor     | it stands beyond the server's end         | put back to the end                                   |

Surplus is believed as a pass believes it: the listing must agree with the server's own count, many at once only when a
fresh connection says the same, and a folder that seems to have lost everything never here. Finds nothing by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager

from sqlalchemy import delete, update
from sqlmodel import Session, col, func

from mailcrm.models import Folder, Message, MessageLocation, PendingUid, Quarantined, SkippedUid, utcnow
from mailcrm.services.mail import blobs
from mailcrm.services.mail.imap.client import RemoteMessage
from mailcrm.services.mail.remote import MailConnection
from mailcrm.services.mail.sync import apply, fetch, homes
from mailcrm.services.mail.sync.differ import TABLES, Differences
from mailcrm.services.mail.sync.plan import MASS, MASS_SHARE
from mailcrm.services.rows import chunks, pick, rows, run, scalar, table_of

Writing = Callable[[], AbstractContextManager[Session]]
Connect = Callable[[], MailConnection]
#: What was found and what is mended, by kind (findings.py says them in words).
Tally = dict[str, tuple[int, int]]


def mend(
    connection: MailConnection, folder_id: int, name: str, found: Differences, writing: Writing, reconnect: Connect
) -> Tally:
    """Mend a folder; return what was really different and how much of it is mended. The caller holds the lease."""
    server = connection.examine(name)
    if server.uidvalidity != found.uidvalidity:
        return {"renewed": (1, 0)}
    tally: Tally = {}
    missing = _there(connection, found.missing)
    surplus = sorted(set(found.surplus) - set(_there(connection, found.surplus)))
    believed = _believed(surplus, found, name, reconnect)
    readable = _refetch(connection, found.unreadable, writing)
    changed = [uid for uid in found.unreadable if uid not in readable and uid not in found.wrong]
    with writing() as session:
        folder = session.get_one(Folder, folder_id)
        if folder.uidvalidity != found.uidvalidity:
            return {"renewed": (1, 0)}
        _note(tally, "twice", _keep_one(session, folder_id, found.twice))
        here = _known(session, folder_id, [*missing, *surplus])
        _note(tally, "missing", _make_pending(session, folder_id, [uid for uid in missing if uid not in here]))
        left = [uid for uid in surplus if uid in here]
        if believed:
            apply.forget(session, folder_id, left)
        _note(tally, "surplus", len(left), len(left) if believed else 0)
        _note(tally, "wrong", _fetch_again(session, folder_id, found.wrong) + _odd_rows(session, found.odd_rows))
        _note(tally, "unreadable", len(found.unreadable), len(readable) + _fetch_again(session, folder_id, changed))
        _note(tally, "gone", _not_gone(session, folder_id))
        _note(tally, "cursor", _set_cursor(session, folder, found.uidnext))
        folder.server_count = _count(session, folder_id)  # what came after the cursor is counted when it is listed
        folder.verified_at, folder.verify_mended = utcnow(), sum(done for _, done in tally.values())
        session.add(folder)
    if left and not believed:
        tally["doubtful"] = (1, 0)
    return tally


def _note(tally: Tally, kind: str, count: int, mended: int | None = None) -> None:
    if count:
        tally[kind] = (count, count if mended is None else mended)


def _there(connection: MailConnection, uids: Sequence[int]) -> list[int]:
    """Return which of these UIDs the server answers for."""
    return sorted(connection.fetch_meta(uids)) if uids else []


def _believed(surplus: Sequence[int], found: Differences, name: str, reconnect: Connect) -> bool:
    if not surplus:
        return True
    if found.listed != found.exists or not found.listed:
        return found.listed == found.exists and len(surplus) <= MASS  # an emptied small folder, as a pass believes it
    if len(surplus) > MASS and len(surplus) > MASS_SHARE * found.known:
        with reconnect() as fresh:
            fresh.examine(name)
            return not _there(fresh, surplus)
    return True


def _refetch(connection: MailConnection, unreadable: dict[int, str], writing: Writing) -> set[int]:
    """Put the server's bytes in the place of those that can't be read; return the UIDs that are whole again."""
    done: set[int] = set()
    if not unreadable:
        return done
    meta = connection.fetch_meta(unreadable)
    for part in fetch.batches(meta, None):
        for item in connection.fetch_raw(part, meta=meta):
            if isinstance(item, RemoteMessage) and blobs.digest(item.raw) == unreadable[item.uid]:
                with writing() as session:
                    blobs.drop_damaged(session, unreadable[item.uid])
                blobs.put(item.raw)
                done.add(item.uid)
    return done


def _known(session: Session, folder_id: int, uids: Iterable[int]) -> set[int]:
    found: set[int] = set()
    for part in chunks(sorted(set(uids))):
        for table in TABLES:
            statement = pick(table.uid).where(col(table.folder_id) == folder_id, col(table.uid).in_(part))
            found.update(row[0] for row in rows(session, statement))
    return found


def _make_pending(session: Session, folder_id: int, uids: Iterable[int]) -> int:
    values = [{"folder_id": folder_id, "uid": uid, "tries": 0} for uid in sorted(set(uids))]
    if values:
        session.connection().execute(table_of(PendingUid).insert(), values)
    return len(values)


def _keep_one(session: Session, folder_id: int, uids: Sequence[int]) -> int:
    """Leave each UID in one table: where it is stored, else in quarantine, else skipped; pending says least."""
    done = 0
    order = (MessageLocation, Quarantined, SkippedUid, PendingUid)
    for part in chunks(uids):
        taken: set[int] = set()
        for table in order:
            which = (col(table.folder_id) == folder_id, col(table.uid).in_(part))
            if taken:
                extra = delete(table).where(col(table.folder_id) == folder_id, col(table.uid).in_(sorted(taken)))
                done += run(session, extra).rowcount
            taken.update(row[0] for row in rows(session, pick(table.uid).where(*which)))
    return done


def _fetch_again(session: Session, folder_id: int, uids: Iterable[int]) -> int:
    """Take a UID from the message it does not belong to, or whose bytes are lost, and have it fetched."""
    taken: list[int] = []
    left: list[int] = []
    for part in chunks(sorted(set(uids))):
        removed = rows(
            session,
            delete(MessageLocation)
            .where(col(MessageLocation.folder_id) == folder_id, col(MessageLocation.uid).in_(part))
            .returning(col(MessageLocation.uid), col(MessageLocation.message_id)),
        )
        taken += [row[0] for row in removed]
        left += [row[1] for row in removed]
    for part in chunks(left):  # by their names they would be taken for stored again (identify.py)
        run(session, update(Message).where(col(Message.id).in_(part)).values(remote_id=None))
    _make_pending(session, folder_id, taken)
    homes.lose(session, left)
    return len(taken)


def _odd_rows(session: Session, odd: dict[int, tuple[int, str | None]]) -> int:
    for message_id, (size, rfc_message_id) in odd.items():
        right = {"size": size, "rfc_message_id": rfc_message_id}
        run(session, update(Message).where(col(Message.id) == message_id).values(**right))
    return len(odd)


def _not_gone(session: Session, folder_id: int) -> int:
    located = pick(MessageLocation.message_id).where(col(MessageLocation.folder_id) == folder_id)
    statement = update(Message).where(col(Message.gone_at).is_not(None), col(Message.id).in_(located))
    return run(session, statement.values(gone_at=None, lost_at=None)).rowcount


def _count(session: Session, folder_id: int) -> int:
    return sum(
        scalar(session, pick(func.count()).select_from(table).where(col(table.folder_id) == folder_id))
        for table in TABLES
    )


def _set_cursor(session: Session, folder: Folder, uidnext: int | None) -> int:
    if uidnext is None or folder.uidnext <= uidnext:
        return 0
    folder.uidnext = uidnext
    session.add(folder)
    return 1
