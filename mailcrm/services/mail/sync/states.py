"""Writes what may change about a located message: its flags, on Gmail its labels.

Works inside the caller's transaction and never commits. No network.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import update
from sqlmodel import Session, col, select

from mailcrm.models import Folder, Message, MessageLocation
from mailcrm.services.mail.imap.client import State
from mailcrm.services.mail.sync import homes
from mailcrm.services.mail.sync.values import spell, spell_labels
from mailcrm.services.mail.writeback import queue as writeback
from mailcrm.services.mail.writeback.plan import FLAGS as FLAG_ACTS
from mailcrm.services.rows import chunks, run

INBOX_LABEL = "\\Inbox"


def newest(session: Session, folder_id: int, count: int, below: int | None = None) -> list[int]:
    """Return the UIDs of the newest located messages (below a UID), newest first."""
    statement = select(MessageLocation.uid).where(MessageLocation.folder_id == folder_id)
    if below is not None:
        statement = statement.where(MessageLocation.uid < below)
    return list(session.exec(statement.order_by(col(MessageLocation.uid).desc()).limit(count)))


def save(session: Session, folder: Folder, found: Mapping[int, State]) -> set[int]:
    """Write what changed; a message is read when its changed location is. Returns the messages whose reading changed."""
    touched: dict[int, bool] = {}
    filed: dict[int, bool] = {}
    for part in chunks(sorted(found)):
        for location in session.exec(
            select(MessageLocation).where(MessageLocation.folder_id == folder.id, col(MessageLocation.uid).in_(part))
        ):
            state = found[location.uid]
            spelled = spell(state.flags)
            if spelled != location.flags:
                seen = "\\Seen" in state.flags
                if seen != location.seen:
                    touched[location.message_id] = seen
                location.flags, location.seen = spelled, seen
                session.add(location)
            labels = spell_labels(state.labels)
            if state.labels is not None and labels != location.labels:
                was, now = INBOX_LABEL in location.labels.split("\n"), INBOX_LABEL in state.labels
                if was != now and folder.role == "all":
                    filed[location.message_id] = not now
                location.labels = labels
                session.add(location)
    session.flush()
    # What was read here and is not written back yet holds until it is: no flicker; then the server's word counts again.
    for message_id in writeback.waits_for(session, list(touched), FLAG_ACTS):
        del touched[message_id]
    for value in (True, False):
        for part in chunks(sorted(i for i, read in touched.items() if read == value)):
            run(session, update(Message).where(col(Message.id).in_(part)).values(read=value))
        for part in chunks(sorted(i for i, archived in filed.items() if archived == value)):
            incoming = col(Message.direction) == "in"
            run(session, update(Message).where(col(Message.id).in_(part), incoming).values(archived=value))
    homes.refresh(session, touched)
    return set(touched)
