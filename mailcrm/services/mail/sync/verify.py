"""Verifies a mailbox: compares its ledger with the server message by message, mends, and leaves a report (B01).

    asked for ─▶ held ─▶ ┌ compare a folder (differ.py, no lease) ─▶ mend it (mend.py, under the lease) ┐ ─▶ reported
                         └───────────────────────────── next folder ────────────────────────────────────┘

`verify_until` keeps a second verification out, as the lease does for passes; a pass may run beside the comparing, and
waits only while a folder is mended. On a sound mailbox nothing is written but the report. What was missing is pending
afterwards: the next pass fetches it. Dies at any point without harm: it is asked for again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import update
from sqlmodel import Session, col, func, or_, select

from mailcrm.errors import MailcrmError, NotFound, TransientError
from mailcrm.models import Folder, Mailbox, MessageLocation, PendingUid, Quarantined, SkippedUid, utcnow
from mailcrm.services import access, audit, live
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs import queue
from mailcrm.services.mail.remote import MailConnection
from mailcrm.services.mail.signing_in import credentials, open_mailbox
from mailcrm.services.mail.sync import differ, lease, mend
from mailcrm.services.mail.sync.ledger import ORDER
from mailcrm.services.rows import pick, rows, run

HOLD = timedelta(seconds=180)  # longer than one read from a slow server; renewed with the progress
MOST_S = 2 * 3600.0  # 200,000 messages take minutes; a server that drips must not keep everybody's verifications
TELL_S = 1.0  # seconds between two notes of the progress
LEASE_WAIT_S = 150.0  # how long a pass may keep the mailbox while a folder waits to be mended
_RETRY_S = 0.25

log = structlog.get_logger()


@dataclass(slots=True)
class VerifyReport:
    """What a verification found: by kind (count, mended). `busy`: another one runs; nothing was done."""

    mailbox_id: int
    checked: int = 0
    findings: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    error: MailcrmError | None = None
    busy: bool = False
    cut: bool = False

    @property
    def state(self) -> str:
        """Say "sound", "mended" or "failed" (findings.Verification)."""
        if self.error is not None or any(count != mended for count, mended in self.findings.values()):
            return "failed"
        return "mended" if self.findings else "sound"


def request(actor: Actor, mailbox_id: int) -> None:
    """Ask for a verification of one of the actor's mailboxes; the worker does it."""
    with transaction() as session:
        mailbox = access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor))
        mailbox.verify_requested_at = utcnow()
        session.add(mailbox)
        audit.record(session, actor, "verify", "mailbox", mailbox_id)
        live.hint(session, actor.user_id, "sync", mailbox_id)
    queue.enqueue("verify_mailbox", mailbox_id=mailbox_id)


