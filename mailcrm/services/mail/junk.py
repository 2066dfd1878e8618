"""Which messages are junk: they stand in a Junk folder and in no other that counts: `Message.junk`.

Folders that the server does not list any more count nothing; Trash and starred views say nothing about what a message
is worth. A message without a place that counts stays what it was. Junk is kept and found by a search; timelines, figures,
unread counts and the linking rules leave it out (`crm/linking/linked.py`, `thread/summary.py`). What comes back from Junk
is linked as if it had just come. Works inside the caller's transaction and never commits; twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Select, case, false, true, update
from sqlmodel import Session, col

from mailcrm.models import Folder, Message, MessageLocation
from mailcrm.services.mail.thread.summary import refresh_threads
from mailcrm.services.rows import chunks, pick, rows

ROLE = "junk"
SAY_NOTHING = (ROLE, "trash", "flagged")  # roles of folders that make no message worth reading


def settle_messages(session: Session, message_ids: Iterable[int]) -> int:
    """Look again at messages that won or lost a place; return how many changed."""
    return sum(_settle(session, col(Message.id).in_(part)) for part in chunks(sorted(set(message_ids))))


def settle_folders(session: Session, folder_ids: Iterable[int]) -> int:
    """Look again at all that lies in folders that came back, or have another role now; return how many changed."""
    here = pick(MessageLocation.message_id).where(col(MessageLocation.folder_id).in_(sorted(set(folder_ids))))
    return _settle(session, col(Message.id).in_(here))


def take_out(session: Session, message_ids: Iterable[int]) -> int:
    """Do the same for messages that turned up in a folder that counts, which no place has to be looked up for."""
    return sum(_change(session, col(Message.id).in_(part), false()) for part in chunks(sorted(set(message_ids))))


def _settle(session: Session, which: ColumnElement[bool]) -> int:
    return _change(
        session, which, case((_placed(*SAY_NOTHING, but=True), false()), (_placed(ROLE), true()), else_=None)
    )


def _change(session: Session, which: ColumnElement[bool], right: Any) -> int:
    """Make `junk` what it is to be; NULL leaves it. What stops to be junk waits for the linking rules."""
    statement = (
        update(Message)
        .where(which, col(Message.junk) != right)
        .values(
            junk=case((col(Message.junk), false()), else_=true()),
            link_pending=case((col(Message.junk), true()), else_=col(Message.link_pending)),
        )
        .returning(col(Message.thread_id))
        .execution_options(synchronize_session=False)
    )
    threads = [row[0] for row in rows(session, statement)]
    refresh_threads(session, threads)
    return len(threads)


def _placed(*roles: str, but: bool = False) -> ColumnElement[bool]:
    """The message has a place in a folder that the server lists, of these roles, or of any `but` these."""
    of_role = col(Folder.role).not_in(roles) if but else col(Folder.role).in_(roles)
    place: Select[Any] = (
        pick(MessageLocation.id)
        .join(Folder, col(Folder.id) == col(MessageLocation.folder_id))
        .where(col(MessageLocation.message_id) == col(Message.id), col(Folder.gone_at).is_(None), of_role)
    )
    return place.correlate(Message).exists()
