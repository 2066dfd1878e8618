"""Looks at one folder on the server and does what `plan.py` says: listings, comparisons, changes, flags. No bodies.

Asks the network first, then writes in short transactions. A listing that can't be believed is `Doubtful`: nothing is
changed, and the folder's ledger says why. An unchanged folder costs nothing when its counts came with the listing of
folders (`survey.py`), else one STATUS.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from sqlmodel import Session, select

from mailcrm.errors import TransientError
from mailcrm.models import Folder
from mailcrm.models.base import utcnow
from mailcrm.services.db import reading
from mailcrm.services.mail.imap.client import Changes, FolderStatus, RemoteMeta, State
from mailcrm.services.mail.parse.headers import message_id
from mailcrm.services.mail.remote import MailConnection
from mailcrm.services.mail.sync import apply, states
from mailcrm.services.mail.sync import plan as planning
from mailcrm.services.mail.sync.cursor import Cursor, Server, end_of
from mailcrm.services.mail.sync.identify import same
from mailcrm.services.mail.sync.plan import Compare, Doubt, Flags, ListNew, Remap, Round, after_listing, judge, windows

Writing = Callable[[], AbstractContextManager[Session]]
Connect = Callable[[], MailConnection]


class Doubtful(TransientError):
    """A listing disagrees with what is known; look again later. `exists` is the server's own count."""

    def __init__(self, reason: str, folder: str, exists: int) -> None:
        super().__init__(f"sync.doubt_{reason}", folder=folder)
        self.exists = exists


def unchanged(mailbox_id: int, statuses: Mapping[int, FolderStatus]) -> set[int]:
    """Return the folders of which `statuses` say that nothing is to be done; one query for all of them."""
    now = utcnow()
    same: set[int] = set()
    with reading() as session:
        sound = select(Folder).where(Folder.mailbox_id == mailbox_id, Folder.error_code == "")
        for folder in session.exec(sound):
            status = statuses.get(folder.id or 0)
            if status is not None and folder.uidvalidity is not None:
                cursor = apply.load_cursor(session, folder, trusting=True)
                if not planning.steps(cursor, _server(status), now):
                    same.add(folder.id or 0)
    return same


def look_at(
    connection: MailConnection,
    folder_id: int,
    name: str,
    writing: Writing,
    reconnect: Connect,
    status: FolderStatus | None = None,
    found: FolderStatus | None = None,
) -> int:
    """Bring what is known of a folder's UIDs and flags up to date; return how many UIDs vanished.

    `status` is what the server just said of the folder; else it is asked. `found` is what it said as it opened the
    folder, when it is open still. Leaves the folder opened when it had to look closer. Raises Doubtful,
    PermanentError `imap.folder_missing`, and what the connection raises.
    """
    with reading() as session:
        folder = session.get_one(Folder, folder_id)
        opened = folder.uidvalidity is not None
        cursor = apply.load_cursor(session, folder, trusting=True)
    if opened:
        status = status or connection.status(name)
        if not planning.steps(cursor, _server(status), utcnow()):
            return 0
    elif status is not None and found is None and _is_empty(status):
        with writing() as session:  # nothing to list, and nothing to fetch: it need not be opened
            folder = session.get_one(Folder, folder_id)
            apply.save_remap(session, folder, _server(status), (), {})
            if status.remote_id:
                apply.save_remote_id(session, folder, status.remote_id)
        return 0
    with reading() as session:
        cursor = _cursor(session, folder_id)
    told: Changes | None = None
    if found is None:
        known = planning.resync(cursor, _server(status)) if status and opened else None
        found, told = connection.resync(name, known)
    return _Look(connection, folder_id, name, writing, reconnect, _server(found), told).run(cursor, found)


def take_newest(
    connection: MailConnection, folder_id: int, name: str, count: int, writing: Writing
) -> FolderStatus | None:
    """Make the newest UIDs of a folder that was never opened pending, if it has many more.

    Returns what the server said as it opened the folder, None when there was nothing to do. The cursor stays at the
    beginning: the listing comes later, and meets these UIDs with their rows.
    """
    with reading() as session:
        if session.get_one(Folder, folder_id).uidvalidity is not None:
            return None
    found = connection.examine(name)
    server = _server(found)
    uids = connection.list_newest(server.exists, count) if server.exists > count else []
    if server.uidnext:  # what came since is the listing's to find, like all that is beyond the cursor
        uids = [uid for uid in uids if uid < server.uidnext]
    if not uids or len(uids) > 2 * count:
        return None
    with writing() as session:
        apply.save_head(session, session.get_one(Folder, folder_id), server, uids)
    return found


def _is_empty(status: FolderStatus) -> bool:
    """Whether the server's counts tell all there is to know of the folder."""
    return status.exists == 0 and status.uidnext > 0


def _cursor(session: Session, folder_id: int) -> Cursor:
    return apply.load_cursor(session, session.get_one(Folder, folder_id))


