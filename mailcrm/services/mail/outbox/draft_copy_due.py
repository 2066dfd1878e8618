"""Which drafts' copies on the server are to be made or removed, as conditions; `draft_copy.py` does it.

Apart from it because the worker's sweep asks this for as long as it runs, and what builds mail takes 7 MB.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select
from sqlmodel import col

from mailcrm.models import DraftCopy, Folder, Mailbox, Outbox

SETTLED = timedelta(seconds=15)  # without a save: not every pause of typing is worth a copy


def lacks_copy(now: datetime) -> ColumnElement[bool]:
    """Say: a draft that somebody wrote in, in a mailbox that wants copies, without a row of its own."""
    there = exists().where(col(DraftCopy.outbox_id) == Outbox.id, col(DraftCopy.mailbox_id) == Outbox.mailbox_id)
    return and_(
        col(Outbox.state) == "draft",
        col(Outbox.revision) > 0,
        col(Outbox.updated_at) <= now - SETTLED,
        col(Outbox.mailbox_id).in_(asking()),
        ~there,
    )


def is_due(now: datetime) -> ColumnElement[bool]:
    """Say: a copy that is not as it should be, of a mailbox that can be reached."""
    ready = or_(col(DraftCopy.next_try_at).is_(None), col(DraftCopy.next_try_at) <= now)
    free = or_(col(DraftCopy.lease_until).is_(None), col(DraftCopy.lease_until) <= now)
    live = select(col(Mailbox.id)).where(col(Mailbox.status) == "active")
    newer = and_(
        col(Outbox.updated_at) <= now - SETTLED,
        or_(col(DraftCopy.copied_at).is_(None), col(DraftCopy.copied_at) < col(Outbox.updated_at)),
    )
    kept = exists().where(wanted())
    return and_(ready, free, col(DraftCopy.mailbox_id).in_(live), or_(~kept, exists().where(wanted(), newer)))


def asking() -> Select[Any]:
    """Return the mailboxes with copies. A folder for drafts that is synced would bring each back as a message: it has none."""
    synced = select(col(Folder.mailbox_id)).where(col(Folder.role) == "drafts", col(Folder.chosen))
    return select(col(Mailbox.id)).where(
        col(Mailbox.write_drafts), col(Mailbox.kind) == "imap", col(Mailbox.id).not_in(synced)
    )


def wanted() -> ColumnElement[bool]:
    """Say that the draft is one, and stands in the mailbox of the copy, whose user wants it."""
    return and_(
        col(Outbox.id) == col(DraftCopy.outbox_id),
        col(Outbox.state) == "draft",
        col(Outbox.mailbox_id) == col(DraftCopy.mailbox_id),
        col(Mailbox.id) == col(DraftCopy.mailbox_id),
        col(Mailbox.id).in_(asking()),
    )
