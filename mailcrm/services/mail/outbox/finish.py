"""What follows a delivery, in its transaction: the kept copy becomes a message of ours, linked and countable.

Helpers: they take a session and never commit. Idempotent: a message that is stored already is adopted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlmodel import Session, col, select

from mailcrm.models import Link, Mailbox, Message, Outbox, TrackedMessage, utcnow
from mailcrm.services import live
from mailcrm.services.mail import blobs, store
from mailcrm.services.mail.outbox import rows
from mailcrm.services.mail.parse.message import parse_message
from mailcrm.services.mail.parse.values import ParsedMessage


@dataclass(frozen=True)
class Kept:
    """The kept copy, parsed outside the transaction."""

    sha: str
    size: int
    parsed: ParsedMessage


def load(sha: str) -> Kept:
    """Load and parse the kept copy."""
    raw = blobs.get(sha)
    return Kept(sha, len(raw), parse_message(raw))


def sent(session: Session, row: Outbox, kept: Kept) -> None:
    """Mark a message as sent and store the copy of it, in its thread; the first time also ask for the server's copy."""
    now = utcnow()
    mailbox = session.get(Mailbox, row.mailbox_id)
    assert mailbox is not None  # the outbox row would be gone with it
    row.state, row.next_try_at = "sent", None
    row.error_code, row.error_params = "", {}
    if row.sent_at is not None:
        return
    row.sent_at, row.tries = now, 0
    row.sent_copy = "pending"
    message = _adopted(session, row) or _stored(session, row, mailbox, kept)
    row.message_id = message.id
    session.add(row)
    session.flush()
    for tracked in session.exec(select(TrackedMessage).where(TrackedMessage.outbox_id == row.id)):
        tracked.message_id, tracked.sent_at = message.id, now
        session.add(tracked)
    if row.deal_id is not None:
        _link_deal(session, row, message)
    live.hint(session, row.user_id, "mail", message.thread_id)


def refuse_waiting(session: Session, row: Outbox) -> None:
    """Mark those who still waited as refused, when no attempt follows."""
    for each in rows.recipients(session, row.id or 0):
        if each.state == "waiting":
            each.state = "refused"
            session.add(each)


def smtp_host(session: Session, row: Outbox) -> str:
    """Return the name of the server the mailbox sends through."""
    mailbox = session.get(Mailbox, row.mailbox_id)
    return mailbox.smtp_host if mailbox else ""


def _adopted(session: Session, row: Outbox) -> Message | None:
    """The sync may have met the server's own copy first."""
    found = session.exec(
        select(Message).where(
            Message.mailbox_id == row.mailbox_id,
            Message.rfc_message_id == row.rfc_message_id,
            Message.direction == "out",
        )
    ).first()
    if found is not None:
        found.visibility = row.visibility
        session.add(found)
    return found


def _stored(session: Session, row: Outbox, mailbox: Mailbox, kept: Kept) -> Message:
    owner = replace(store.owner_of(session, mailbox), visibility=row.visibility)
    item = store.Incoming(
        sha=kept.sha, size=kept.size, parsed=kept.parsed, received_at=utcnow(), direction="out", read=True
    )
    message_id = store.store(session, owner, [item])[kept.sha]
    message = session.get(Message, message_id)
    assert message is not None
    return message


def _link_deal(session: Session, row: Outbox, message: Message) -> None:
    """Link the thread to the deal chosen in the composer; a choice undoes an earlier unlinking."""
    link = session.exec(
        select(Link).where(Link.thread_id == message.thread_id, col(Link.deal_id) == row.deal_id)
    ).first()
    if link is None:
        link = Link(
            thread_id=message.thread_id,
            deal_id=row.deal_id,
            origin="composer",
            reason={"code": "composer"},
            created_by=row.user_id,
        )
    link.unlinked_at = link.unlinked_by = None
    session.add(link)
    live.hint(session, None, "crm")
