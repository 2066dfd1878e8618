"""Syncs one mailbox: the loop that asks `plan.py`, talks to the server, and lets `apply.py` write.

    lease ─▶ connect ─▶ ┌ list folders ─▶ look at each that changed ─▶ fetch pending, newest first ┐ ─▶ done
                        └──────────── again every `RELOOK` slices: new mail first ───────────────────────┘

What is to do is read from rows each time; a pass may die at any point and the next one goes on. Transactions never
span the network: `slices.py` fetches, `storing.py` stores meanwhile. Every transaction renews the lease, which fences
out a pass that lost it.
Does not decide (plan.py), does not parse (fetch.py), does not sleep or loop for ever (services/jobs).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

import structlog
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, col, func, select

from mailcrm.errors import MailcrmError, NotFound, TransientError
from mailcrm.models import Folder, Mailbox, PendingUid
from mailcrm.models.base import utcnow
from mailcrm.services.db import is_disk_full, reading
from mailcrm.services.mail import quarantine
from mailcrm.services.mail.imap.client import FolderStatus
from mailcrm.services.mail.imap.wire import Limits
from mailcrm.services.mail.remote import MailConnection
from mailcrm.services.mail.signing_in import Credentials, credentials, open_mailbox
from mailcrm.services.mail.sync import contacts, homes, lease, look, outcome, survey
from mailcrm.services.mail.sync.ledger import ORDER
from mailcrm.services.mail.sync.outcome import SyncReport
from mailcrm.services.mail.sync.plan import FIRST
from mailcrm.services.mail.sync.slices import Place, Slices
from mailcrm.services.mail.sync.storing import Storer
from mailcrm.services.mail.writeback import queue as writeback
from mailcrm.services.mail.writeback.apply import write_back_held

RELOOK = 3  # slices between two looks at the folders: new mail comes before the backfill goes on
OF_FOLDER = ("imap.folder_missing", "imap.refused", "server.bad_text")  # failures that other folders need not have
WRITE_EVERY_S = 2.0  # as often as the sweep looks for such work

log = structlog.get_logger()

Dial = Callable[[Credentials, Limits | None], MailConnection]


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
        report.error = TransientError("sync.disk_full" if is_disk_full(error) else "sync.broke")
        report.error.__cause__ = error
    try:
        outcome.finish(mailbox_id, owner, report, started)
    except OperationalError:
        if report.error is None or report.error.code != "sync.disk_full":
            raise
        log.warning("the disk is too full to write that it is full", mailbox_id=mailbox_id)  # its lease runs out
    return report


def dial_out(access: Credentials, limits: Limits | None) -> MailConnection:
    """Connect to a mailbox's server over the network and sign in."""
    return open_mailbox(access, limits)


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
        self.limits, self.should_stop, self.dial = limits, should_stop, dial
        self.ends = time.monotonic() + budget if budget is not None else None
        self.asked = 0.0  # when it was last looked whether the user did something
        self.storer = Storer(mailbox_id, self.writing, report, progress)
        self.slices = Slices(mailbox_id, access, self.storer, self.writing, self.connect, self.is_over)

    def run(self) -> None:
        """Look and fetch until nothing is pending, the budget is used up, or the connection fails."""
        with self.storer, self.connect() as connection:
            with self.writing() as session:
                self.begin(session)
            while True:
                # First what the user did here: what the folders then say of themselves includes it.
                write_back_held(self.mailbox_id, self.owner, self.should_stop, dial=self.connect)
                self.asked = time.monotonic()
                # At first sight of a server its newest messages come before its counts: to count a folder, servers
                # read all that they know of it, and once more to open it.
                first = not self.places()
                statuses = survey.take(connection, self.mailbox_id, self.writing, counts=not first)
                places = self.places()
                head = self.head_start(connection, places[0]) if places else None
                if first and not self.out_of_time() and connection.offers("LIST-STATUS"):
                    statuses = survey.take(connection, self.mailbox_id, self.writing, just_opened=head is not None)
                    places = self.places()
                self.storer.settle()  # the newest are stored while the server counts
                same = look.unchanged(self.mailbox_id, statuses)
                self.look_around(connection, places, same, statuses, head)
                contacts.answer_requests(
                    connection, self.mailbox_id, [(place.id, place.name) for place in places], self.writing
                )
                if not self.fetch_some(connection, places) or self.out_of_time():
                    break
        with reading() as session:
            self.report.pending = _pending(session, self.mailbox_id)
            lost = homes.is_any_lost(session, self.mailbox_id)
        self.report.complete = not (self.report.pending or self.report.folder_errors or self.report.unseen)
        if lost:  # what was moved is found by now, the rest is gone
            with self.writing() as session:
                homes.settle_lost(session, self.mailbox_id, complete=self.report.complete, now=utcnow())

    def connect(self) -> MailConnection:
        """Open a connection of its own."""
        return self.dial(self.access, self.limits)

    def begin(self, session: Session) -> None:
        """Note when the pass began; what an older mailcrm could not read is tried again."""
        mailbox = session.get_one(Mailbox, self.mailbox_id)
        mailbox.pass_started_at, mailbox.pass_stored = utcnow(), 0
        session.add(mailbox)
        quarantine.retry_older(session, self.mailbox_id)

    def writing(self) -> AbstractContextManager[Session]:
        """A transaction that renews the lease first."""
        return lease.fenced(self.mailbox_id, self.owner)

    def out_of_time(self) -> bool:
        """Whether the budget is used up, or the process is to stop."""
        over = self.ends is not None and time.monotonic() >= self.ends
        self.report.cut = self.report.cut or over or (self.should_stop is not None and self.should_stop())
        return self.report.cut

    def is_over(self) -> bool:
        """Whether the pass is to stop between two batches."""
        return self.out_of_time() or self.user_waits()

    def user_waits(self) -> bool:
        """Whether something that the user did here is due on the server; looked at every `WRITE_EVERY_S`."""
        now = time.monotonic()
        if now - self.asked < WRITE_EVERY_S:
            return False
        self.asked = now
        with reading() as session:
            return writeback.is_due(session, self.mailbox_id, utcnow())

    def places(self) -> list[Place]:
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
            return [Place(f.id or 0, f.name) for f in ordered]

    def look_around(
        self,
        connection: MailConnection,
        places: Sequence[Place],
        same: set[int],
        statuses: Mapping[int, FolderStatus],
        head: FolderStatus | None,
    ) -> None:
        """Look at folders but the `same` until the budget is used up; `head` is what the one said that is open.

        One is always looked at closely: the next pass finds it unchanged, so that every folder has its turn.
        """
        opened = False
        for n, place in enumerate(places):
            if place.id in same:
                continue
            if opened and self.out_of_time():
                self.report.unseen = {later.name for later in places[n:] if later.id not in same}
                return
            is_open = head is not None and connection.opened == (place.name, head.uidvalidity)
            self.look_at(connection, place, statuses.get(place.id), head if is_open else None)
            opened = opened or (connection.opened is not None and connection.opened[0] == place.name)

    def look_at(
        self, connection: MailConnection, place: Place, status: FolderStatus | None, found: FolderStatus | None
    ) -> None:
        """Do the plan's steps for one folder; what is wrong with the folder alone is kept there."""
        try:
            self.report.vanished += look.look_at(
                connection, place.id, place.name, self.writing, self.connect, status, found
            )
            self.report.folder_errors.pop(place.name, None)
        except MailcrmError as error:
            self.blame(connection, place, error)

    def blame(self, connection: MailConnection, place: Place, error: MailcrmError) -> None:
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

    def head_start(self, connection: MailConnection, place: Place) -> FolderStatus | None:
        """Fetch the newest messages of a folder that was never opened, before all of its UIDs are listed.

        A person reads in a second, however large the mailbox is. Returns what the server said as it opened the folder,
        None when it was not opened, or not only just now.
        """
        if self.out_of_time():
            return None
        try:
            found = look.take_newest(connection, place.id, place.name, FIRST, self.writing)
        except MailcrmError as error:
            if not connection.alive or error.code not in OF_FOLDER:
                raise
            return None  # the listing will say what is wrong
        if found is None:
            return None
        self.storer.expect(found.exists)  # there is time to start it, while answers are on their way
        try:
            self.slices.fetch_next(connection, place)
        except MailcrmError as error:
            self.blame(connection, place, error)
        return found if connection.opened == (place.name, found.uidvalidity) else None

    def fetch_some(self, connection: MailConnection, places: Sequence[Place]) -> bool:
        """Fetch up to `RELOOK` slices of pending messages; tell whether another round is due."""
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
                while self.slices.fetch_next(connection, place):
                    slices += 1
                    if slices >= RELOOK or self.is_over():
                        self.storer.settle()
                        return True
                self.storer.settle()
            except MailcrmError as error:  # deleted or renamed since it was looked at: the others go on
                self.blame(connection, place, error)
        return slices > 0  # while they were fetched, new mail may have come


def _pending(session: Session, mailbox_id: int) -> int:
    return session.exec(
        select(func.count())
        .select_from(PendingUid)
        .join(Folder, col(Folder.id) == col(PendingUid.folder_id))
        .where(Folder.mailbox_id == mailbox_id, col(Folder.chosen).is_(True), col(Folder.gone_at).is_(None))
    ).one()
