"""Who is told of new opens and clicks: the sender's bell, the tabs of those who may see the email, other programs.

In the recording transaction. What becomes of a line is decided in services/telling.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session

from mailcrm.models import Message, TrackedLink, TrackedMessage
from mailcrm.services import telling
from mailcrm.services.tracking import happened, viewers
from mailcrm.services.tracking.classify import COUNTED


@dataclass(frozen=True)
class New:
    """What one transaction wrote of one message."""

    tracked: TrackedMessage
    made: Sequence[dict[str, Any]]
    links: Iterable[TrackedLink]


def tell(session: Session, batches: Sequence[New]) -> None:
    """Tell whoever is to know of events that were just written."""
    told: list[happened.Happening] = []
    news: dict[int, list[_News]] = {}
    touched: dict[int, set[int | None]] = {}
    kinds: tuple[tuple[str, happened.Kind], ...] = (("open", "opened"), ("click", "clicked"))
    for batch in batches:
        tracked = batch.tracked
        if tracked.user_id is None:
            continue  # nobody is left to be told
        touched.setdefault(tracked.user_id, set()).add(tracked.message_id)
        for action, kind in kinds:
            counted = [event for event in batch.made if event["action"] == action and event["kind"] in COUNTED]
            if not counted:
                continue
            links = {link.id: link for link in batch.links}
            link = links.get(counted[-1]["link_id"])
            last = max(event["at"] for event in counted)
            told.append(
                happened.Happening(
                    kind, tracked.id or 0, tracked.message_id, tracked.user_id, counted[-1]["kind"], last,
                    link.url if link else "", len(counted),
                )
            )  # fmt: skip
            if tracked.notify:
                news.setdefault(tracked.user_id, []).append(_News(tracked, action, len(counted), last, link))
    for user_id, message_ids in touched.items():
        viewers.hint(session, user_id, message_ids)
    for user_id, found in news.items():
        _notify(session, user_id, found)
    happened.tell(session, told)


@dataclass(frozen=True)
class _News:
    """What a sender is told of one message."""

    tracked: TrackedMessage
    action: str
    count: int
    at: datetime
    link: TrackedLink | None


def _notify(session: Session, user_id: int, news: Sequence[_News]) -> None:
    if len({each.tracked.id for each in news}) > telling.STORM_LINES:
        emails: dict[int, dict[str, int]] = {}
        for each in news:
            counts = emails.setdefault(each.tracked.message_id or 0, {})
            counts[each.action] = counts.get(each.action, 0) + each.count
        telling.notify_storm(session, user_id, emails, max(each.at for each in news))
        return
    for each in news:
        tracked, link = each.tracked, each.link
        message = session.get(Message, tracked.message_id) if tracked.message_id else None
        telling.notify(
            session,
            user_id,
            each.action,
            group_key=f"{each.action}:{tracked.id}",
            count=each.count,
            at=each.at,
            message_id=tracked.message_id,
            thread_id=message.thread_id if message else None,
            params={"recipients": tracked.recipients, **({"url": link.url[:500], "text": link.text} if link else {})},
        )
