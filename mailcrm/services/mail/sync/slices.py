"""Fetches pending messages slice by slice, newest first, so that whatever kills a pass is found in the end.

    choose ─▶ count a try for each ─▶ sizes and dates ─▶ bodies, batch after batch ─▶ to the storing thread (storing.py)

A try is counted before anything is asked, and taken back from what was not reached: a crash leaves a trace. Messages
that were tried come again in ever smaller slices, in the end each alone, and alone to blame; nothing is asked ahead of
them, and nothing else is being stored. Untried slices follow each other without waiting for the storing.
Which folder, and when to look for new mail again, is `engine.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import update
from sqlmodel import col, select

from mailcrm.errors import TransientError
from mailcrm.models import Folder, Mailbox, MessageLocation, PendingUid
from mailcrm.models.base import utcnow
from mailcrm.services.db import reading
from mailcrm.services.mail.imap.client import AHEAD
from mailcrm.services.mail.remote import MailConnection
from mailcrm.services.mail.signing_in import Credentials
from mailcrm.services.mail.sync import apply, contacts, fetch, identify, look, partial
from mailcrm.services.mail.sync.look import Connect, Writing
from mailcrm.services.mail.sync.plan import FIRST, MAX_TRIES
from mailcrm.services.mail.sync.storing import Origin, Storer
from mailcrm.services.rows import chunks, is_one_of, run

#: Pending messages taken at once, by how often they were tried: in the end each is alone, and alone to blame.
SLICES = (2000, 200, 20, 1)
GIVE_UP_AFTER = len(SLICES) - 1 + MAX_TRIES  # tries, the last `MAX_TRIES` of them alone
MAX_TURNS = 5  # changes of UIDVALIDITY in one pass before the server is taken for broken


@dataclass(frozen=True, slots=True)
class Place:
    """A folder by what a pass needs of it."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class _Slice:
    """What is fetched next. `first` is the size of a small first batch."""

    uids: list[int]
    tried: int
    first: int | None
    origin: Origin


class Slices:
    """The fetching half of one pass."""

    def __init__(
        self,
        mailbox_id: int,
        access: Credentials,
        storer: Storer,
        writing: Writing,
        reconnect: Connect,
        is_over: Callable[[], bool],
    ) -> None:
        self._mailbox_id, self._access, self._storer = mailbox_id, access, storer
        self._writing, self._reconnect, self._is_over = writing, reconnect, is_over
        self._validity: dict[int, int | None] = {}  # of each folder, as slices of it were chosen
        self._turned = 0  # times that one of them changed

    def fetch_next(self, connection: MailConnection, place: Place) -> bool:
        """Fetch one slice of a folder's pending messages; False when there was none. Stored is it later (`Storer`)."""
        found = self._choose(place)
        if found is not None and found.tried:
            self._storer.settle()  # what is still being stored counts as tried until it is
            found = self._choose(place)
        if found is None:
            return False
        self._count_turns(found.origin)
        if found.tried >= GIVE_UP_AFTER:
            self._storer.settled(found.origin, [apply.Poison(uid, "quarantine.not_handed_out") for uid in found.uids])
            self._storer.settle()
            return True
        self._count_try(place, found.uids, 1)  # a crash in here must leave a trace, or it would happen for ever
        untouched = set(found.uids)
        try:
            if self._is_open(connection, place, found.origin.uidvalidity):
                self._fetch(connection, found, untouched)
                if found.tried:
                    self._storer.settle()
        except BaseException:
            self._storer.settle(quietly=True)
            raise
        finally:
            if untouched:
                self._count_try(place, sorted(untouched), -1)
        return True

    def _fetch(self, connection: MailConnection, found: _Slice, untouched: set[int]) -> None:
        """Fetch a slice of the open folder; take out of `untouched` what was asked for."""
        origin = found.origin
        since = utcnow() - timedelta(days=origin.history_days) if origin.history_days is not None else None
        meta, done = fetch.triage(connection, self._mailbox_id, found.uids, since)
        if origin.only_contacts:
            done += contacts.sift(connection, self._mailbox_id, meta)
        done += identify.recognise(connection, self._mailbox_id, meta)
        untouched &= set(meta)
        if done:
            self._storer.settled(origin, done)
        if not found.tried:
            self._storer.expect(len(meta))
        batches = [*fetch.batches(meta, found.first)]
        for n, batch in enumerate(batches, 1):
            if self._is_over():
                break
            untouched -= set(batch)
            # Nothing is asked ahead of suspects: what kills the connection must be alone to blame.
            ahead = () if found.tried else batches[n : n + AHEAD]
            self._storer.fetched(origin, list(partial.fetch(connection, batch, meta, ahead)), meta)

    def _is_open(self, connection: MailConnection, place: Place, expected: int | None) -> bool:
        """Open the folder; False when its UIDVALIDITY is another than the pending UIDs belong to."""
        if connection.opened == (place.name, expected):
            return True  # since the slice before, or since it was looked at: no server may change it under us
        if connection.examine(place.name).uidvalidity == expected:
            return True
        self._storer.settle()
        look.look_at(connection, place.id, place.name, self._writing, self._reconnect)
        return False

    def _count_turns(self, origin: Origin) -> None:
        """Notice a UIDVALIDITY that changed in this pass; a server that does it all the time ends the pass."""
        if self._validity.get(origin.folder_id, origin.uidvalidity) != origin.uidvalidity:
            self._turned += 1
        self._validity[origin.folder_id] = origin.uidvalidity
        if self._turned > MAX_TURNS:
            raise TransientError("server.protocol", host=self._access.imap.host, port=self._access.imap.port)

    def _choose(self, place: Place) -> _Slice | None:
        """Choose what to fetch next: untried messages, newest first, then suspects in ever smaller numbers."""
        with reading() as session:
            waiting = select(PendingUid.tries).where(PendingUid.folder_id == place.id)
            tried = session.exec(waiting.order_by(col(PendingUid.tries)).limit(1)).first()
            if tried is None:
                return None
            started = select(MessageLocation.id).where(MessageLocation.folder_id == place.id).limit(1)
            first = None if session.exec(started).first() else FIRST
            box = select(Mailbox.history_days, Mailbox.contacts_only).where(Mailbox.id == self._mailbox_id)
            days, only_contacts = session.exec(box).one()
            uids = session.exec(
                select(PendingUid.uid)
                .where(PendingUid.folder_id == place.id, PendingUid.tries == tried)
                .order_by(col(PendingUid.uid).desc())
                .limit(SLICES[min(tried, len(SLICES) - 1)])
            ).all()
            validity = session.get_one(Folder, place.id).uidvalidity
            return _Slice(list(uids), tried, first, Origin(place.id, validity, days, only_contacts))

    def _count_try(self, place: Place, uids: Sequence[int], by: int) -> None:
        """Count a try for each of these pending messages, or take it back."""
        with self._writing() as session:
            for part in chunks(uids):
                run(
                    session,
                    update(PendingUid)
                    .where(col(PendingUid.folder_id) == place.id, is_one_of(session, col(PendingUid.uid), part))
                    .values(tries=PendingUid.tries + by),
                )
