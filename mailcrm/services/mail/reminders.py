"""Conversations that come back (B13): snoozed until a moment, or because nobody answered.

    snooze:    leaves the Inbox --> due: back on top, read or unread as it was --> ended
                                --> a new message in it: back at once, the row is deleted
    no_reply:  waits            --> due and nobody answered: the bell says so --> ended
                                --> somebody answered (an automatic reply is no answer): ended, nothing is said

A conversation has at most one of each kind; another one takes its place. It belongs to its user alone, and nothing of
it goes to the server. "Done" is archiving: threads.archive. `settle` and `after_sending` are helpers and never commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_
from sqlmodel import Session, col, delete, select

from mailcrm.errors import UserError
from mailcrm.models import Message, Reminder, Thread, utcnow
from mailcrm.services import access, audit, live, notifications
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail.thread.assign import lock_user
from mailcrm.services.mail.thread.summary import refresh_threads
from mailcrm.services.rows import chunks, pick

MAX_AHEAD = timedelta(days=5 * 366)
MAX_DAYS = 365


@dataclass(frozen=True)
class ReminderView:
    """A reminder that stands. `kind`: "snooze" or "no_reply"; `message_id` is the message whose answer is awaited."""

    id: int
    thread_id: int
    kind: str
    due_at: datetime
    message_id: int | None


def snooze(actor: Actor, thread_id: int, until: datetime) -> ReminderView:
    """Take a conversation out of the Inbox until a moment. Raises UserError("reminder.past", "reminder.too_far")."""
    return _set(actor, [thread_id], "snooze", until, None)[0]


def snooze_all(actor: Actor, thread_ids: Sequence[int], until: datetime) -> dict[int, datetime]:
    """Do the same for many, all or none; return until when those were snoozed that were: `undo_snooze` takes it."""
    before = of_threads(actor, thread_ids)
    _set(actor, thread_ids, "snooze", until, None)
    return {of: each.due_at for of, found in before.items() for each in found if each.kind == "snooze"}


def undo_snooze(actor: Actor, thread_ids: Sequence[int], until: datetime, before: Mapping[int, datetime]) -> None:
    """Undo `snooze_all`: what was snoozed before is again until then; what was done to a reminder meanwhile stands."""
    with transaction() as session:
        lock_user(session, actor.user_id)
        for part in chunks(thread_ids):
            still = (_kind("snooze"), col(Reminder.due_at) == until, col(Reminder.thread_id).in_(part))
            for row in session.exec(select(Reminder).where(_standing(actor.user_id), *still)).all():
                if row.thread_id in before:
                    row.due_at = before[row.thread_id]
                    session.add(row)
                else:
                    session.delete(row)
                audit.record(session, actor, "cancel_snooze", "thread", row.thread_id)
                live.hint(session, actor.user_id, "mail", row.thread_id)


def remind_of_reply(actor: Actor, thread_id: int, days: int) -> ReminderView:
    """Remind when nobody answers the newest message sent in a conversation for so many days, counted from now.

    Raises UserError: "reminder.nothing_sent", "input.invalid".
    """
    if not 1 <= days <= MAX_DAYS:
        raise UserError("input.invalid", value=str(days)[:20], field="days")
    with reading() as session:
        access.load(session, Thread, thread_id, access.own_thread(actor))
        sent = session.exec(
            select(Message.id)
            .where(Message.thread_id == thread_id, Message.direction == "out", access.own_message(actor))
            .order_by(col(Message.sort_at).desc(), col(Message.id).desc())
        ).first()
    if sent is None:
        raise UserError("reminder.nothing_sent")
    return _set(actor, [thread_id], "no_reply", utcnow() + timedelta(days=days), sent)[0]


def cancel(actor: Actor, thread_id: int, kind: str) -> None:
    """Take a reminder back; a snoozed conversation is in the Inbox again, where it was. No reminder: nothing to do."""
    with transaction() as session:
        access.load(session, Thread, thread_id, access.own_thread(actor))
        session.exec(  # type: ignore[call-overload]
            delete(Reminder).where(_standing(actor.user_id), col(Reminder.thread_id) == thread_id, _kind(kind))
        )
        audit.record(session, actor, f"cancel_{kind}", "thread", thread_id)
        live.hint(session, actor.user_id, "mail", thread_id)


def of_thread(actor: Actor, thread_id: int) -> tuple[ReminderView, ...]:
    """Return what stands for a conversation of the actor's; nothing for a colleague's."""
    return of_threads(actor, [thread_id]).get(thread_id, ())


def of_threads(actor: Actor, thread_ids: Iterable[int]) -> dict[int, tuple[ReminderView, ...]]:
    """Return what stands for these conversations, by conversation."""
    found: dict[int, tuple[ReminderView, ...]] = {}
    with reading() as session:
        for part in chunks(sorted(set(thread_ids))):
            query = select(Reminder).where(_standing(actor.user_id), col(Reminder.thread_id).in_(part))
            for row in session.exec(query.order_by(col(Reminder.due_at))):
                found[row.thread_id] = (*found.get(row.thread_id, ()), _view(row))
    return found


def list_reminders(actor: Actor) -> tuple[ReminderView, ...]:
    """Return all that stand, the next one first, at most 500."""
    with reading() as session:
        query = select(Reminder).where(_standing(actor.user_id)).order_by(col(Reminder.due_at)).limit(500)
        return tuple(_view(row) for row in session.exec(query))


def snoozed(user_id: int) -> Select[Any]:
    """Threads that are snoozed: what lists leave out of the Inbox. A short list, read from the user's own index."""
    return pick(Reminder.thread_id).where(_standing(user_id), col(Reminder.kind) == "snooze")


