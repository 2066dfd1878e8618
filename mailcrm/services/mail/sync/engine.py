"""Syncs one mailbox: the loop that asks `plan.py`, talks to the server, and lets `apply.py` write.

    lease ─▶ connect ─▶ ┌ list folders ─▶ look at each that changed ─▶ fetch pending, newest first ┐ ─▶ done
                        └──────────── again every `RELOOK` slices: new mail first ───────────────────────┘

What is to do is read from rows each time; a pass may die at any point and the next one goes on. Transactions never
span the network: fetch, then store. A thread stores one batch while the next is fetched. Every transaction renews the
lease, which fences out a pass that lost it.
Does not decide (plan.py), does not parse (fetch.py), does not sleep or loop for ever (services/jobs).
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

import structlog
from sqlalchemy import update
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import Session, col, func, select

from mailcrm.config import config
from mailcrm.errors import MailcrmError, NotFound, TransientError
from mailcrm.models import Folder, Mailbox, MessageLocation, PendingUid
from mailcrm.models.base import utcnow
from mailcrm.services import live
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs import queue
from mailcrm.services.mail import blobs, quarantine, store
from mailcrm.services.mail.imap.client import FolderStatus, ImapConnection, RemoteMeta, connect
from mailcrm.services.mail.imap.wire import Limits
from mailcrm.services.mail.mailboxes import Credentials, credentials
from mailcrm.services.mail.packs import Packer
from mailcrm.services.mail.sync import (
    apply,
    contacts,
    fetch,
    homes,
    identify,
    lease,
    look,
    outcome,
    partial,
    survey,
)
from mailcrm.services.mail.sync.ledger import ORDER
from mailcrm.services.mail.sync.outcome import SyncReport
from mailcrm.services.mail.sync.plan import FIRST, MAX_TRIES
from mailcrm.services.mail.writeback import queue as writeback
from mailcrm.services.mail.writeback.apply import write_back_held
from mailcrm.services.rows import chunks, run

RELOOK = 5  # slices between two looks at the folders: new mail comes before the backfill goes on
#: Pending messages taken at once, by how often they were tried: in the end each is alone, and alone to blame.
SLICES = (1000, 200, 20, 1)
GIVE_UP_AFTER = len(SLICES) - 1 + MAX_TRIES  # tries, the last `MAX_TRIES` of them alone
OF_FOLDER = ("imap.folder_missing", "imap.refused", "server.bad_text")  # failures that other folders need not have
WRITE_EVERY_S = 2.0  # as often as the sweep looks for such work
MAX_TURNS = 5  # changes of UIDVALIDITY in one pass before the server is taken for broken

log = structlog.get_logger()

Dial = Callable[[Credentials, Limits | None], ImapConnection]


@dataclass(frozen=True, slots=True)
class _Place:
    """A folder by what a pass needs of it."""

    id: int
    name: str


def sync_mailbox(
    mailbox_id: int,
    *,
    budget: float | None = None,
    limits: Limits | None = None,
    progress: Callable[[SyncReport], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    dial: Dial | None = None,
) -> SyncReport:
    """Bring a mailbox up to date; a second call with nothing new on the server changes nothing.

    `budget` in seconds, or `should_stop`, ends the pass after the batch in hand; it asks to be continued. Failures of the server don't raise: they are in the
    report, and in the mailbox's row with the time of the next try. Raises NotFound for a mailbox that is gone.
    `dial` makes the connections in place of `dial_out`.
    """
    report = SyncReport(mailbox_id)
    owner = lease.new_owner()
    started = utcnow()
    with reading() as session:
        if session.get(Mailbox, mailbox_id) is None:
            raise NotFound
    if not lease.acquire(mailbox_id, owner, started):
        report.busy = True
        return report
    try:
        access = credentials(mailbox_id)
        with lease.heartbeat(mailbox_id, owner):
            _Pass(mailbox_id, owner, access, report, budget, limits, progress, should_stop, dial or dial_out).run()
    except lease.LeaseLost:
        report.busy = True
        return report
    except MailcrmError as error:
        report.error = error
    except Exception as error:
        log.exception("a sync broke", mailbox_id=mailbox_id)
        report.error = TransientError("sync.disk_full" if _is_disk_full(error) else "sync.broke")
        report.error.__cause__ = error
    outcome.finish(mailbox_id, owner, report, started)
    return report


def dial_out(access: Credentials, limits: Limits | None) -> ImapConnection:
    """Connect to a mailbox's server over the network and sign in."""
    return connect(access.imap, access.imap_password, allow_private=config().allow_private_hosts, limits=limits)