def verify_mailbox(
    mailbox_id: int,
    *,
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> VerifyReport:
    """Compare a mailbox with its server and mend what differs. Failures of the server are in the report.

    `progress` is told (done, total). Raises NotFound for a mailbox that is gone.
    """
    report = VerifyReport(mailbox_id)
    started = utcnow()
    total = _hold(mailbox_id, started)
    if total is None:
        report.busy = True
        return report
    try:
        _Run(mailbox_id, report, total, progress, should_stop).run()
    except MailcrmError as error:
        report.error = error
    except Exception as error:
        log.exception("a verification broke", mailbox_id=mailbox_id)
        report.error = TransientError("sync.broke")
        report.error.__cause__ = error
    _finish(report, started)
    return report


class _Run:
    """One verification: its connection, its progress, and the lease while it mends."""

    def __init__(
        self,
        mailbox_id: int,
        report: VerifyReport,
        total: int,
        progress: Callable[[int, int], None] | None,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        self.mailbox_id, self.report, self.total = mailbox_id, report, total
        self.progress, self.should_stop = progress, should_stop
        self.access = credentials(mailbox_id)
        self.told = time.monotonic()

    def run(self) -> None:
        """Compare and mend every folder that is synced."""
        with self.connect() as connection, connection.deadline(MOST_S):
            for folder_id, name in self.folders():
                if self.should_stop is not None and self.should_stop():
                    self.report.cut = True
                    return
                self.folder(connection, folder_id, name)

    def folder(self, connection: MailConnection, folder_id: int, name: str) -> None:
        """Verify one folder; one that the server doesn't open is noted and left."""
        try:
            found = differ.compare(connection, folder_id, name, self.tell)
            if found is None:
                return
            if found.renewed:
                self.note({"renewed": (1, 0)})
            elif found.empty:
                self.sound(folder_id)
            else:
                with self.leased() as owner:
                    if owner:
                        self.note(
                            mend.mend(connection, folder_id, name, found, lambda: self.fenced(owner), self.connect)
                        )
                    else:
                        self.note({"doubtful": (1, 0)})
        except MailcrmError as error:
            if not connection.alive or error.code not in ("imap.folder_missing", "imap.refused"):
                raise
            self.note({"doubtful": (1, 0)})

    def note(self, tally: mend.Tally) -> None:
        """Add what one folder came to."""
        for kind, (count, mended) in tally.items():
            before = self.report.findings.get(kind, (0, 0))
            self.report.findings[kind] = (before[0] + count, before[1] + mended)

    def tell(self, done: int) -> None:
        """Count compared messages; note the progress, and that this run lives, every second."""
        self.report.checked += done
        if self.progress is not None:
            self.progress(self.report.checked, self.total)
        if time.monotonic() - self.told < TELL_S:
            return
        self.told = time.monotonic()
        with transaction() as session:
            mailbox = session.get(Mailbox, self.mailbox_id)
            if mailbox is None:
                raise NotFound
            mailbox.verify_done, mailbox.verify_until = self.report.checked, utcnow() + HOLD
            session.add(mailbox)
            live.hint(session, mailbox.user_id, "sync", self.mailbox_id)

    def sound(self, folder_id: int) -> None:
        """Note that a folder is as the server's."""
        with transaction() as session:
            folder = session.get_one(Folder, folder_id)
            folder.verified_at, folder.verify_mended = utcnow(), 0
            session.add(folder)

    def folders(self) -> list[tuple[int, str]]:
        """The folders that are synced, as (id, name)."""
        with reading() as session:
            found = session.exec(
                select(Folder).where(
                    Folder.mailbox_id == self.mailbox_id,
                    col(Folder.chosen).is_(True),
                    col(Folder.selectable).is_(True),
                    col(Folder.gone_at).is_(None),
                )
            ).all()
            ordered = sorted(found, key=lambda folder: (ORDER.get(folder.role, len(ORDER)), folder.name))
            return [(folder.id or 0, folder.name) for folder in ordered]

    def connect(self) -> MailConnection:
        """Open a connection of its own."""
        return open_mailbox(self.access, thorough=True)

    @contextmanager
    def leased(self) -> Generator[str]:
        """Hold the mailbox's lease; gives "" when a pass would not let go of it."""
        owner = lease.new_owner()
        deadline = time.monotonic() + LEASE_WAIT_S
        while not lease.acquire(self.mailbox_id, owner, utcnow()):
            if time.monotonic() >= deadline or (self.should_stop is not None and self.should_stop()):
                yield ""
                return
            time.sleep(_RETRY_S)
        try:
            with lease.heartbeat(self.mailbox_id, owner):
                yield owner
        finally:
            with transaction() as session:
                run(
                    session,
                    update(Mailbox)
                    .where(col(Mailbox.id) == self.mailbox_id, col(Mailbox.lease_owner) == owner)
                    .values(lease_owner="", lease_until=None),
                )

    @contextmanager
    def fenced(self, owner: str) -> Generator[Session]:
        """A transaction that holds the lease."""
        with transaction() as session:
            try:
                lease.renew(session, self.mailbox_id, owner, utcnow())
            except lease.LeaseLost as exc:
                raise TransientError("sync.broke") from exc
            yield session


def _hold(mailbox_id: int, now: datetime) -> int | None:
    """Begin, unless another verification runs; return how many messages there are to compare."""
    with transaction() as session:
        if session.get(Mailbox, mailbox_id) is None:
            raise NotFound
        taken = run(
            session,
            update(Mailbox)
            .where(
                col(Mailbox.id) == mailbox_id,
                or_(col(Mailbox.verify_until).is_(None), col(Mailbox.verify_until) <= now),
            )
            .values(verify_until=now + HOLD, verify_done=0),
        )
        if taken.rowcount != 1:
            return None
        mailbox = session.get_one(Mailbox, mailbox_id, populate_existing=True)
        mailbox.verify_total = total = _size(session, mailbox_id)
        session.add(mailbox)
        live.hint(session, mailbox.user_id, "sync", mailbox_id)
        return total


def _size(session: Session, mailbox_id: int) -> int:
    total = 0
    for table in (MessageLocation, PendingUid, SkippedUid, Quarantined):
        counted = (
            pick(func.count())
            .select_from(table)
            .join(Folder, col(Folder.id) == col(table.folder_id))
            .where(col(Folder.mailbox_id) == mailbox_id, col(Folder.chosen).is_(True), col(Folder.gone_at).is_(None))
        )
        total += rows(session, counted)[0][0]
    return total


def _finish(report: VerifyReport, started: datetime) -> None:
    """Write the report and let go; what is pending now is asked for."""
    words: dict[str, Any] = {
        "state": report.state,
        "checked": report.checked,
        "finished_at": utcnow().isoformat(),
        "findings": {kind: {"count": count, "mended": mended} for kind, (count, mended) in report.findings.items()},
    }
    if report.error is not None:
        words |= {"error": report.error.code, "params": {k: str(v) for k, v in report.error.params.items()}}
    with transaction() as session:
        mailbox = session.get(Mailbox, report.mailbox_id)
        if mailbox is None:
            return
        mailbox.verify_until, mailbox.verify_done = None, report.checked
        if not report.cut:
            mailbox.verify_report = words
            if mailbox.verify_requested_at is not None and mailbox.verify_requested_at <= started:
                mailbox.verify_requested_at = None
        if report.findings:
            mailbox.sync_requested_at = utcnow()
        session.add(mailbox)
        live.hint(session, mailbox.user_id, "sync", report.mailbox_id)
        if report.findings:
            live.hint(session, mailbox.user_id, "mail", report.mailbox_id)
    if report.findings:
        queue.enqueue("sync_mailbox", mailbox_id=report.mailbox_id)
