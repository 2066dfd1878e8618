"""The bell: what a user is told of, newest first (T08).

A line says that something happened and how often, never what a message holds beyond subject and name; those are read
when the list is shown, and only while the actor may see the message. Repeats join one line while it is unread.
Reads and marks as read; what is told, and when, is services/telling.py. Lines that are held are not here yet.
Does not push: a hint on topic "notifications" makes open tabs read again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_
from sqlmodel import Session, col, func, select, update

from mailcrm.models import Mailbox, Message, Notification, Participant, utcnow
from mailcrm.models.workspace import NotificationKind
from mailcrm.services import access, live, paging
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.telling import DIGEST, NEWS, notify

__all__ = [
    "NotificationKind", "NotificationView", "list_notifications", "mark_read", "notify", "page_of_notifications", "unread_count",
]  # fmt: skip


@dataclass(frozen=True)
class NotificationView:
    """One line. `title` is who or which mailbox, `detail` the subject or the translated-to-be error code's sentence.

    `params` holds the rest that a sentence needs ("code", "url", "recipients").
    """

    id: int
    kind: str
    title: str
    detail: str
    count: int
    at: datetime
    read: bool
    thread_id: int | None
    message_id: int | None
    deal_id: int | None
    params: dict[str, Any]


def list_notifications(actor: Actor, kind: str | None = None, limit: int = 30) -> tuple[NotificationView, ...]:
    """Return the first page of `page_of_notifications`."""
    return page_of_notifications(actor, kind, limit=limit).rows


def page_of_notifications(
    actor: Actor, kind: str | None = None, cursor: str | None = None, limit: int = 30
) -> paging.Page[NotificationView]:
    """Return lines, newest first, of one kind when `kind` is given."""
    size = paging.page_size(limit)
    with reading() as session:
        query = select(Notification).where(access.own_notification(actor), _told())
        if kind is not None:
            query = query.where(Notification.kind == kind)
        if cursor:
            query = query.where(paging.older(cursor, col(Notification.at), col(Notification.id)))
        query = query.order_by(col(Notification.at).desc(), col(Notification.id).desc())
        found = session.exec(query.limit(size + 1)).all()
        views = [_view(session, actor, row) for row in found]
    made = paging.cut(views, size, lambda row: paging.cursor_at(row.at, row.id))
    return paging.Page(tuple(row for row in made.rows if row.kind != DIGEST or row.count), made.next_cursor)


def unread_count(actor: Actor) -> int:
    """Return how many lines are unread."""
    with reading() as session:
        unread = (access.own_notification(actor), _told(), col(Notification.read_at).is_(None))
        count = int(session.exec(select(func.count()).where(*unread)).one())
        digests = session.exec(select(Notification).where(*unread, Notification.kind == DIGEST)).all()
        return count - sum(not _view(session, actor, row).count for row in digests)


def mark_read(actor: Actor, notification_id: int | None = None) -> None:
    """Mark one line as read, or all. The next event of its kind starts a new line."""
    with transaction() as session:
        change = update(Notification).where(
            col(Notification.user_id) == actor.user_id, col(Notification.read_at).is_(None), _told()
        )
        if notification_id is not None:
            row = access.load(session, Notification, notification_id, col(Notification.user_id) == actor.user_id)
            change = change.where(col(Notification.id) == row.id)
        session.exec(change.values(read_at=utcnow(), group_key=None))  # type: ignore[call-overload]
        live.hint(session, actor.user_id, "notifications")


def _told() -> ColumnElement[bool]:
    """Not held back by quiet hours or for a digest, or not any more."""
    return or_(col(Notification.held_until).is_(None), col(Notification.held_until) <= utcnow())


def _view(session: Session, actor: Actor, row: Notification) -> NotificationView:
    if row.kind == DIGEST:
        return _digest(session, actor, row)
    title = detail = ""
    message = None
    if row.message_id is not None:
        message = session.exec(
            select(Message).where(Message.id == row.message_id, access.visible_message(actor))
        ).first()
    if message is not None:
        detail = message.subject
        people = session.exec(
            select(Participant.name, Participant.address)
            .where(Participant.message_id == message.id, col(Participant.role).in_(("to", "cc", "bcc")))
            .order_by(col(Participant.role).desc(), col(Participant.position))
            .limit(3)
        ).all()
        title = ", ".join(name or address for name, address in people)
    elif row.mailbox_id is not None:
        mailbox = session.exec(select(Mailbox).where(Mailbox.id == row.mailbox_id, access.own_mailbox(actor))).first()
        title = mailbox.address if mailbox else ""
    return NotificationView(
        id=row.id or 0,
        kind=row.kind,
        title=str(row.params.get("title") or title),
        detail=str(row.params.get("detail") or detail),
        count=row.count,
        at=row.at,
        read=row.read_at is not None,
        thread_id=message.thread_id if message is not None and message.user_id == actor.user_id else None,
        message_id=message.id if message is not None else None,
        deal_id=row.deal_id,
        params=dict(row.params),
    )


def _digest(session: Session, actor: Actor, row: Notification) -> NotificationView:
    """One line for many emails: `params` counts "open", "click", "replied" and "emails" that the actor may see."""
    by: dict[str, dict[str, int]] = row.params.get("by", {})
    ids = [int(each) for each in by if each != "0"]
    seen = session.exec(
        select(Message.id, Message.subject)
        .where(col(Message.id).in_(ids), access.visible_message(actor))
        .order_by(col(Message.id).desc())
    ).all()
    counted = [by[str(message_id)] for message_id, _ in seen] + [row.params.get("rest", {})]
    totals = {kind: sum(each.get(kind, 0) for each in counted) for kind in NEWS}
    emails = len(seen) + int(row.params.get("rest", {}).get("emails", 0))
    return NotificationView(
        id=row.id or 0,
        kind=DIGEST,
        title="",
        detail=", ".join(dict.fromkeys(subject for _, subject in seen if subject))[:200],
        count=sum(totals.values()),
        at=row.at,
        read=row.read_at is not None,
        thread_id=None,
        message_id=None,
        deal_id=None,
        params={**totals, "emails": emails},
    )