def _server(status: FolderStatus) -> Server:
    return Server(status.uidvalidity, status.uidnext, status.exists, status.highestmodseq)


class _Look:
    """One closer look at an opened folder; `told` is what the server said of changes when it opened it."""

    def __init__(
        self,
        connection: MailConnection,
        folder_id: int,
        name: str,
        writing: Writing,
        reconnect: Connect,
        server: Server,
        told: Changes | None,
    ) -> None:
        self.connection, self.folder_id, self.name = connection, folder_id, name
        self.writing, self.reconnect, self.server, self.told = writing, reconnect, server, told
        self.vanished = 0

    def run(self, cursor: Cursor, found: FolderStatus) -> int:
        """Do the plan's steps in their order; return how many UIDs vanished."""
        todo = planning.steps(cursor, self.server, utcnow())
        for step in todo:
            match step:
                case Remap():
                    self.remap()
                case ListNew(lo, hi):
                    self.list_new(lo, hi)
                case planning.Changes(since):
                    self.changes(cursor, since)
                case Flags(newest):
                    self.flags(newest)
                case Round(below):
                    self.round(cursor, below)
                case Compare():
                    pass  # below: what vanished may have settled it
        if not any(isinstance(step, Remap) for step in todo):
            if after_listing(self.known(), self.server):
                self.compare()
            else:
                with self.writing() as session:
                    apply.settle_counts(session, session.get_one(Folder, self.folder_id), self.server)
        if found.remote_id:
            with self.writing() as session:
                apply.save_remote_id(session, session.get_one(Folder, self.folder_id), found.remote_id)
        return self.vanished

    def known(self) -> int:
        """Count the rows there are now."""
        with reading() as session:
            return _cursor(session, self.folder_id).known

    def list_new(self, lo: int, hi: int) -> None:
        """Make the new UIDs pending, window by window."""
        for first, last in windows(lo, hi, self.server.exists):
            uids = self.connection.list_uids(first, last)
            with self.writing() as session:
                apply.save_listing(session, session.get_one(Folder, self.folder_id), last, uids)

    def remap(self) -> None:
        """List everything under a new UIDVALIDITY and find the stored messages again."""
        listed = _list(self.connection, self.server)
        if len(listed) != self.server.exists:  # a message came or went between the two answers: once more
            self.server = _server(self.connection.examine(self.name))
            listed = _list(self.connection, self.server)
            if len(listed) != self.server.exists:
                raise Doubtful("count", self.name, self.server.exists)
        with reading() as session:
            stored = apply.located_messages(session, self.folder_id)
        places = _match(self.connection, stored, listed) if stored else {}
        # Before the folder's mod-sequence is taken over, and written with it: nobody would ask for these flags again.
        found = self.connection.fetch_states(places) if places else {}
        with self.writing() as session:
            folder = session.get_one(Folder, self.folder_id)
            apply.save_remap(session, folder, self.server, listed, places)
            states.save(session, folder, found)

    def changes(self, cursor: Cursor, since: int) -> None:
        """Apply what changed since a mod-sequence: what vanished as far as it is believed, then flags in order.

        The folder's mod-sequence moves with each transaction: a pass that is cut goes on where it was.
        """
        if self.told is None:
            states: dict[int, State] = {}
            gone: list[tuple[int, int]] = []
            for lo, hi in windows(1, max(cursor.uidnext - 1, 1), self.server.exists):
                part = self.connection.fetch_changes(lo, hi, since)
                states |= part.states
                gone += part.vanished or ()
            self.told = Changes(states, tuple(gone))
        if self.told.vanished:
            self.forget(self.told.vanished)
        self.save(self.told.states, since)

    def forget(self, ranges: tuple[tuple[int, int], ...]) -> None:
        """Forget the UIDs that vanished, when the server's own count agrees; else compare."""
        with reading() as session:
            gone = apply.known_among(session, self.folder_id, ranges)
        if not gone:
            return
        if not planning.judge_vanished(self.known(), len(gone), self.server.exists):
            self.compare()
            return
        with self.writing() as session:
            believed = planning.Believe(frozenset(gone), frozenset())
            folder = session.get_one(Folder, self.folder_id)
            self.vanished += apply.save_comparison(session, folder, believed, self.server.exists)

    def save(self, found: dict[int, State], since: int | None = None) -> None:
        """Write states; with `since` in ascending order of mod-sequence, moving the folder's with them."""
        until = self.server.highestmodseq
        if since is None or until is None:
            with self.writing() as session:
                states.save(session, session.get_one(Folder, self.folder_id), found)
            return
        for uids, reached in planning.checkpoints({uid: state.modseq for uid, state in found.items()}, since, until):
            with self.writing() as session:
                folder = session.get_one(Folder, self.folder_id)
                states.save(session, folder, {uid: found[uid] for uid in uids})
                folder.highestmodseq, folder.flags_checked_at = reached, utcnow()
                session.add(folder)
        if not found:
            with self.writing() as session:
                folder = session.get_one(Folder, self.folder_id)
                folder.highestmodseq, folder.flags_checked_at = until, utcnow()
                session.add(folder)

    def flags(self, newest: int) -> None:
        """Look at the flags of the newest messages again."""
        with reading() as session:
            uids = states.newest(session, self.folder_id, newest)
        found = self.connection.fetch_states(uids)
        with self.writing() as session:
            folder = session.get_one(Folder, self.folder_id)
            states.save(session, folder, found)
            folder.highestmodseq, folder.flags_checked_at = None, utcnow()
            session.add(folder)
        self.miss(uids, found)

    def round(self, cursor: Cursor, below: int | None) -> None:
        """Look at the flags of one window of a round over all of them; a new round goes by the modseq of now."""
        below_uid = cursor.uidnext if below is None else below
        with reading() as session:
            uids = states.newest(session, self.folder_id, planning.ROUND_FLAGS, below_uid)
        found = self.connection.fetch_states(uids)
        with self.writing() as session:
            folder = session.get_one(Folder, self.folder_id)
            states.save(session, folder, found)
            if below is None:
                folder.highestmodseq = self.server.highestmodseq
            over = len(uids) < planning.ROUND_FLAGS
            folder.flags_below = None if over else min(uids)
            if over:
                folder.flags_round_at = utcnow()
            session.add(folder)
        self.miss(uids, found)

    def miss(self, asked: list[int], found: Mapping[int, State]) -> None:
        """Compare when the server has no flags for a UID that is known: counts agree when another came in its place."""
        if any(uid not in found for uid in asked):
            self.compare()

    def compare(self) -> None:
        """List all UIDs and compare; many that vanished are believed when a fresh connection says the same."""
        with reading() as session:
            # Read before the listing: what is stored meanwhile must not be taken for vanished (Mailspring's rule).
            known = apply.known_uids(session, self.folder_id)
            suspicious = _cursor(session, self.folder_id).suspicious
        server = _server(self.connection.examine(self.name))
        listed = set(_list(self.connection, server))
        verdict = judge(known, listed, server.exists, confirmed=False, suspicious=suspicious)
        if isinstance(verdict, Doubt) and verdict.again:
            with self.reconnect() as fresh:
                server = _server(fresh.examine(self.name))
                listed = set(_list(fresh, server))
            verdict = judge(known, listed, server.exists, confirmed=True, suspicious=suspicious)
        if isinstance(verdict, Doubt):
            raise Doubtful(verdict.reason, self.name, server.exists)
        with self.writing() as session:
            folder = session.get_one(Folder, self.folder_id)
            self.vanished += apply.save_comparison(session, folder, verdict, server.exists)
            apply.pass_by(session, folder, server, listed)
        self.server = server


