"""The bell: what a user is told of, newest first (T08).

A line says that something happened and how often, never what a message holds beyond subject and name; those are read
when the list is shown, and only while the actor may see the message. Repeats join one line while it is unread.
Does not push: a hint on topic "notifications" makes open tabs read again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, func, select, update

from mailcrm.models import Mailbox, Message, Notification, Participant, utcnow
from mailcrm.services import access, live, paging
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction

KINDS = ("open", "click", "send_failed", "sync_failed", "reconnect", "info")


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
        query = select(Notification).where(access.own_notification(actor))
        if kind is not None:
            query = query.where(Notification.kind == kind)
        if cursor:
            query = query.where(paging.older(cursor, col(Notification.at), col(Notification.id)))
        query = query.order_by(col(Notification.at).desc(), col(Notification.id).desc())
        found = session.exec(query.limit(size + 1)).all()
        views = [_view(session, actor, row) for row in found]
    return paging.cut(views, size, lambda row: paging.cursor_at(row.at, row.id))


def unread_count(actor: Actor) -> int:
    """Return how many lines are unread."""
    with reading() as session:
        query = select(func.count()).where(access.own_notification(actor), col(Notification.read_at).is_(None))
        return int(session.exec(query).one())


def mark_read(actor: Actor, notification_id: int | None = None) -> None:
    """Mark one line as read, or all. The next event of its kind starts a new line."""
    with transaction() as session:
        change = update(Notification).where(
            col(Notification.user_id) == actor.user_id, col(Notification.read_at).is_(None)
        )
        if notification_id is not None:
            row = access.load(session, Notification, notification_id, col(Notification.user_id) == actor.user_id)
            change = change.where(col(Notification.id) == row.id)
        session.exec(change.values(read_at=utcnow(), group_key=None))  # type: ignore[call-overload]
        live.hint(session, actor.user_id, "notifications")


def notify(
    session: Session,
    user_id: int,
    kind: str,
    *,
    group_key: str | None = None,
    count: int = 1,
    at: datetime | None = None,
    message_id: int | None = None,
    thread_id: int | None = None,
    mailbox_id: int | None = None,
    deal_id: int | None = None,
    params: dict[str, Any] | None = None,
) -> None:
    """Tell a user, in the caller's transaction; joins the unread line of the same `group_key`.

    Two processes that meet at a new line: the second fails on the unique key and its caller's transaction is tried
    again; callers that may meet (tracking/record.py) lock the tracked row first, so they don't.
    """
    at = at or utcnow()
    row = None
    if group_key is not None:
        row = session.exec(
            select(Notification).where(Notification.user_id == user_id, Notification.group_key == group_key)
        ).first()
    if row is None:
        row = Notification(user_id=user_id, kind=kind, group_key=group_key, count=count)
    else:
        row.count += count
    row.at = at
    row.message_id = message_id or row.message_id
    row.thread_id = thread_id or row.thread_id
    row.mailbox_id = mailbox_id or row.mailbox_id
    row.deal_id = deal_id or row.deal_id
    row.params = {**row.params, **(params or {})}
    session.add(row)
    live.hint(session, user_id, "notifications")


def _view(session: Session, actor: Actor, row: Notification) -> NotificationView:
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
