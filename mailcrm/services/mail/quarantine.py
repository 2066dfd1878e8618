"""Messages that could not be stored or parsed (B02): list them with their reasons, ask for another try.

Does not quarantine: the sync engine does, with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, select

from mailcrm.models import Folder, Mailbox, PendingUid, Quarantined, utcnow
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs import queue


@dataclass(frozen=True)
class QuarantineView:
    """One message on the server that is not in the lists, and why."""

    id: int
    mailbox_id: int
    mailbox: str
    folder: str
    uid: int
    reason: str
    tries: int
    tried_at: datetime


def list_quarantine(actor: Actor, mailbox_id: int | None = None) -> tuple[QuarantineView, ...]:
    """List the actor's quarantined messages, oldest first."""
    query = (
        select(Quarantined, Folder, Mailbox)
        .where(
            col(Folder.id) == col(Quarantined.folder_id),
            col(Mailbox.id) == col(Folder.mailbox_id),
            access.own_mailbox(actor),
        )
        .order_by(col(Quarantined.id))
    )
    if mailbox_id is not None:
        query = query.where(Mailbox.id == mailbox_id)
    with reading() as session:
        return tuple(
            QuarantineView(
                row.id or 0, box.id or 0, box.address, folder.name, row.uid, row.reason, row.tries, row.tried_at
            )
            for row, folder, box in session.exec(query)
        )


def retry(actor: Actor, item_id: int | None = None) -> int:
    """Put quarantined messages back to pending and ask for a sync; return how many. Unknown ids count as none."""
    wanted = [item for item in list_quarantine(actor) if item_id is None or item.id == item_id]
    with transaction() as session:
        for item in wanted:
            row = session.get(Quarantined, item.id)
            if row is None:
                continue
            session.add(PendingUid(folder_id=row.folder_id, uid=row.uid))
            session.delete(row)
        for box in {item.mailbox_id for item in wanted}:
            mailbox = access.load(session, Mailbox, box, access.own_mailbox(actor))
            mailbox.sync_requested_at, mailbox.next_try_at = utcnow(), None
            session.add(mailbox)
    for box in {item.mailbox_id for item in wanted}:
        queue.enqueue("sync_mailbox", mailbox_id=box)
    return len(wanted)