def is_due(now: datetime) -> ColumnElement[bool]:
    """Reminders whose time has come (the sweep asks)."""
    return and_(col(Reminder.ended_at).is_(None), col(Reminder.due_at) <= now)


def remind_due(limit: int = 50) -> int:
    """Bring back what is due and say so; return how many were looked at (the worker's job). Idempotent."""
    now = utcnow()
    with reading() as session:
        due = session.exec(select(Reminder.id).where(is_due(now)).order_by(col(Reminder.due_at)).limit(limit)).all()
    for each in due:
        with transaction() as session:
            query = select(Reminder).where(Reminder.id == each, is_due(now)).with_for_update()
            row = session.exec(query).first()
            if row is not None:
                _bring_back(session, row, now)
    return len(due)


def after_sending(session: Session, user_id: int, message: Message, days: int) -> None:
    """Begin to wait for an answer to a message that was just sent."""
    _put(session, user_id, message.thread_id, "no_reply", utcnow() + timedelta(days=days), message.id)


def settle(session: Session, user_id: int, message_ids: Sequence[int]) -> None:
    """End what messages that arrived put an end to: a snooze at once, the wait for an answer by an answer."""
    if not message_ids or session.exec(select(Reminder.id).where(_standing(user_id)).limit(1)).first() is None:
        return
    arrived = session.exec(
        select(Message.thread_id, Message.sort_at, Message.auto_submitted, Message.created_at).where(
            col(Message.id).in_(message_ids),
            Message.direction == "in",
            access.standing(),
            col(Message.junk).is_(False),
        )
    ).all()
    threads = {row[0] for row in arrived}
    for row in session.exec(select(Reminder).where(_standing(user_id), col(Reminder.thread_id).in_(threads))):
        mine = [each for each in arrived if each[0] == row.thread_id]
        if row.kind == "snooze" and any(min(each[1], each[3]) > row.created_at for each in mine):
            session.delete(row)
        elif row.kind == "no_reply" and any(not each[2] and _answers(session, row, each[1]) for each in mine):
            row.ended_at = utcnow()
            session.add(row)
        else:
            continue
        live.hint(session, user_id, "mail", row.thread_id)


def _set(
    actor: Actor, thread_ids: Sequence[int], kind: str, due_at: datetime, message_id: int | None
) -> list[ReminderView]:
    now = utcnow()
    if due_at.tzinfo is None or due_at > now + MAX_AHEAD:
        raise UserError("reminder.too_far")
    if due_at <= now:
        raise UserError("reminder.past")
    with transaction() as session:
        lock_user(session, actor.user_id)  # a merge moves the thread's reminders
        made: list[ReminderView] = []
        for thread_id in thread_ids:
            access.load(session, Thread, thread_id, access.own_thread(actor))
            made.append(_view(_put(session, actor.user_id, thread_id, kind, due_at, message_id)))
            audit.record(session, actor, kind, "thread", thread_id)
            live.hint(session, actor.user_id, "mail", thread_id)
        return made


def _put(
    session: Session, user_id: int, thread_id: int, kind: str, due_at: datetime, message_id: int | None
) -> Reminder:
    query = select(Reminder).where(Reminder.user_id == user_id, Reminder.thread_id == thread_id, _kind(kind))
    row = session.exec(query).first() or Reminder(user_id=user_id, thread_id=thread_id, kind=kind, due_at=due_at)
    row.due_at, row.message_id, row.created_at, row.ended_at = due_at, message_id, utcnow(), None
    session.add(row)
    session.flush()
    return row


def _bring_back(session: Session, row: Reminder, now: datetime) -> None:
    row.ended_at = now
    session.add(row)
    session.flush()
    if row.kind == "no_reply" and _has_answer(session, row):
        return
    newest = session.exec(
        select(Message)
        .where(Message.thread_id == row.thread_id, access.standing())
        .order_by(col(Message.sort_at).desc(), col(Message.id).desc())
    ).first()
    if newest is None:
        return  # it is in the trash
    if row.kind == "snooze":
        refresh_threads(session, (row.thread_id,))
    thread = session.get_one(Thread, row.thread_id)
    notifications.notify(
        session, row.user_id, "reminder", group_key=f"reminder:{row.id}:{row.due_at.isoformat()}",
        thread_id=row.thread_id, message_id=row.message_id or newest.id,
        params={"kind": row.kind, "detail": thread.subject, "days": max((now - row.created_at).days, 1)},
    )  # fmt: skip
    live.hint(session, row.user_id, "mail", row.thread_id)


def _has_answer(session: Session, row: Reminder) -> bool:
    newer = session.exec(
        select(Message.sort_at).where(
            Message.thread_id == row.thread_id,
            Message.direction == "in",
            col(Message.auto_submitted).is_(False),
            access.standing(),
            col(Message.junk).is_(False),
        )
    )
    return any(_answers(session, row, at) for at in newer)


def _answers(session: Session, row: Reminder, at: datetime) -> bool:
    """Whether a message of this moment came after the one whose answer is awaited."""
    awaited = session.get(Message, row.message_id) if row.message_id is not None else None
    return at > (awaited.sort_at if awaited is not None else row.created_at)


def _standing(user_id: int) -> ColumnElement[bool]:
    return and_(col(Reminder.user_id) == user_id, col(Reminder.ended_at).is_(None))


def _kind(kind: str) -> ColumnElement[bool]:
    return col(Reminder.kind) == kind


def _view(row: Reminder) -> ReminderView:
    return ReminderView(row.id or 0, row.thread_id, row.kind, row.due_at, row.message_id)
