"""Whether a stored message still has a place on the server: lost, found again, gone; archived or not.

    placed ──last place vanished──▶ lost (lost_at) ──a complete pass ends──▶ gone (gone_at too)
       ▲                                  │                                    │
       └───── found again, here or in another folder (both cleared) ◀──────────┘

Between *lost* and *gone* lies the rest of the pass: a message that was moved is found in its new folder before
anybody sees it as gone (rule 6). Works inside the caller's transaction and never commits; twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, update
from sqlmodel import Session, col, select

from mailcrm.models import Folder, Message, MessageLocation
from mailcrm.models.base import utcnow
from mailcrm.services.mail import hidden, junk
from mailcrm.services.mail.thread.summary import refresh_threads
from mailcrm.services.rows import chunks, pick, rows, run

GRACE = timedelta(hours=1)  # a first sync may need days to be complete; what is lost so long is gone
FILED = ("archive", "all")  # roles: what is there and not in the INBOX is archived (Gmail: All Mail)


def lose(session: Session, message_ids: Iterable[int], *, role: str = "") -> None:
    """Note which of these messages, that just lost a place in a folder of this role, have none left."""
    now = utcnow()
    for part in chunks(sorted(set(message_ids))):
        run(
            session,
            update(Message)
            .where(col(Message.id).in_(part), ~_placed(), col(Message.lost_at).is_(None))
            .values(lost_at=now)
            .execution_options(synchronize_session=False),
        )
        if role == "inbox":
            run(
                session,
                update(Message)
                .where(col(Message.id).in_(part), _placed(*FILED), ~_placed("inbox"), col(Message.direction) == "in")
                .values(archived=True)
                .execution_options(synchronize_session=False),
            )
        hidden.settle_messages(session, part)
        if role != junk.ROLE:  # moved to Junk: it stands there alone now
            junk.settle_messages(session, part)


def find_again(session: Session, folder: Folder, message_ids: Iterable[int]) -> None:
    """Note that stored messages turned up in this folder: they are not gone, and lie where the user moved them."""
    values: dict[str, Any] = {"gone_at": None, "lost_at": None}
    if folder.role in ("inbox", "archive"):
        values["archived"] = folder.role == "archive"
    for part in chunks(sorted(set(message_ids))):
        run(session, update(Message).where(col(Message.id).in_(part)).values(**values))
        hidden.settle_messages(session, part)
        if folder.role == junk.ROLE:
            junk.settle_messages(session, part)
        elif folder.role not in junk.SAY_NOTHING:
            junk.take_out(session, part)


def return_with(session: Session, folder_ids: Iterable[int]) -> None:
    """Note that folders are listed again, and their messages with them."""
    here = select(MessageLocation.message_id).where(col(MessageLocation.folder_id).in_(list(folder_ids)))
    run(
        session,
        update(Message)
        .where(col(Message.id).in_(here), col(Message.lost_at).is_not(None))
        .values(gone_at=None, lost_at=None)
        .execution_options(synchronize_session=False),
    )
    junk.settle_folders(session, folder_ids)


def is_any_lost(session: Session, mailbox_id: int) -> bool:
    """Whether messages wait to be found again or declared gone."""
    waiting = select(Message.id).where(Message.mailbox_id == mailbox_id, *_waiting()).limit(1)
    return session.exec(waiting).first() is not None


def settle_lost(session: Session, mailbox_id: int, *, complete: bool, now: datetime) -> int:
    """Declare gone what is lost: after a complete pass everything, else what is lost for long; return how many."""
    late = () if complete else (col(Message.lost_at) <= now - GRACE,)
    gone = rows(
        session,
        update(Message)
        .where(col(Message.mailbox_id) == mailbox_id, *_waiting(), *late)
        .values(gone_at=now)
        .returning(col(Message.id))
        .execution_options(synchronize_session=False),
    )
    hidden.settle_messages(session, [row[0] for row in gone])  # where the mailbox hides what is gone
    return len(gone)


def refresh(session: Session, message_ids: Iterable[int]) -> None:
    """Rewrite the summaries of the threads that these messages are in."""
    threads: set[int] = set()
    for part in chunks(sorted(set(message_ids))):
        threads.update(row[0] for row in rows(session, select(Message.thread_id).where(col(Message.id).in_(part))))
    refresh_threads(session, threads)


def _waiting() -> tuple[ColumnElement[bool], ...]:
    return col(Message.lost_at).is_not(None), col(Message.gone_at).is_(None)


def _placed(*roles: str) -> ColumnElement[bool]:
    """The message has a place in a folder that the server lists (of one of these roles)."""
    place: Select[Any] = (
        pick(MessageLocation.id)
        .join(Folder, col(Folder.id) == col(MessageLocation.folder_id))
        .where(col(MessageLocation.message_id) == col(Message.id), col(Folder.gone_at).is_(None))
    )
    if roles:
        place = place.where(col(Folder.role).in_(roles))
    return place.correlate(Message).exists()
