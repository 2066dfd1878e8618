"""How often a message was opened and followed: kept in its row, counted from what may be a person's (B03, B05).

In the caller's transaction, which holds the row's lock. Does not judge (classify.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, func, select

from mailcrm.models import TrackedMessage, TrackingEvent
from mailcrm.services.tracking.classify import COUNTED


def count(session: Session, tracked: TrackedMessage) -> None:
    """Count anew from the events what may be a person's; a click or an answer without an open implies one (B05).

    In the caller's transaction, which holds the row's lock. What was counted of purged events stays counted.
    """
    session.flush()

    def figures(action: str) -> tuple[int, datetime | None, datetime | None]:
        row = session.exec(
            select(func.count(), func.min(TrackingEvent.at), func.max(TrackingEvent.at)).where(
                TrackingEvent.tracked_id == tracked.id,
                TrackingEvent.action == action,
                col(TrackingEvent.kind).in_(sorted(COUNTED)),
            )
        ).one()
        return int(row[0]), row[1], row[2]

    opens, first_open, last_open = figures("open")
    clicks, first_click, last_click = figures("click")
    if tracked.purged_opens:
        first_open = tracked.first_opened_at
        last_open = max(filter(None, (last_open, tracked.last_opened_at)), default=None)
    if tracked.purged_clicks:  # they came first, and what they implied still holds
        first_click = min(filter(None, (first_click, tracked.first_opened_at, tracked.last_clicked_at)), default=None)
        last_click = max(filter(None, (last_click, tracked.last_clicked_at)), default=None)
    tracked.opens, tracked.first_opened_at, tracked.last_opened_at = opens + tracked.purged_opens, first_open, last_open
    tracked.clicks, tracked.last_clicked_at = clicks + tracked.purged_clicks, last_click
    imply(tracked, first_click)
    session.add(tracked)


def add_opens(tracked: TrackedMessage, made: Sequence[dict[str, Any]]) -> None:
    """Add opens to the counts: nothing that was counted before has changed."""
    seen = [event["at"] for event in made if event["kind"] in COUNTED]
    if not seen:
        return
    tracked.opens += len(seen)
    tracked.first_opened_at = min([*seen, *([tracked.first_opened_at] if tracked.first_opened_at else [])])
    tracked.last_opened_at = max([*seen, *([tracked.last_opened_at] if tracked.last_opened_at else [])])


def imply(tracked: TrackedMessage, first_click: datetime | None) -> None:
    """A click or an answer implies an open that was not seen, or a first one before it (B05)."""
    acts = [at for at in (first_click, tracked.replied_at) if at is not None]
    if not acts:
        return
    first = min(acts)
    if not tracked.opens:
        tracked.opens, tracked.last_opened_at = 1, first
        tracked.first_opened_at = first
    elif tracked.first_opened_at is None or first < tracked.first_opened_at:
        tracked.first_opened_at = first
