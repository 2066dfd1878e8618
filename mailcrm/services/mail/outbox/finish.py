"""What follows a delivery, in its transaction: the kept copy becomes a message of ours, linked and countable.

Helpers: they take a session and never commit. Idempotent: a message that is stored already is adopted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session, col, select

from mailcrm.models import Link, Mailbox, Message, Outbox, TrackedMessage, utcnow
from mailcrm.services import live
from mailcrm.services.mail import blobs, reminders, store
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
    _own_tracking(session, row, message, now)
    _link_chosen(session, row, message)
    if row.remind_days is not None:
        reminders.after_sending(session, row.user_id, message, row.remind_days)
    live.hint(session, row.user_id, "mail", message.thread_id)


def _own_tracking(session: Session, row: Outbox, message: Message, now: datetime) -> None:
    """Give the message its tracked copies; those of an earlier grouping of the recipients live on for themselves (T10)."""
    people = [each for each in rows.recipients(session, row.id or 0) if each.tracking]
    copies = {each.address.lower() for each in people if each.tracking == "copy"}
    together = {each.address.lower() for each in people if each.tracking == "together"}
    current = copies | (together if len(together) == 1 else {""} if together else set[str]())
    for tracked in session.exec(select(TrackedMessage).where(TrackedMessage.outbox_id == row.id)):
        if people and tracked.recipient not in current:
            tracked.outbox_id = tracked.message_id = None
        else:
            tracked.message_id, tracked.sent_at = message.id, tracked.sent_at or now
        session.add(tracked)


def arrived(session: Session, row: Outbox, kept: Kept, addresses: Sequence[str] | None = None) -> None:
    """Mark a message as sent to all who were in doubt, or to these: it was found where it could only be after that.

    Those who were not sent to yet go on waiting, and the message is queued for them.
    """
    people = rows.recipients(session, row.id or 0)
    rest = rows.unsent(row, people)
    doubtful = [each for each in people if each.state == "waiting" and each not in rest]
    still = [each for each in doubtful if addresses is not None and each.address not in addresses]
    for each in doubtful:
        if each not in still:
            each.state, each.handed_over_at = "accepted", None
            session.add(each)
    asked_since = row.handed_over_at
    sent(session, row, kept)
    row.handed_over_at = None
    if rest:
        row.state, row.next_try_at = "queued", utcnow()
    elif still:
        row.state, row.handed_over_at = "unknown", asked_since
        row.error_code, row.error_params = "smtp.unknown", {}
    session.add(row)


def refuse_unsent(session: Session, row: Outbox) -> None:
    """Mark those who still waited as refused, when no attempt follows; not those who may have it."""
    for each in rows.recipients(session, row.id or 0):
        if each.state == "waiting" and each.handed_over_at is None:
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


def _link_chosen(session: Session, row: Outbox, message: Message) -> None:
    """Link the thread to the deal and the lead chosen in the composer; a choice undoes an earlier unlinking."""
    for name, chosen in (("deal_id", row.deal_id), ("lead_id", row.lead_id)):
        if chosen is None:
            continue
        target = col(Link.deal_id) if name == "deal_id" else col(Link.lead_id)
        link = session.exec(select(Link).where(Link.thread_id == message.thread_id, target == chosen)).first()
        if link is None:
            link = Link(
                thread_id=message.thread_id,
                origin="composer",
                reason={"code": "composer"},
                created_by=row.user_id,
            )
            setattr(link, name, chosen)
        link.unlinked_at = link.unlinked_by = None
        session.add(link)
        live.hint(session, None, "crm")
