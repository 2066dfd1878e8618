"""Which messages are hidden: they sit only in folders that are not synced (M14), or are gone: `Message.hidden`.

A message with a place in a chosen folder is shown; one whose every place is in folders that are not chosen is hidden
and kept; one that is gone from the server is hidden where its mailbox says so (settled question 6), else shown; any
other without a place (sent from here) is left as it is. Who may see what is asked of `access.standing()`. Works inside
the caller's transaction and never commits; running it twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import ColumnElement, update
from sqlmodel import Session, col, func

from mailcrm.models import Folder, Mailbox, Message, MessageLocation
from mailcrm.services import access
from mailcrm.services.mail.thread.summary import refresh_threads
from mailcrm.services.rows import chunks, pick, rows, scalar


def settle(session: Session, mailbox_id: int) -> int:
    """Hide and show what a mailbox's choice of folders asks for; return how many messages changed."""
    return _settle(session, col(Message.mailbox_id) == mailbox_id)


def settle_messages(session: Session, message_ids: Iterable[int]) -> int:
    """Do the same for messages that lost or won a place."""
    return sum(_settle(session, col(Message.id).in_(part)) for part in chunks(sorted(set(message_ids))))


def leaving(session: Session, mailbox_id: int, kept: Collection[int]) -> int:
    """Count the shown messages that would be hidden when only the folders `kept` were synced."""
    in_kept = _placed(col(MessageLocation.folder_id).in_(list(kept)))
    statement = pick(func.count()).select_from(Message)
    return scalar(
        session, statement.where(col(Message.mailbox_id) == mailbox_id, access.standing(), _placed(), ~in_kept)
    )


def _settle(session: Session, which: ColumnElement[bool]) -> int:
    chosen = pick(Folder.id).where(col(Folder.id) == col(MessageLocation.folder_id), col(Folder.chosen).is_(True))
    shown = _placed(chosen.correlate(MessageLocation).exists())
    gone = col(Message.gone_at).is_not(None) & ~_placed()
    hides = col(Message.mailbox_id).in_(pick(Mailbox.id).where(col(Mailbox.hide_gone).is_(True)))
    changed = 0
    for hidden, condition in ((True, (_placed() & ~shown) | (gone & hides)), (False, shown | (gone & ~hides))):
        statement = (
            update(Message)
            .where(which, col(Message.hidden).is_(not hidden), condition)
            .values(hidden=hidden)
            .returning(col(Message.thread_id))
            .execution_options(synchronize_session=False)
        )
        threads = [row[0] for row in rows(session, statement)]
        refresh_threads(session, threads)
        changed += len(threads)
    return changed


def _placed(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """The message has a place on the server of which these hold."""
    place = pick(MessageLocation.id).where(col(MessageLocation.message_id) == col(Message.id), *conditions)
    return place.correlate(Message).exists()
