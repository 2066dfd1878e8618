"""Rewrites the summary columns of threads from their messages.

The columns serve lists; messages are the truth. Copies of one message (settled question 2) count once.
Does not decide what belongs to a thread (references, assign) and does not commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Text, cast, func, update
from sqlmodel import Session, col

from mailcrm.models import Message, Reminder, Thread
from mailcrm.services import access
from mailcrm.services.rows import chunks, is_one_of, pick, run


def refresh_threads(session: Session, thread_ids: Iterable[int]) -> None:
    """Set subject, last_at, message_count and unread_count of these threads: one statement for 500 of them.

    Junk is counted, and neither unread nor what a conversation is ordered by (mail/junk.py).

    A thread without standing messages keeps its subject and moment, and counts none.
    """
    of_thread = (col(Message.thread_id) == Thread.id, access.standing())
    one_each = func.coalesce(col(Message.rfc_message_id), cast(col(Message.id), Text))
    count = pick(func.count(func.distinct(one_each))).where(*of_thread)
    worth = col(Message.junk).is_(False)
    unread = count.where(col(Message.read).is_(False), col(Message.direction) == "in", worth)
    last = pick(func.max(Message.sort_at)).where(*of_thread)
    first = pick(Message.subject).where(*of_thread).order_by(col(Message.sort_at), col(Message.id)).limit(1)
    for part in chunks(sorted(set(thread_ids))):
        run(
            session,
            update(Thread)
            .where(is_one_of(session, col(Thread.id), part))
            .values(
                message_count=count.scalar_subquery(),
                unread_count=unread.scalar_subquery(),
                # Junk that answers a conversation does not bring it up; alone it stands by its own moment.
                last_at=func.coalesce(last.where(worth).scalar_subquery(), last.scalar_subquery(), Thread.last_at),
                subject=func.coalesce(first.scalar_subquery(), Thread.subject),
            )
            .execution_options(synchronize_session=False),
        )
        _keep_on_top(session, part)


def _keep_on_top(session: Session, thread_ids: Sequence[int]) -> None:
    """Let a conversation that came back from a snooze stand where it came back (B13)."""
    back = pick(func.max(Reminder.ended_at)).where(
        col(Reminder.thread_id) == Thread.id, col(Reminder.kind) == "snooze", col(Reminder.ended_at) > Thread.last_at
    )
    returned = pick(Reminder.thread_id).where(
        is_one_of(session, col(Reminder.thread_id), thread_ids),
        col(Reminder.kind) == "snooze",
        col(Reminder.ended_at).is_not(None),
    )
    moved = update(Thread).where(col(Thread.id).in_(returned))
    run(
        session,
        moved.values(last_at=func.coalesce(back.scalar_subquery(), Thread.last_at)).execution_options(
            synchronize_session=False
        ),
    )


def refresh_thread(session: Session, thread_id: int) -> None:
    """Do the same for one thread."""
    refresh_threads(session, (thread_id,))