class _Pass:
    """One pass: its connection, its lease, its report."""

    def __init__(
        self,
        mailbox_id: int,
        owner: str,
        access: Credentials,
        report: SyncReport,
        budget: float | None,
        limits: Limits | None,
        progress: Callable[[SyncReport], None] | None,
        should_stop: Callable[[], bool] | None,
        dial: Dial,
    ) -> None:
        self.mailbox_id, self.owner, self.access, self.report = mailbox_id, owner, access, report
        self.limits, self.progress, self.should_stop, self.dial = limits, progress, should_stop, dial
        self.ends = time.monotonic() + budget if budget is not None else None
        self.storer = ThreadPoolExecutor(1, thread_name_prefix="store")
        self.packer = Packer()  # the storing thread's
        self.in_hand: Future[None] | None = None
        self.wrote = 0.0  # when what the user did was last written back
        self.scope: tuple[int | None, bool] = (None, False)  # history and "contacts only" as the slice was chosen
        self.opened: tuple[int, int | None] | None = None  # the folder that slices are fetched from, its UIDVALIDITY
        self.turned = 0  # times that a UIDVALIDITY changed between looking and fetching

    def run(self) -> None:
        """Look and fetch until nothing is pending, the budget is used up, or the connection fails."""
        try:
            with self.connect() as connection:
                with self.writing() as session:
                    self.begin(session)
                while True:
                    # First what the user did here: what the folders then say of themselves includes it.
                    write_back_held(self.mailbox_id, self.owner, self.should_stop, dial=self.connect)
                    self.wrote = time.monotonic()
                    statuses = survey.take(connection, self.mailbox_id, self.writing)
                    places = self.places()
                    same = look.unchanged(self.mailbox_id, statuses)
                    self.head_start(connection, places[:1])
                    for place in places:
                        if place.id not in same:
                            self.look_at(connection, place, statuses.get(place.id))
                    contacts.answer_requests(
                        connection, self.mailbox_id, [(place.id, place.name) for place in places], self.writing
                    )
                    if not self.fetch_some(connection, places) or self.out_of_time():
                        break
        finally:
            self.storer.shutdown(wait=True)
            self.packer.close()
        with reading() as session:
            self.report.pending = _pending(session, self.mailbox_id)
            lost = homes.is_any_lost(session, self.mailbox_id)
        self.report.complete = self.report.pending == 0 and not self.report.folder_errors
        if lost:  # what was moved is found by now, the rest is gone
            with self.writing() as session:
                homes.settle_lost(session, self.mailbox_id, complete=self.report.complete, now=utcnow())

    def connect(self) -> ImapConnection:
        """Open a connection of its own."""
        return self.dial(self.access, self.limits)

    def begin(self, session: Session) -> None:
        """Note when the pass began; what an older mailcrm could not read is tried again."""
        mailbox = session.get_one(Mailbox, self.mailbox_id)
        mailbox.pass_started_at, mailbox.pass_stored = utcnow(), 0
        session.add(mailbox)
        quarantine.retry_older(session, self.mailbox_id)

    def writing(self) -> _Fenced:
        """A transaction that renews the lease first."""
        return _Fenced(self.mailbox_id, self.owner)

    def out_of_time(self) -> bool:
        """Whether the budget is used up, or the process is to stop."""
        over = self.ends is not None and time.monotonic() >= self.ends
        self.report.cut = self.report.cut or over or (self.should_stop is not None and self.should_stop())
        return self.report.cut

    def user_waits(self) -> bool:
        """Whether something that the user did here is due on the server; not asked while it was just tried."""
        if time.monotonic() - self.wrote < WRITE_EVERY_S:
            return False
        with reading() as session:
            return writeback.is_due(session, self.mailbox_id, utcnow())

    def places(self) -> list[_Place]:
        """The folders to sync, most wanted first."""
        with reading() as session:
            found = session.exec(
                select(Folder).where(
                    Folder.mailbox_id == self.mailbox_id,
                    col(Folder.chosen).is_(True),
                    col(Folder.selectable).is_(True),
                    col(Folder.gone_at).is_(None),
                )
            ).all()
            ordered = sorted(found, key=lambda f: (ORDER.get(f.role, len(ORDER)), f.name))
            return [_Place(f.id or 0, f.name) for f in ordered]

    def look_at(self, connection: ImapConnection, place: _Place, status: FolderStatus | None) -> None:
        """Do the plan's steps for one folder; what is wrong with the folder alone is kept there."""
        try:
            self.report.vanished += look.look_at(connection, place.id, place.name, self.writing, self.connect, status)
            self.report.folder_errors.pop(place.name, None)
        except MailcrmError as error:
            self.blame(connection, place, error)

    def blame(self, connection: ImapConnection, place: _Place, error: MailcrmError) -> None:
        """Keep a failure that is the folder's own with it, so that the others go on; raise any other."""
        if not connection.alive or not (error.code in OF_FOLDER or isinstance(error, look.Doubtful)):
            raise error
        self.report.folder_errors[place.name] = error
        with self.writing() as session:
            folder = session.get_one(Folder, place.id)
            folder.error_code, folder.error_params = error.code, dict(error.params)
            if isinstance(error, look.Doubtful):
                folder.server_count = error.exists
            session.add(folder)

    def head_start(self, connection: ImapConnection, places: Sequence[_Place]) -> None:
        """Fetch the newest messages of a folder that was never opened, before all of its UIDs are listed.

        A person reads in a second, however large the mailbox is.
        """
        for place in places:
            if not self.out_of_time() and look.take_newest(connection, place.id, place.name, FIRST, self.writing):
                try:
                    self.fetch_slice(connection, place)
                except MailcrmError as error:
                    self.blame(connection, place, error)

    def fetch_some(self, connection: ImapConnection, places: Sequence[_Place]) -> bool:
        """Fetch up to `RELOOK` slices of pending messages; tell whether another round is due."""
        self.opened = None  # other folders were looked at since
        slices = 0
        with reading() as session:
            ids = [place.id for place in places]
            waiting = set(
                session.exec(select(PendingUid.folder_id).where(col(PendingUid.folder_id).in_(ids)).distinct())
            )
        for place in places:
            if place.name in self.report.folder_errors or place.id not in waiting:
                continue
            try:
                while self.fetch_slice(connection, place):
                    slices += 1
                    if slices >= RELOOK or self.out_of_time() or self.user_waits():
                        return True
            except MailcrmError as error:  # deleted or renamed since it was looked at: the others go on
                self.blame(connection, place, error)
        return slices > 0  # while they were fetched, new mail may have come

    def fetch_slice(self, connection: ImapConnection, place: _Place) -> bool:
        """Fetch one slice of a folder's pending messages; False when there was none."""
        uids, tried, first, since = self.slice_of(place)
        if not uids:
            return False
        if tried >= GIVE_UP_AFTER:
            self.store(place, [apply.Poison(uid, "quarantine.not_handed_out") for uid in uids])
            return True
        self.count_try(place, uids, 1)  # a crash in here must leave a trace, or it would happen for ever
        untouched = set(uids)
        try:
            if not self.still_valid(connection, place):
                return True
            meta, done = fetch.triage(connection, uids, since)
            if self.scope[1]:
                done += contacts.sift(connection, self.mailbox_id, meta)
            done += identify.recognise(connection, self.mailbox_id, meta)
            untouched &= set(meta)
            if done:
                self.store(place, done)
            batches = [*fetch.batches(meta, first), []]
            for batch, following in pairwise(batches):
                if self.out_of_time() or self.user_waits():
                    break
                untouched -= set(batch)
                # Nothing is asked ahead of suspects: what kills the connection must be alone to blame.
                items = list(partial.fetch(connection, batch, meta, () if tried else following))
                self.settle()
                self.in_hand = self.storer.submit(self.store_fetched, place, items, meta)
            self.settle()
        finally:
            self.settle(quietly=True)
            if untouched:
                self.count_try(place, sorted(untouched), -1)
        return True

    def still_valid(self, connection: ImapConnection, place: _Place) -> bool:
        """Open the folder; False when its UIDVALIDITY is another than the pending UIDs belong to."""
        with reading() as session:
            expected = session.get_one(Folder, place.id).uidvalidity
        if self.opened == (place.id, expected):
            return True  # still open since the slice before: no server may change it under an open folder
        self.opened = None
        if connection.examine(place.name).uidvalidity == expected:
            self.opened = (place.id, expected)
            return True
        self.turned += 1
        if self.turned > MAX_TURNS:
            raise TransientError("server.protocol", host=self.access.imap.host, port=self.access.imap.port)
        look.look_at(connection, place.id, place.name, self.writing, self.connect)
        return False

    def slice_of(self, place: _Place) -> tuple[list[int], int, int | None, datetime | None]:
        """Choose what to fetch next: untried messages, newest first, then suspects in ever smaller numbers.

        Returns the UIDs, how often they were tried, the size of a small first batch, and the history's beginning.
        """
        with reading() as session:
            started = select(MessageLocation.id).where(MessageLocation.folder_id == place.id).limit(1)
            first = None if session.exec(started).first() else FIRST
            box = select(Mailbox.history_days, Mailbox.contacts_only).where(Mailbox.id == self.mailbox_id)
            days, only_contacts = session.exec(box).one()
            self.scope = days, only_contacts
            since = utcnow() - timedelta(days=days) if days is not None else None
            waiting = select(PendingUid.tries).where(PendingUid.folder_id == place.id)
            tried = session.exec(waiting.order_by(col(PendingUid.tries)).limit(1)).first()
            if tried is None:
                return [], 0, None, None
            uids = session.exec(
                select(PendingUid.uid)
                .where(PendingUid.folder_id == place.id, PendingUid.tries == tried)
                .order_by(col(PendingUid.uid).desc())
                .limit(SLICES[min(tried, len(SLICES) - 1)])
            ).all()
            return list(uids), tried, first, since

    def count_try(self, place: _Place, uids: Sequence[int], by: int) -> None:
        """Count a try for each of these pending messages, or take it back."""
        with self.writing() as session:
            for part in chunks(uids):
                run(
                    session,
                    update(PendingUid)
                    .where(col(PendingUid.folder_id) == place.id, col(PendingUid.uid).in_(part))
                    .values(tries=PendingUid.tries + by),
                )

    def settle(self, *, quietly: bool = False) -> None:
        """Wait for the batch that is being stored; raise what went wrong with it, unless something did already."""
        waiting, self.in_hand = self.in_hand, None
        if waiting is None:
            return
        if quietly:
            waiting.exception()
        else:
            waiting.result()

    def store_fetched(self, place: _Place, items: list[fetch.Fetched], meta: Mapping[int, RemoteMeta]) -> None:
        """Parse and store one batch (runs in the storing thread)."""
        try:
            self.store(place, fetch.outcomes_of(items, meta, self.packer))
        except blobs.BlobLost:  # what the store had already was swept before our rows said that we need it
            self.store(place, fetch.outcomes_of(items, meta, self.packer))

    def store(self, place: _Place, outcomes: Sequence[apply.Outcome]) -> None:
        """Store a batch in one transaction; when a message spoils it, each in its own, the spoiler to quarantine."""
        try:
            new = self.store_once(place, outcomes)
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            if len(outcomes) > 1:
                for one in outcomes:
                    self.store(place, [one])
                return
            if not isinstance(outcomes[0], apply.Stored) or _is_busy(error):
                raise
            log.warning("a message does not fit the database", error=str(error.orig)[:200])
            outcomes = [_as_poison(outcomes[0])]
            new = self.store_once(place, outcomes)
        self.report.stored += sum(isinstance(o, apply.Stored) for o in outcomes)
        self.report.skipped += sum(isinstance(o, apply.Skipped) for o in outcomes)
        self.report.quarantined += sum(isinstance(o, apply.Poison) for o in outcomes)
        if new:
            queue.enqueue("link_pending")
        if self.progress is not None:
            self.progress(self.report)

    def store_once(self, place: _Place, outcomes: Sequence[apply.Outcome]) -> int:
        """One transaction: messages, locations, and their UIDs out of pending."""
        with self.writing() as session:
            mailbox = session.get_one(Mailbox, self.mailbox_id)
            folder = session.get_one(Folder, place.id)
            if self.scope != (mailbox.history_days, mailbox.contacts_only):  # widened meanwhile: look again
                outcomes = [o for o in outcomes if not isinstance(o, apply.Skipped) or o.reason == "too_large"]
            new = apply.save_batch(session, store.owner_of(session, mailbox), folder, outcomes)
            mailbox.pass_stored += sum(isinstance(o, apply.Stored) for o in outcomes)
            session.add(mailbox)
            live.hint(session, mailbox.user_id, "sync", self.mailbox_id)
            return new


