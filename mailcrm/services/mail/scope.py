"""How much of a mailbox is stored: how far back (settled question 7), and whose mail (question 9, "contacts only").

Widening makes skipped messages pending again; the next pass looks at each and skips what still doesn't belong.
Narrowing only affects what is stored from now on: nothing is deleted. What is skipped is decided by the sync
(`sync/fetch.py`, `sync/contacts.py`). `history_of` is for services/crm: somebody became known, so their earlier mail
is wanted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, insert, literal
from sqlmodel import Session, col, delete, select

from mailcrm.errors import UserError
from mailcrm.models import ContactRequest, Folder, Mailbox, PendingUid, SkippedUid, utcnow
from mailcrm.services.jobs import queue
from mailcrm.services.rows import chunks, insert_absent, pick, run

MOST_HISTORY_DAYS = 36_500
#: What the interface offers, in days; None is everything.
WINDOWS: tuple[int | None, ...] = (3, 30, 90, 180, 365, 730, None)


def check_history(days: int | None) -> None:
    """Raise UserError for a window that is none."""
    if days is not None and (isinstance(days, bool) or not 1 <= days <= MOST_HISTORY_DAYS):
        raise UserError("mailbox.history")


def change_history(session: Session, mailbox: Mailbox, days: int | None) -> bool:
    """Store mail of the last `days`, None for everything; further back asks for the backfill. True when it changed."""
    check_history(days)
    before = mailbox.history_days
    if before == days:
        return False
    mailbox.history_days = days
    if before is not None and (days is None or days > before):
        look_again(session, mailbox, "history")
    session.add(mailbox)
    return True


def change_contacts_only(session: Session, mailbox: Mailbox, on: bool) -> bool:
    """Store only mail with known people from now on, or everything again, also what was left out meanwhile."""
    if mailbox.contacts_only == on:
        return False
    mailbox.contacts_only = on
    if not on:
        run(session, delete(ContactRequest).where(col(ContactRequest.mailbox_id) == mailbox.id))
        look_again(session, mailbox, "contacts_only")
    session.add(mailbox)
    return True


def look_again(session: Session, mailbox: Mailbox, reason: str, folder_ids: Sequence[int] | None = None) -> None:
    """Make what was skipped for this reason pending, in all folders or in these, and ask for a sync."""
    of_mailbox = pick(Folder.id).where(col(Folder.mailbox_id) == mailbox.id)
    which: list[ColumnElement[bool]] = [col(SkippedUid.folder_id).in_(of_mailbox), col(SkippedUid.reason) == reason]
    if folder_ids is not None:
        which.append(col(SkippedUid.folder_id).in_(list(folder_ids)))
    mailbox.sync_requested_at, mailbox.next_try_at = utcnow(), None
    session.add(mailbox)
    session.flush()  # the row first: a pass holds it while it stores, so that what it skips now is seen here
    _make_pending(session, *which)


def take_back(session: Session, folder_id: int, uids: Iterable[int], reason: str) -> None:
    """Make those of these UIDs pending that were skipped for this reason."""
    for part in chunks(sorted(set(uids))):
        _make_pending(
            session,
            col(SkippedUid.folder_id) == folder_id,
            col(SkippedUid.reason) == reason,
            col(SkippedUid.uid).in_(part),
        )


def history_of(session: Session, addresses: Iterable[str]) -> tuple[int, ...]:
    """Note that these addresses became known: mailboxes that store only contacts fetch their earlier mail.

    In the transaction that makes them known; the caller calls `wake` with the result after its commit.
    """
    wanted = sorted({address.strip().lower() for address in addresses})
    if not wanted:
        return ()
    now = utcnow()
    boxes = session.exec(select(Mailbox).where(col(Mailbox.contacts_only).is_(True)).order_by(col(Mailbox.id))).all()
    for mailbox in boxes:
        rows: list[dict[str, Any]] = [
            {"mailbox_id": mailbox.id, "address": address, "created_at": now} for address in wanted
        ]
        insert_absent(session, ContactRequest, rows)
        mailbox.sync_requested_at = now
        session.add(mailbox)
    return tuple(mailbox.id or 0 for mailbox in boxes)


def wake(mailbox_ids: Iterable[int]) -> None:
    """Wake the sync of mailboxes after a commit; the sweep finds them anyway."""
    for mailbox_id in mailbox_ids:
        queue.enqueue("sync_mailbox", mailbox_id=mailbox_id)


def _make_pending(session: Session, *which: ColumnElement[bool]) -> None:
    skipped = pick(col(SkippedUid.folder_id), col(SkippedUid.uid), literal(0)).where(*which)
    run(session, insert(PendingUid).from_select(["folder_id", "uid", "tries"], skipped))
    run(session, delete(SkippedUid).where(*which))
