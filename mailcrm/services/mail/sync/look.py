"""Looks at one folder on the server and does what `plan.py` says: listings, comparisons, flags. No bodies.

Asks the network first, then writes in short transactions. A listing that can't be believed is `Doubtful`: nothing is
changed, and the folder's ledger says why.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlmodel import Session, col, select

from mailcrm.errors import TransientError
from mailcrm.models import Folder, MessageLocation
from mailcrm.models.base import utcnow
from mailcrm.services.db import reading
from mailcrm.services.mail.imap.client import FolderStatus, ImapConnection
from mailcrm.services.mail.parse.headers import message_id
from mailcrm.services.mail.sync import apply
from mailcrm.services.mail.sync.cursor import Cursor, Server, end_of
from mailcrm.services.mail.sync.plan import (
    Compare,
    Doubt,
    Flags,
    ListNew,
    Remap,
    after_listing,
    judge,
    steps,
    windows,
)

Writing = Callable[[], AbstractContextManager[Session]]
Connect = Callable[[], ImapConnection]


class Doubtful(TransientError):
    """A listing disagrees with what is known; look again later. `exists` is the server's own count."""

    def __init__(self, reason: str, folder: str, exists: int) -> None:
        super().__init__(f"sync.doubt_{reason}", folder=folder)
        self.exists = exists


def look_at(connection: ImapConnection, folder_id: int, name: str, writing: Writing, reconnect: Connect) -> int:
    """Bring what is known of a folder's UIDs and flags up to date; return how many UIDs vanished.

    An unchanged folder costs one STATUS. Leaves the folder opened when it had to look closer.
    Raises Doubtful, PermanentError `imap.folder_missing`, and what the connection raises.
    """
    with reading() as session:
        cursor = _cursor(session, folder_id)
    if cursor.uidvalidity is not None and not steps(cursor, _server(connection.status(name)), utcnow()):
        return 0
    server = _server(connection.examine(name))
    vanished = 0
    for step in steps(cursor, server, utcnow()):
        match step:
            case Remap():
                _remap(connection, folder_id, name, server, writing)
            case ListNew(lo, hi):
                for first, last in windows(lo, hi, server.exists):
                    uids = connection.list_uids(first, last)
                    with writing() as session:
                        apply.save_listing(session, session.get_one(Folder, folder_id), last, uids)
                with reading() as session:
                    known = _cursor(session, folder_id).known
                if after_listing(known, server):
                    vanished += _compare(connection, folder_id, name, writing, reconnect)
            case Compare():
                vanished += _compare(connection, folder_id, name, writing, reconnect)
            case Flags():
                _flags(connection, folder_id, step, server, writing)
    return vanished


def _cursor(session: Session, folder_id: int) -> Cursor:
    return apply.load_cursor(session, session.get_one(Folder, folder_id))


def _server(status: FolderStatus) -> Server:
    return Server(status.uidvalidity, status.uidnext, status.exists, status.highestmodseq)


def _list(connection: ImapConnection, server: Server) -> list[int]:
    return [uid for lo, hi in windows(1, end_of(server), server.exists) for uid in connection.list_uids(lo, hi)]


def _remap(connection: ImapConnection, folder_id: int, name: str, server: Server, writing: Writing) -> None:
    listed = _list(connection, server)
    if len(listed) != server.exists:  # a message came or went between the two answers: once more
        server = _server(connection.examine(name))
        listed = _list(connection, server)
        if len(listed) != server.exists:
            raise Doubtful("count", name, server.exists)
    with reading() as session:
        stored = apply.located_messages(session, folder_id)
    places = _match(connection, stored, listed) if stored else {}
    with writing() as session:
        apply.save_remap(session, session.get_one(Folder, folder_id), server, listed, places)
    if places:
        flags = connection.fetch_flags(places)
        with writing() as session:
            apply.save_flags(session, session.get_one(Folder, folder_id), flags)


def _match(connection: ImapConnection, stored: list[tuple[int, str, int]], listed: list[int]) -> dict[int, int]:
    """Find stored messages under their new UIDs by Message-ID and size; each stored message is found once."""
    waiting: dict[tuple[str, int], list[int]] = defaultdict(list)
    for stored_id, rfc_message_id, size in sorted(stored, reverse=True):
        waiting[rfc_message_id, size].append(stored_id)
    places: dict[int, int] = {}
    for start in range(0, len(listed), 1000):
        part = listed[start : start + 1000]
        sizes = connection.fetch_meta(part)
        for uid, header in sorted(connection.fetch_message_ids(part).items()):
            _, _, value = header.partition(b":")
            found = message_id(value.strip())
            candidates = waiting.get((found, sizes[uid].size)) if found and uid in sizes else None
            if candidates:
                places[uid] = candidates.pop()
    return places


def _compare(connection: ImapConnection, folder_id: int, name: str, writing: Writing, reconnect: Connect) -> int:
    with reading() as session:
        # Read before the listing: what is stored meanwhile must not be taken for vanished (Mailspring's rule).
        known = apply.known_uids(session, folder_id)
        suspicious = _cursor(session, folder_id).suspicious
    server = _server(connection.examine(name))
    verdict = judge(known, set(_list(connection, server)), server.exists, confirmed=False, suspicious=suspicious)
    if isinstance(verdict, Doubt) and verdict.again:
        with reconnect() as fresh:
            server = _server(fresh.examine(name))
            listed = set(_list(fresh, server))
        verdict = judge(known, listed, server.exists, confirmed=True, suspicious=suspicious)
    if isinstance(verdict, Doubt):
        raise Doubtful(verdict.reason, name, server.exists)
    with writing() as session:
        return apply.save_comparison(session, session.get_one(Folder, folder_id), verdict, server.exists)


def _flags(connection: ImapConnection, folder_id: int, step: Flags, server: Server, writing: Writing) -> None:
    if step.since is not None:
        flags = connection.fetch_changed_flags(step.since)
    else:
        with reading() as session:
            newest = (
                select(MessageLocation.uid)
                .where(MessageLocation.folder_id == folder_id)
                .order_by(col(MessageLocation.uid).desc())
            )
            uids = session.exec(newest if step.newest is None else newest.limit(step.newest)).all()
        flags = connection.fetch_flags(uids)
    with writing() as session:
        folder = session.get_one(Folder, folder_id)
        apply.save_flags(session, folder, flags)
        folder.highestmodseq, folder.flags_checked_at = server.highestmodseq, utcnow()
        session.add(folder)
