"""What a message that arrived means for what was sent before: a notice that it was not delivered, an answer (B10, B13).

Called once for each message that waits for the linking rules, in their transaction: `messages.link_pending` is the to-do,
so a lost wake-up loses nothing, and looking twice changes nothing. Decides nothing itself; never commits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import or_
from sqlmodel import Session, col

from mailcrm.models import Outbox, Reminder, User
from mailcrm.services.mail import reminders
from mailcrm.services.mail.outbox import bounces
from mailcrm.services.rows import pick, rows


def waiting(session: Session, user_ids: Iterable[int]) -> set[int]:
    """Return who of these users has sent anything, or has a reminder: nobody else waits for what arrives."""
    asked = pick(User.id).where(
        col(User.id).in_(list(user_ids)),
        or_(
            pick(Outbox.id).where(col(Outbox.user_id) == col(User.id)).exists(),
            pick(Reminder.id).where(col(Reminder.user_id) == col(User.id), col(Reminder.ended_at).is_(None)).exists(),
        ),
    )
    return {row[0] for row in rows(session, asked)}


def settle(session: Session, user_id: int, message_ids: Sequence[int]) -> None:
    """Look at incoming messages of one user."""
    bounces.settle(session, user_id, message_ids)
    reminders.settle(session, user_id, message_ids)
