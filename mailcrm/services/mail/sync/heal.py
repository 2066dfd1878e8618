"""Gets lost bytes back: a message whose blob is gone (a power cut, a damaged disk) becomes pending again.

Its row stays; when the server still has it, the same bytes come under the same name and everything fits again.
"""

from __future__ import annotations

from sqlmodel import col, delete, select

from mailcrm.models import Folder, Mailbox, Message, MessageLocation, PendingUid
from mailcrm.models.base import utcnow
from mailcrm.services.db import transaction
from mailcrm.services.jobs import queue
from mailcrm.services.mail import blobs
from mailcrm.services.rows import run


def refetch(message_id: int) -> bool:
    """Ask for a message's bytes again; False when no server has it any more. Call it after `blobs.BlobLost`.

    For services only: whoever calls has authorised the reading of the message.
    """
    with transaction() as session:
        places = session.exec(select(MessageLocation).where(MessageLocation.message_id == message_id)).all()
        if not places:
            return False
        message = session.get_one(Message, message_id)
        message.remote_id = None  # or its bytes would be taken for stored (identify.py)
        session.add(message)
        blobs.drop_damaged(session, message.blob_sha)
        run(session, delete(MessageLocation).where(col(MessageLocation.message_id) == message_id))
        for place in places:
            session.add(PendingUid(folder_id=place.folder_id, uid=place.uid))
        folder = session.get_one(Folder, places[0].folder_id)
        mailbox = session.get_one(Mailbox, folder.mailbox_id)
        mailbox.sync_requested_at, mailbox.next_try_at = utcnow(), None
        session.add(mailbox)
        mailbox_id = mailbox.id or 0
    queue.enqueue("sync_mailbox", mailbox_id=mailbox_id)
    return True