def _list(connection: MailConnection, server: Server) -> list[int]:
    return [uid for lo, hi in windows(1, end_of(server), server.exists) for uid in connection.list_uids(lo, hi)]


def _match(connection: MailConnection, stored: list[apply.Located], listed: list[int]) -> dict[int, int]:
    """Find stored messages under their new UIDs: by the server's own id, else by Message-ID; size and date must fit too.

    What fits twice, here or there, is left out: it is fetched, and its bytes decide. Two messages that share all three
    are told apart only while both are there.
    """
    by_name: dict[str, dict[int, apply.Located]] = defaultdict(dict)
    by_header: dict[tuple[str, int], dict[int, apply.Located]] = defaultdict(dict)
    for message in stored:
        if message.remote_id:
            by_name[message.remote_id][message.id] = message
        if message.rfc_message_id:
            by_header[message.rfc_message_id, message.size][message.id] = message
    uid_of: dict[int, int] = {}
    named: set[str] = set()
    twice: set[int] = set()

    def place(uid: int, meta: RemoteMeta, candidates: Mapping[int, apply.Located]) -> bool:
        fitting = [m.id for m in candidates.values() if m.size == meta.size and same(m.received_at, meta.internal_date)]
        if len(fitting) != 1:
            return False
        if fitting[0] in uid_of:
            twice.add(fitting[0])
        uid_of[fitting[0]] = uid
        return True

    for start in range(0, len(listed), 1000):
        metas = connection.fetch_meta(listed[start : start + 1000])
        rest: list[int] = []
        for uid, meta in metas.items():
            if meta.remote_id and len(by_name.get(meta.remote_id, ())) == 1:
                if meta.remote_id in named:  # an id for two messages means nothing
                    twice.update(by_name[meta.remote_id])
                    continue
                if place(uid, meta, by_name[meta.remote_id]):
                    named.add(meta.remote_id)
                    continue
            rest.append(uid)
        for uid, header in sorted(connection.fetch_message_ids(rest).items()) if rest else ():
            _, _, value = header.partition(b":")
            found = message_id(value.strip())
            if found:
                place(uid, metas[uid], by_header.get((found, metas[uid].size), {}))
    return {uid: i for i, uid in uid_of.items() if i not in twice}
