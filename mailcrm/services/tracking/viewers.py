"""Tells open tabs that marks changed: the sender's, and those of colleagues who may read the email (T05, M24, M25).

A tab is told nothing of email that its user may not read, not even that something happened.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlmodel import Session, col, select

from mailcrm.models import Message, User
from mailcrm.services import access, live


def hint(session: Session, user_id: int, message_ids: Iterable[int | None]) -> None:
    """Hint that the marks of these messages of one user changed, in the caller's transaction.

    One statement for each other user, where any of the messages is shared.
    """
    ids = {each for each in message_ids if each is not None}
    live.hint(session, user_id, "tracking", next(iter(ids)) if len(ids) == 1 else None)
    shared = session.exec(select(Message.id).where(col(Message.id).in_(ids), Message.visibility == "shared")).all()
    if not shared:
        return
    others = select(User.id).where(User.id != user_id, col(User.disabled_at).is_(None))
    for other in session.exec(others).all():
        reader = access.actor_for(session, other or 0)
        seen = select(Message.id).where(col(Message.id).in_(shared), access.visible_message(reader))
        if (found := session.exec(seen.limit(2)).all()) and other is not None:
            live.hint(session, other, "tracking", found[0] if len(found) == 1 else None)
