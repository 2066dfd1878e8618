"""Outbox rows to views, and small writes that draft.py and queue.py share. Helpers: they take a session, never commit."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlmodel import Session, col, delete, select

from mailcrm.models import Deal, Lead, Mailbox, Message, Outbox, OutboxAttachment, OutboxRecipient
from mailcrm.sentences import SENTENCES
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.mail import blobs, store
from mailcrm.services.mail.outbox.addresses import format_addresses
from mailcrm.services.mail.outbox.consent import judge
from mailcrm.services.mail.outbox.html import QUOTE_CLASS, text_of
from mailcrm.services.mail.outbox.views import DraftAttachment, DraftView, RecipientView

SNIPPET = 140  # characters, one line of a list

_MEDIA = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}")


def view(session: Session, actor: Actor, row: Outbox) -> DraftView:
    """Return the view of one row that the actor owns."""
    session.flush()
    mailbox = session.get(Mailbox, row.mailbox_id)
    found = recipients(session, row.id or 0)
    deal = session.exec(select(Deal).where(Deal.id == row.deal_id, access.visible_crm(actor, Deal))).first()
    lead = session.exec(select(Lead).where(Lead.id == row.lead_id, access.visible_crm(actor, Lead))).first()
    judged = judge(session, [each.address for each in found])
    answered = row.reply_to_message_id or row.message_id
    thread_id = session.exec(
        select(Message.thread_id).where(Message.id == answered, Message.user_id == actor.user_id)
    ).first()
    by_role = {role: format_addresses([(r.name, r.address) for r in found if r.role == role]) for role in ROLES}
    return DraftView(
        id=row.id or 0,
        mailbox_id=row.mailbox_id,
        from_address=row.from_address or (mailbox.address if mailbox else ""),
        from_name=mailbox.display_name if mailbox else "",
        to=by_role["to"],
        cc=by_role["cc"],
        bcc=by_role["bcc"],
        subject=row.subject,
        html=row.html,
        track_opens=row.track_opens,
        track_clicks=row.track_clicks,
        track_copies=row.track_copies,
        visibility=row.visibility,
        deal_id=deal.id if deal else None,
        deal_title=deal.title if deal else "",
        state=row.state,
        error=_sentence(row.error_code, row.error_params),
        error_code=row.error_code,
        error_params=dict(row.error_params),
        send_at=row.send_at,
        sent_at=row.sent_at,
        next_try_at=row.next_try_at,
        updated_at=row.updated_at,
        attachments=tuple(
            DraftAttachment(f.n, f.filename, f.content_type, f.size, f.inline) for f in files(session, row.id or 0)
        ),
        quoted=f'class="{QUOTE_CLASS}"' in row.html,
        recipients=tuple(RecipientView(r.role, r.name, r.address, r.state, r.reply_text) for r in found),
        untracked=tuple(each.name or address for address, each in judged.items() if each.verdict),
        refused=tuple(each.name or address for address, each in judged.items() if each.verdict == "refused"),
        reply_to_message_id=row.reply_to_message_id,
        thread_id=thread_id,
        message_id=row.message_id,
        snippet=" ".join(text_of(row.html).split())[:SNIPPET],
        lead_id=lead.id if lead else None,
        lead_title=lead.title if lead else "",
        signature_id=row.signature_id,
        template_id=row.template_id,
        plain=row.plain,
        revision=row.revision,
        send_local=row.send_local,
        send_zone=row.send_zone,
        remind_days=row.remind_days,
    )


ROLES = ("to", "cc", "bcc")


def own(session: Session, actor: Actor, outbox_id: int) -> Outbox:
    """Load a row of the actor's to change it: two tabs wait for each other, and the second sees what the first did."""
    row = access.load(session, Outbox, outbox_id, access.own_outbox(actor))
    session.refresh(row, with_for_update=True)  # on PostgreSQL both would have read "draft"
    return row


def recipients(session: Session, outbox_id: int) -> Sequence[OutboxRecipient]:
    """Return the recipients in the order of the headers."""
    found = session.exec(
        select(OutboxRecipient).where(OutboxRecipient.outbox_id == outbox_id).order_by(col(OutboxRecipient.position))
    ).all()
    return sorted(found, key=lambda each: (ROLES.index(each.role), each.position))


def unsent(row: Outbox, people: Sequence[OutboxRecipient]) -> list[OutboxRecipient]:
    """Return those who wait and certainly don't have it.

    A message handed over by a version that marked no recipients is in doubt for everybody who waits.
    """
    marked = [each for each in people if each.handed_over_at is not None]
    if row.handed_over_at is not None and not marked:
        return []
    return [each for each in people if each.state == "waiting" and each.handed_over_at is None]


def files(session: Session, outbox_id: int) -> Sequence[OutboxAttachment]:
    """Return the files that go along, in order."""
    query = select(OutboxAttachment).where(OutboxAttachment.outbox_id == outbox_id)
    return session.exec(query.order_by(col(OutboxAttachment.n))).all()


def write_recipients(session: Session, row: Outbox, role: str, people: list[tuple[str, str]]) -> None:
    """Put these (name, address) pairs in a role, in place of the ones there."""
    session.exec(
        delete(OutboxRecipient).where(col(OutboxRecipient.outbox_id) == row.id, col(OutboxRecipient.role) == role)
    )
    for position, (name, address) in enumerate(people):
        session.add(OutboxRecipient(outbox_id=row.id or 0, role=role, position=position, name=name, address=address))
    session.flush()


def keep_blob(session: Session, data: bytes) -> str:
    """Store bytes in the blob store and note them in the caller's transaction; return their name."""
    sha = blobs.put(data)
    store.save_blobs(session, {sha: len(data)})
    return sha


def media_type(text: str) -> str:
    """Return a safe type/subtype, application/octet-stream when it is none or would be read as part of the message."""
    found = text.split(";", maxsplit=1)[0].strip().lower()
    if not _MEDIA.fullmatch(found) or found.startswith(("multipart/", "message/")):
        return "application/octet-stream"
    return found


def content_id(text: str) -> str:
    """Return a Content-ID of safe characters only."""
    return re.sub(r"[^A-Za-z0-9._@-]", "", text)[:100]


def _sentence(code: str, params: dict[str, object]) -> str:
    if not code:
        return ""
    try:
        return SENTENCES.get(code, SENTENCES["internal"]).format(**params)
    except (KeyError, IndexError):
        return SENTENCES["internal"]
