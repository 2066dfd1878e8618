"""Judges stored events once more: what came later tells of what came before, and rules get better (B03, B05).

Nothing is added or dropped: an event's class, reasons and rules version are set anew, and the counts with them.
Does not hold the rules (classify.py, together.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from mailcrm.models import TrackedMessage, TrackingEvent
from mailcrm.services.db import transaction
from mailcrm.services.tracking import counts, viewers
from mailcrm.services.tracking.classify import BURST_S, COUNTED, RULES_VERSION, Facts, Verdict
from mailcrm.services.tracking.together import Fetched, judge, prechecks

MOST_NEAR = 200  # clicks of one message looked at again around new ones
BEFORE_DELIVERY_S = 120.0  # a message still on its way was not opened by its reader; later, an attempt was lost
AGAIN_AT_ONCE = 20_000  # events of one message judged again; the newest


@dataclass(frozen=True)
class _Changed:
    """A stored event whose class is another now, and its class before."""

    event: TrackingEvent
    before: str


def classify_again(tracked_id: int, rules_version: int = RULES_VERSION) -> int:
    """Judge a message's stored events by the rules of now, where older ones judged; return how many changed class."""
    with transaction() as session:
        tracked = session.exec(
            select(TrackedMessage).where(TrackedMessage.id == tracked_id).with_for_update()
        ).one_or_none()
        if tracked is None:
            return 0
        events = session.exec(
            select(TrackingEvent)
            .where(TrackingEvent.tracked_id == tracked_id)
            .order_by(col(TrackingEvent.at).desc(), col(TrackingEvent.id).desc())
            .limit(AGAIN_AT_ONCE)
        ).all()[::-1]
        if all(event.rules_version >= rules_version for event in events):
            return 0
        changed = len(_judge_again(tracked, events))
        counts.count(session, tracked)
        if changed and tracked.user_id is not None:  # a hint to nobody would be one to everybody
            viewers.hint(session, tracked.user_id, [tracked.message_id])
        return changed


def facts_of(tracked: TrackedMessage, action: Any, agent: str, at: datetime, facts: dict[str, Any]) -> Facts:
    """Gather what is known of one event, neighbours aside; `facts` as stored."""
    return Facts(
        action=action,
        user_agent=agent,
        method=str(facts.get("method") or "GET"),
        seconds_since_sent=_since(tracked, at),
        rechecked=bool(facts.get("rechecked")),
        own=str(facts.get("own") or ""),
        prefetch=bool(facts.get("prefetch")),
        opted_out=bool(facts.get("opted_out")),
    )


def _since(tracked: TrackedMessage, at: datetime) -> float:
    """Seconds since the message left; negative while it is leaving."""
    if tracked.sent_at is not None:
        return (at - tracked.sent_at).total_seconds()
    waited = (at - tracked.created_at).total_seconds()
    return waited if waited > BEFORE_DELIVERY_S else min(-0.001, waited - BEFORE_DELIVERY_S)


def judge_clicks_around(session: Session, tracked: TrackedMessage, made: Sequence[dict[str, Any]]) -> None:
    """Judge again what stands around new clicks: a sweep of links, a check just before, opens that they explain."""
    clicks = [event["at"] for event in made if event["action"] == "click"]
    window = timedelta(seconds=BURST_S)
    near = session.exec(
        select(TrackingEvent)
        .where(
            TrackingEvent.tracked_id == tracked.id,
            TrackingEvent.action == "click",
            col(TrackingEvent.at) >= min(clicks) - 2 * window,
            col(TrackingEvent.at) <= max(clicks) + window,
        )
        .order_by(col(TrackingEvent.at).desc(), col(TrackingEvent.id).desc())
        .limit(MOST_NEAR)
    ).all()[::-1]
    # Those at the edge keep their verdict: not all of their neighbours are here.
    changed = _judge_again(tracked, near, since=min(clicks) - window)
    by_time = {(event.at, event.link_id): event for event in near}
    for one in made:
        if one["action"] == "click" and (event := by_time.get((one["at"], one["link_id"]))) is not None:
            one["kind"] = event.kind
    followed = [one["at"] for one in made if one["action"] == "click" and one["kind"] in COUNTED]
    if followed:
        changed += _judge_opens(session, tracked)
    opened = [one for one in made if one["action"] == "open"]
    # Where one open or none is counted, what is new may stand in a conclusion's place, or make the first one.
    if _are_counts_wrong(changed, made) or (tracked.opens <= 1 and (opened or followed)):
        counts.count(session, tracked)
        return
    counts.add_opens(tracked, opened)
    if followed:
        tracked.clicks += len(followed)
        tracked.last_clicked_at = max([*followed, *filter(None, [tracked.last_clicked_at])])
        counts.imply(tracked, min(followed))


def _are_counts_wrong(changed: Sequence[_Changed], made: Sequence[dict[str, Any]]) -> bool:
    """Whether one that was counted before counts no more, or the other way round; those just made are not counted yet."""
    new = {(one["action"], one["at"], one["link_id"]) for one in made}
    return any(
        (each.before in COUNTED) != (each.event.kind in COUNTED)
        and (each.event.action, each.event.at, each.event.link_id) not in new
        for each in changed
    )


def _judge_opens(session: Session, tracked: TrackedMessage) -> list[_Changed]:
    """A person acted: opens of which nothing told that somebody was there are judged again (B05)."""
    unsure = session.exec(
        select(TrackingEvent.id)
        .where(TrackingEvent.tracked_id == tracked.id, TrackingEvent.action == "open", TrackingEvent.kind == "unknown")
        .limit(1)
    ).first()
    if unsure is None:
        return []
    events = session.exec(
        select(TrackingEvent)
        .where(TrackingEvent.tracked_id == tracked.id)
        .order_by(col(TrackingEvent.at).desc(), col(TrackingEvent.id).desc())
        .limit(MOST_NEAR)
    ).all()[::-1]
    return _judge_again(tracked, events, opens_only=True)


def judge_answered(session: Session, tracked: TrackedMessage) -> None:
    """An answer came: correct what was not sure and count (B05). In the caller's transaction, which holds the lock."""
    _judge_opens(session, tracked)
    counts.count(session, tracked)


def _judge_again(
    tracked: TrackedMessage,
    events: Sequence[TrackingEvent],
    *,
    since: datetime | None = None,
    opens_only: bool = False,
) -> list[_Changed]:
    fetched = [
        Fetched(
            facts_of(tracked, event.action, event.user_agent, event.at, event.facts),
            event.at,
            event.link_id,
            event.network,
        )
        for event in events
    ]
    again = prechecks(fetched)
    changed: list[_Changed] = []
    for n, (event, verdict) in enumerate(zip(events, judge(fetched, tracked.replied_at), strict=True)):
        if (since is not None and event.at < since) or (opens_only and event.action != "open"):
            continue
        if n in again and not event.facts.get("rechecked"):
            event.facts = {**event.facts, "rechecked": True}
        before = event.kind
        if _set(event, verdict):
            changed.append(_Changed(event, before))
    return changed


def _set(event: TrackingEvent, verdict: Verdict) -> bool:
    if event.rules_version != RULES_VERSION:
        event.rules_version = RULES_VERSION
    reasons = {"codes": list(verdict.reasons)}
    differs = event.kind != verdict.kind
    if differs or event.reasons != reasons:
        event.kind, event.reasons = verdict.kind, reasons
    return differs
