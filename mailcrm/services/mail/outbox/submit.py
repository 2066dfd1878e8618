"""Send in one call, for programs: draft, template, files and queue together, once for each idempotency key.

Does nothing that the composer's verbs don't do; it only calls them in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from mailcrm.errors import UserError
from mailcrm.models import Outbox
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.db import reading
from mailcrm.services.mail.outbox import draft, queue
from mailcrm.services.mail.outbox.views import DraftInput, DraftView
from mailcrm.services.writing import using


@dataclass(frozen=True)
class File:
    """A file to send along."""

    filename: str
    content_type: str
    data: bytes


@dataclass(frozen=True)
class Wanted:
    """How it is sent: when, as the answer to what, and what the request was (`digest`, with its key)."""

    reply_to_message_id: int | None = None
    template_id: int | None = None
    send_at: datetime | None = None
    send_local: str = ""
    send_zone: str = ""
    remind_days: int | None = None
    send_anyway: bool = False
    key: str | None = None
    digest: str = ""


def submit(actor: Actor, entered: DraftInput, wanted: Wanted, *, files: Sequence[File] = ()) -> DraftView:
    """Queue a message; the same key again returns the first one and sends nothing.

    Raises UserError("outbox.key_used") for a key that came with another request, and what `draft.new_draft`,
    `draft.save`, `using.apply` and `queue.send` raise; a message that can't be sent leaves no draft behind.
    """
    found = _earlier(actor, wanted)
    if found is not None:
        return found
    mode = "new" if wanted.reply_to_message_id is None else "reply"
    made = draft.new_draft(
        actor, mailbox_id=entered.mailbox_id, reply_to_message_id=wanted.reply_to_message_id, mode=mode
    )
    try:
        draft.save(actor, made.id, entered)
        if wanted.template_id is not None:
            using.apply(actor, made.id, wanted.template_id)
        for file in files:
            draft.attach(actor, made.id, file.filename, file.content_type, file.data)
        return queue.send(
            actor, made.id, delay_s=0, send_at=wanted.send_at, send_local=wanted.send_local,
            send_zone=wanted.send_zone, remind_days=wanted.remind_days, send_anyway=wanted.send_anyway,
            idempotency_key=wanted.key, idempotency_digest=wanted.digest,
        )  # fmt: skip
    except IntegrityError:  # the same key, at the same moment
        draft.discard(actor, made.id)
        found = _earlier(actor, wanted)
        if found is None:
            raise
        return found
    except Exception:
        draft.discard(actor, made.id)
        raise


def _earlier(actor: Actor, wanted: Wanted) -> DraftView | None:
    if not wanted.key:
        return None
    with reading() as session:
        query = select(Outbox.id, Outbox.idempotency_digest)
        found = session.exec(query.where(access.own_outbox(actor), Outbox.idempotency_key == wanted.key)).first()
    if found is None:
        return None
    if wanted.digest and found[1] and found[1] != wanted.digest:
        raise UserError("outbox.key_used")
    return draft.get(actor, found[0] or 0)
