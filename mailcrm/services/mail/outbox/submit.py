"""Send in one call, for programs: draft, files and queue together, once for each idempotency key.

Does nothing that the composer's verbs don't do; it only calls them in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from mailcrm.models import Outbox
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.db import reading
from mailcrm.services.mail.outbox import draft, queue
from mailcrm.services.mail.outbox.views import DraftInput, DraftView


@dataclass(frozen=True)
class File:
    """A file to send along."""

    filename: str
    content_type: str
    data: bytes


def submit(
    actor: Actor,
    entered: DraftInput,
    *,
    files: Sequence[File] = (),
    reply_to_message_id: int | None = None,
    send_at: datetime | None = None,
    idempotency_key: str | None = None,
) -> DraftView:
    """Queue a message; the same key again returns the first one and sends nothing.

    Raises as `draft.new_draft`, `draft.save` and `queue.send` do; a message that can't be sent leaves no draft behind.
    """
    found = _earlier(actor, idempotency_key)
    if found is not None:
        return found
    mode = "new" if reply_to_message_id is None else "reply"
    made = draft.new_draft(actor, mailbox_id=entered.mailbox_id, reply_to_message_id=reply_to_message_id, mode=mode)
    try:
        draft.save(actor, made.id, entered)
        for file in files:
            draft.attach(actor, made.id, file.filename, file.content_type, file.data)
        return queue.send(actor, made.id, delay_s=0, send_at=send_at, idempotency_key=idempotency_key)
    except IntegrityError:  # the same key, at the same moment
        draft.discard(actor, made.id)
        found = _earlier(actor, idempotency_key)
        if found is None:
            raise
        return found
    except Exception:
        draft.discard(actor, made.id)
        raise


def _earlier(actor: Actor, key: str | None) -> DraftView | None:
    if not key:
        return None
    with reading() as session:
        query = select(Outbox.id).where(access.own_outbox(actor), Outbox.idempotency_key == key)
        found = session.exec(query).first()
    return draft.get(actor, found) if found is not None else None
