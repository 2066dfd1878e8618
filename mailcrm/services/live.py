"""Hints to open browser tabs that something changed: rows of `live_events`, written with the change itself.

A hint carries ids only; the tab reads again what it may see. The web process polls `since` and pushes
(state/live.py). Does not notify people: that is services/notifications.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlmodel import Session, col, delete, select

from mailcrm.config import config
from mailcrm.models import LiveEvent, utcnow
from mailcrm.services.changes import Changes
from mailcrm.services.db import reading, transaction

KEEP = timedelta(minutes=10)  # a tab that slept longer reads everything again


def hint(session: Session, user_id: int | None, topic: str, ref: int | None = None) -> None:
    """Add a hint in the caller's transaction; `user_id` None means every user."""
    session.add(LiveEvent(user_id=user_id, topic=topic, ref=ref))


def since(last_id: int) -> Sequence[tuple[int, int | None, str]]:
    """Return (id, user_id, topic) of the hints after `last_id`, oldest first, at most 500."""
    with reading() as session:
        query = select(LiveEvent.id, LiveEvent.user_id, LiveEvent.topic).where(col(LiveEvent.id) > last_id)
        return [(row[0] or 0, row[1], row[2]) for row in session.exec(query.order_by(col(LiveEvent.id)).limit(500))]


def changes() -> Changes:
    """Return what tells cheaply whether there may be new hints."""
    return Changes(config().database_url)


def newest_id() -> int:
    """Return the id of the newest hint, 0 when there is none."""
    with reading() as session:
        return session.exec(select(LiveEvent.id).order_by(col(LiveEvent.id).desc()).limit(1)).first() or 0


def sweep() -> None:
    """Remove hints older than `KEEP`."""
    with transaction() as session:
        session.exec(delete(LiveEvent).where(col(LiveEvent.at) < utcnow() - KEEP))
