"""Stores a message that was accepted, in its user's holder, and links it to what its address names.

    synced already      the link goes to the copy in the mailbox, and nothing is stored twice (merged by Message-ID)
    being sent from here    tried again in a moment, when the sent copy is a message
    else                a message of the holder: archived, read; its visibility is the holder's default (M23)

The other way round, when the mailbox's copy comes later, mail/held.py lets the holder's step back. Works inside the
caller's transaction and never commits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session, col, select

from mailcrm.models import Link, Mailbox, Message, Outbox
from mailcrm.services import live
from mailcrm.services.crm.linking import guard
from mailcrm.services.crm.linking.link import link_by_smart_bcc
from mailcrm.services.mail import store
from mailcrm.services.mail.held import is_same
from mailcrm.services.mail.parse.values import Address, ParsedMessage
from mailcrm.services.mail.thread.assign import lock_user
from mailcrm.services.smart_bcc.holder import holder_of


@dataclass(frozen=True, slots=True)
class Item:
    """A message to keep; its bytes are in the blob store."""

    sha: str
    size: int
    parsed: ParsedMessage
    received_at: datetime
    direction: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of it: `new` False when it was there; `linked` None when nothing was to be linked."""

    message_id: int
    new: bool
    linked: bool | None


class BeingSent(Exception):
    """The message is on its way from here, and no row of ours yet."""


def keep(
    session: Session,
    user_id: int,
    items: Sequence[Item],
    *,
    deal_id: int | None = None,
    lead_id: int | None = None,
    wait: bool = True,
) -> Kept:
    """Store what is new of these messages, link all of them; return the first one's fate.

    Raises BeingSent, unless nobody wants to `wait`: then the sent copy takes its place later.
    """
    guard.deciding(session)
    lock_user(session, user_id)
    kept = [_keep(session, user_id, item, deal_id, lead_id, wait=wait) for item in items]
    if any(each.linked for each in kept):
        live.hint(session, None, "crm")
    return kept[0]


def without(parsed: ParsedMessage, is_place: Callable[[str], bool]) -> ParsedMessage:
    """Return the message without the addresses that are Smart Bcc's own: they are nobody's, and secret."""

    def others(people: tuple[Address, ...]) -> tuple[Address, ...]:
        return tuple(each for each in people if not is_place(each.address))

    return replace(parsed, to=others(parsed.to), cc=others(parsed.cc), bcc=others(parsed.bcc))


def _keep(session: Session, user_id: int, item: Item, deal_id: int | None, lead_id: int | None, *, wait: bool) -> Kept:
    found = _synced(session, user_id, item)
    new = False
    if found is None:
        if wait and _being_sent(session, user_id, item):
            raise BeingSent
        holder = holder_of(session, user_id)
        found = _held(session, holder.id or 0, item)
        if found is None:
            new = True
            incoming = store.Incoming(
                sha=item.sha, size=item.size, parsed=item.parsed, received_at=item.received_at,
                direction=item.direction, read=True, archived=True,
            )  # fmt: skip
            message_id = store.store(session, store.owner_of(session, holder), [incoming])[item.sha]
            found = session.get_one(Message, message_id)
    linked = None
    if deal_id is not None or lead_id is not None:
        linked = link_by_smart_bcc(session, found.thread_id, deal_id=deal_id, lead_id=lead_id)
        linked = linked or _is_linked(session, found.thread_id, deal_id, lead_id)
        live.hint(session, user_id, "mail", found.thread_id)
    return Kept(found.id or 0, new, linked)


def _is_linked(session: Session, thread_id: int, deal_id: int | None, lead_id: int | None) -> bool:
    target = col(Link.deal_id) == deal_id if deal_id is not None else col(Link.lead_id) == lead_id
    standing = select(Link.id).where(Link.thread_id == thread_id, target, col(Link.unlinked_at).is_(None))
    return session.exec(standing).first() is not None


def _synced(session: Session, user_id: int, item: Item) -> Message | None:
    """The copy that a mailbox of the user has."""
    if not item.parsed.rfc_message_id:
        return None
    copies = session.exec(
        select(Message)
        .join(Mailbox, col(Mailbox.id) == col(Message.mailbox_id))
        .where(
            Message.user_id == user_id,
            Message.rfc_message_id == item.parsed.rfc_message_id,
            Mailbox.kind != "bcc",
            col(Message.deleted_at).is_(None),
            col(Message.junk).is_(False),
        )
        .order_by(col(Message.gone_at).is_not(None), col(Message.id))
    ).all()
    return next((each for each in copies if is_same(each, _author(item), item.parsed.sent_at)), None)


def _author(item: Item) -> str:
    return item.parsed.from_[0].address.lower() if item.parsed.from_ else ""


def _held(session: Session, mailbox_id: int, item: Item) -> Message | None:
    """The copy that came before: to another address of ours, or forwarded twice."""
    same = col(Message.blob_sha) == item.sha
    if item.parsed.rfc_message_id:
        same = same | (col(Message.rfc_message_id) == item.parsed.rfc_message_id)
    copies = session.exec(select(Message).where(Message.mailbox_id == mailbox_id, same).order_by(col(Message.id))).all()
    # Whoever writes to a user chooses the Message-ID: a used one must neither drop their mail nor link the other.
    author, sent_at = _author(item), item.parsed.sent_at
    found = next((each for each in copies if each.blob_sha == item.sha or is_same(each, author, sent_at)), None)
    if found is not None and found.deleted_at is not None:
        found.deleted_at = None  # sent to the CRM once more: it is wanted again
        session.add(found)
    return found


def _being_sent(session: Session, user_id: int, item: Item) -> bool:
    if not item.parsed.rfc_message_id:
        return False
    under_way = select(Outbox.id).where(
        Outbox.user_id == user_id,
        Outbox.rfc_message_id == item.parsed.rfc_message_id,
        col(Outbox.message_id).is_(None),
        col(Outbox.state).in_(("queued", "sending", "unknown")),
    )
    return session.exec(under_way).first() is not None
