"""What Smart Bcc holds steps back when the mailbox's own copy of the same message comes (M13: no message twice).

The sync stores the copy into the same conversation by its Message-ID, so the links of the conversation are its links
already; links of the message itself and the log of arrivals move over, and so does the held copy's visibility: what a
person shared or hid stays so. Works inside the caller's transaction; twice changes nothing. Never commits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, update
from sqlmodel import Session, col, select

from mailcrm.models import BccArrival, Link, Mailbox, Message, Notification, Outbox
from mailcrm.services import live
from mailcrm.services.mail.thread.summary import refresh_threads
from mailcrm.services.rows import chunks, pick, rows, run

CLOSE = timedelta(days=2)  # between two readings of one Date: a forward may tell it without its zone


def is_same(copy: Message, author: str, sent_at: datetime | None) -> bool:
    """Whether a message with the same Message-ID is the same one: also its author, and about its date.

    A Message-ID taken from a forward is the forwarding program's word.
    """
    if author and copy.from_address and copy.from_address.lower() != author.lower():
        return False
    return sent_at is None or copy.sent_at is None or abs(copy.sent_at - sent_at) <= CLOSE


def holding(session: Session, user_ids: Iterable[int]) -> set[int]:
    """Return who of these users has mail by Smart Bcc."""
    held = pick(Mailbox.user_id).where(col(Mailbox.user_id).in_(list(user_ids)), col(Mailbox.kind) == "bcc")
    return {row[0] for row in rows(session, held)}


def settle(session: Session, user_id: int, message_ids: Sequence[int]) -> None:
    """Look whether these messages of one user, which the rules are looking at, are copies of what is held."""
    held = pick(Mailbox.id).where(col(Mailbox.user_id) == user_id, col(Mailbox.kind) == "bcc")
    holder = rows(session, held)
    if not holder or not message_ids:
        return
    holder_id: int = holder[0][0]
    for part in chunks(message_ids):
        arrived: dict[str, Message] = {
            row.rfc_message_id: row
            for row in session.exec(
                select(Message).where(
                    col(Message.id).in_(part),
                    Message.mailbox_id != holder_id,
                    col(Message.rfc_message_id).is_not(None),
                    col(Message.junk).is_(False),
                )
            )
            if row.rfc_message_id
        }
        copies = session.exec(
            select(Message).where(Message.mailbox_id == holder_id, col(Message.rfc_message_id).in_(list(arrived)))
        ).all()
        for copy in copies:
            own = arrived[copy.rfc_message_id or ""]
            if is_same(own, copy.from_address, copy.sent_at):
                _step_back(session, copy, own)


def _step_back(session: Session, copy: Message, own: Message) -> None:
    gone, stays = copy.id or 0, own.id or 0
    if own.thread_id == copy.thread_id or _only_in_thread(session, copy):
        _move_links(session, copy, own)
    own.visibility = copy.visibility
    session.add(own)
    referring: tuple[tuple[Any, str], ...] = (
        (BccArrival, "message_id"),
        (Notification, "message_id"),
        (Outbox, "reply_to_message_id"),
        (Outbox, "forward_of_message_id"),
    )
    for model, name in referring:
        run(session, update(model).where(getattr(model, name) == gone).values({name: stays}))
    session.flush()
    run(session, delete(Message).where(col(Message.id) == gone))
    session.expunge(copy)
    refresh_threads(session, {copy.thread_id, own.thread_id})
    live.hint(session, own.user_id, "mail", own.thread_id)
    live.hint(session, None, "crm")


def _only_in_thread(session: Session, copy: Message) -> bool:
    others = pick(Message.id).where(col(Message.thread_id) == copy.thread_id, col(Message.id) != copy.id).limit(1)
    return not rows(session, others)


def _move_links(session: Session, copy: Message, own: Message) -> None:
    """Give the copy's own links, and its conversation's where that ends with it, to the mailbox's message."""
    moved = session.exec(
        select(Link).where((col(Link.message_id) == copy.id) | (col(Link.thread_id) == copy.thread_id))
    ).all()
    for link in moved:
        if link.message_id is not None:
            link.message_id = own.id
        elif own.thread_id != copy.thread_id:
            target = (link.person_id, link.deal_id, link.lead_id)
            there = session.exec(select(Link).where(Link.thread_id == own.thread_id)).all()
            if any((each.person_id, each.deal_id, each.lead_id) == target for each in there):
                continue
            link.thread_id = own.thread_id
        session.add(link)
