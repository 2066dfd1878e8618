"""What a pass comes to: its report, and what the mailbox's row says afterwards.

A failure sets the time of the next try; what a refused sign-in leads to is `outages.py`. Gives the lease back. After a folder's first complete pass the database counts its tables. Does not sync.
"""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.exc import OperationalError
from sqlmodel import Session, col, select

from mailcrm.errors import MailcrmError, NeedsReconnect, NotFound, TransientError
from mailcrm.models import Folder, Mailbox
from mailcrm.models.base import utcnow
from mailcrm.services import live
from mailcrm.services.db import analyze, reading, transaction
from mailcrm.services.mail import outages
from mailcrm.services.mail.sync import lease

BACKOFF_S, MAX_BACKOFF_S = 30.0, 900.0


@dataclass(slots=True)
class SyncReport:
    """What one pass did. `complete`: nothing was left to do; `error` is what ended it early.

    `busy`: another worker has the mailbox, nothing was done. `cut`: the budget, or the worker's stop, ended it early;
    then `unseen` names the folders that were not looked at.
    """

    mailbox_id: int
    stored: int = 0
    skipped: int = 0
    quarantined: int = 0
    vanished: int = 0
    pending: int = 0
    complete: bool = False
    busy: bool = False
    cut: bool = False
    error: MailcrmError | None = None
    folder_errors: dict[str, MailcrmError] = field(default_factory=dict[str, MailcrmError])
    unseen: set[str] = field(default_factory=set[str])


def finish(mailbox_id: int, owner: str, report: SyncReport, started: datetime) -> None:
    """Write the outcome into the mailbox's row and give the lease back; a lost lease makes the report `busy`."""
    now = utcnow()
    first = False
    try:
        with transaction() as session:
            lease.renew(session, mailbox_id, owner, now)
            mailbox = session.get_one(Mailbox, mailbox_id)
            mailbox.lease_owner, mailbox.lease_until = "", None
            if report.error is None:
                mailbox.failures, mailbox.error_code, mailbox.error_params = 0, "", {}
                mailbox.last_success_at, mailbox.next_try_at = now, None
                if report.cut and (report.pending or report.unseen):
                    mailbox.sync_requested_at = now  # go on soon, after the other mailboxes had their turn
                elif mailbox.sync_requested_at is not None and mailbox.sync_requested_at <= started:
                    mailbox.sync_requested_at = None
                kept_back = report.unseen | report.folder_errors.keys()
                for folder in session.exec(select(Folder).where(Folder.mailbox_id == mailbox_id)):
                    if folder.chosen and folder.gone_at is None and folder.name not in kept_back:
                        folder.last_success_at, folder.error_code, folder.error_params = now, "", {}
                        if report.complete:
                            first = first or folder.phase == "initial"
                            folder.phase = "incremental"
                        session.add(folder)
            else:
                _record_failure(session, mailbox, report.error, now)
            session.add(mailbox)
            live.hint(session, mailbox.user_id, "sync", mailbox_id)
    except lease.LeaseLost:
        report.busy = True
    if first and not report.busy:
        with suppress(OperationalError):  # a busy database: its plans get better another time
            analyze()


def standing(mailbox_id: int) -> tuple[str, bool] | None:
    """Return a mailbox's host, and whether its last pass failed; None when it is not to be synced now.

    A wake-up may be older than a failure or a pause, and a push does not shorten a back-off. Raises NotFound.
    """
    with reading() as session:
        columns = select(Mailbox.imap_host, Mailbox.failures, Mailbox.status, Mailbox.next_try_at)
        found = session.exec(columns.where(Mailbox.id == mailbox_id)).first()
    if found is None:
        raise NotFound
    host, failures, status, next_try_at = found
    if status != "active" or (next_try_at is not None and next_try_at > utcnow()):
        return None
    return host, failures > 0


def is_wanted(mailbox_id: int) -> bool:
    """Whether a sync was asked for that no pass has begun after."""
    with reading() as session:
        asked = select(Mailbox.id).where(
            Mailbox.id == mailbox_id,
            Mailbox.status == "active",
            col(Mailbox.sync_requested_at).is_not(None),
            col(Mailbox.next_try_at).is_(None),
        )
        return session.exec(asked).first() is not None


def _record_failure(session: Session, mailbox: Mailbox, error: MailcrmError, now: datetime) -> None:
    mailbox.sync_requested_at = None
    if isinstance(error, NeedsReconnect):
        outages.refused(session, mailbox, error, now)
        return
    mailbox.failures += 1
    mailbox.error_code = error.code
    mailbox.error_params = {name: str(value) for name, value in error.params.items()}
    wait = min(BACKOFF_S * 2 ** min(mailbox.failures - 1, 10), MAX_BACKOFF_S) * random.uniform(0.8, 1.2)
    if isinstance(error, TransientError) and error.retry_after is not None:
        wait = error.retry_after
    mailbox.next_try_at = now + timedelta(seconds=wait)