class _Fenced:
    """`with` a transaction that holds the lease; raises LeaseLost before anything is written."""

    def __init__(self, mailbox_id: int, owner: str) -> None:
        self._mailbox_id, self._owner = mailbox_id, owner
        self._context = transaction()

    def __enter__(self) -> Session:
        session = self._context.__enter__()
        try:
            lease.renew(session, self._mailbox_id, self._owner, utcnow())
        except BaseException as error:
            self._context.__exit__(type(error), error, error.__traceback__)
            raise
        return session

    def __exit__(self, *exc: object) -> bool | None:
        return self._context.__exit__(*exc)  # type: ignore[arg-type]


def _as_poison(outcome: apply.Stored) -> apply.Poison:
    return apply.Poison(outcome.uid, "quarantine.database", outcome.sha, outcome.size, place=outcome.place)


def _is_disk_full(error: Exception) -> bool:
    """Whether files, SQLite or PostgreSQL found no room: the administrator's to mend, and nobody's bug."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    if not isinstance(error, DBAPIError):
        return False
    return getattr(error.orig, "sqlstate", "") == "53100" or "disk is full" in str(error.orig)


def _is_busy(error: DBAPIError) -> bool:
    """Whether the database could not be written for now, whatever is written.

    PostgreSQL's limits (SQLSTATE class 54: a row too long for an index, too many words) come as the same exception,
    and are the message's: trying again changes nothing.
    """
    return isinstance(error, OperationalError) and not str(getattr(error.orig, "sqlstate", "")).startswith("54")


def _pending(session: Session, mailbox_id: int) -> int:
    return session.exec(
        select(func.count())
        .select_from(PendingUid)
        .join(Folder, col(Folder.id) == col(PendingUid.folder_id))
        .where(Folder.mailbox_id == mailbox_id, col(Folder.chosen).is_(True), col(Folder.gone_at).is_(None))
    ).one()
