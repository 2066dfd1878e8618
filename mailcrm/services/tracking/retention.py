"""What tracking forgets: networks after days, events after the workspace's time; never links, and never the counts (T10).

Called by the worker's "tidy", in small transactions; each may run twice, and what is left is its next run's.
Also where stored events are judged again after a change of the rules (B03).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import case, delete, func, update
from sqlmodel import Session, col, select

from mailcrm.models import TrackedMessage, TrackingEvent, UserSession, Workspace, utcnow
from mailcrm.services.db import reading, transaction
from mailcrm.services.rows import pick, rows, run
from mailcrm.services.tracking import again
from mailcrm.services.tracking.classify import COUNTED, RULES_VERSION

AT_ONCE = 2_000  # events in one transaction


def tidy(should_stop: Callable[[], bool] = lambda: False) -> bool:
    """Forget what is due; return whether something is left to do."""
    with reading() as session:
        workspace = session.get(Workspace, 1)
    if workspace is None:
        return False
    _forget_session_addresses()
    now = utcnow()
    while not should_stop():
        done = _blank_networks(now - timedelta(days=workspace.network_days))
        if workspace.tracking_days is not None:
            done += _purge(now - timedelta(days=workspace.tracking_days))
        if not done:
            return False
    return True


def classify_again(rules_version: int = RULES_VERSION, should_stop: Callable[[], bool] = lambda: False) -> int:
    """Judge again all stored events that older rules judged; return how many changed class. May be stopped and run again."""
    changed = 0
    for tracked_id in tracked_to_judge(rules_version) or ():
        if should_stop():
            break
        changed += classify_one_again(tracked_id, rules_version)
    return changed


def tracked_to_judge(rules_version: int = RULES_VERSION, message_id: int | None = None) -> list[int] | None:
    """Return ids of tracked copies with events that older rules judged; of one message; None when it is not tracked."""
    query = select(TrackingEvent.tracked_id).where(TrackingEvent.rules_version < rules_version)
    with reading() as session:
        if message_id is not None:
            copies = session.exec(select(TrackedMessage.id).where(TrackedMessage.message_id == message_id)).all()
            if not copies:
                return None
            query = query.where(col(TrackingEvent.tracked_id).in_(copies))
        return list(session.exec(query.distinct().order_by(col(TrackingEvent.tracked_id))))


def classify_one_again(tracked_id: int, rules_version: int = RULES_VERSION) -> int:
    """Judge the events of one tracked copy again; return how many changed class."""
    return again.classify_again(tracked_id, rules_version)


def _blank_networks(before: object) -> int:
    with transaction() as session:
        old = (
            pick(TrackingEvent.id)
            .where(col(TrackingEvent.network) != "", col(TrackingEvent.at) < before)
            .order_by(col(TrackingEvent.at))
            .limit(AT_ONCE)
        )
        return run(session, update(TrackingEvent).where(col(TrackingEvent.id).in_(old)).values(network="")).rowcount


def _forget_session_addresses() -> None:
    """A session's address is of use on the day it was seen only: the salt changes."""
    with transaction() as session:
        old = (col(UserSession.address) != "", col(UserSession.seen_at) < utcnow() - timedelta(days=1))
        run(session, update(UserSession).where(*old).values(address=""))


def _purge(before: object) -> int:
    """Remove events; what they counted stays counted. The messages' rows are locked in the order of their ids."""
    with transaction() as session:
        old = pick(TrackingEvent.id, TrackingEvent.tracked_id).where(col(TrackingEvent.at) < before)
        found = rows(session, old.order_by(col(TrackingEvent.at)).limit(AT_ONCE))
        if not found:
            return 0
        tracked_ids = sorted({row[1] for row in found})
        run(
            session,
            pick(TrackedMessage.id)
            .where(col(TrackedMessage.id).in_(tracked_ids))
            .order_by(col(TrackedMessage.id))
            .with_for_update(),
        )
        ids = [row[0] for row in found]
        _keep_counts(session, ids)
        return run(session, delete(TrackingEvent).where(col(TrackingEvent.id).in_(ids))).rowcount


def _keep_counts(session: Session, event_ids: list[int]) -> None:
    counted = (
        pick(
            TrackingEvent.tracked_id,
            func.sum(case((col(TrackingEvent.action) == "open", 1), else_=0)),
            func.sum(case((col(TrackingEvent.action) == "click", 1), else_=0)),
        )
        .where(col(TrackingEvent.id).in_(event_ids), col(TrackingEvent.kind).in_(sorted(COUNTED)))
        .group_by(col(TrackingEvent.tracked_id))
    )
    for tracked_id, opens, clicks in rows(session, counted):
        values = {
            "purged_opens": TrackedMessage.purged_opens + int(opens),
            "purged_clicks": TrackedMessage.purged_clicks + int(clicks),
        }
        run(session, update(TrackedMessage).where(col(TrackedMessage.id) == tracked_id).values(**values))
