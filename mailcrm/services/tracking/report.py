"""What tracking knows of one message, for the hover card (T05, T06): events with their class, and what can't be known.

Reads only. Whoever may read the message may see its marks. A network is never shown, nor is a place.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, select

from mailcrm.models import Message, TrackedLink, TrackedMessage, TrackingEvent
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.db import reading
from mailcrm.services.tracking.classify import COUNTED, agent_name

LISTED = 100  # events of each kind; the counts say how many there are


@dataclass(frozen=True)
class EventView:
    """One open or click. `kind`: person, proxy, scanner, own, unknown; `counted` says whether it is in the figures."""

    at: datetime
    kind: str
    agent: str
    counted: bool
    reasons: tuple[str, ...]
    url: str = ""


@dataclass(frozen=True)
class TrackingDetail:
    """The card: figures without and with machines, the events newest first, and codes of what can't be known.

    `limits`: "not_tracked", "opens_off", "clicks_off", "several_recipients", "images_blocked", "forwarded",
    "prefetch_not_counted", "inferred" (no open was seen, a click implies one).
    """

    on_opens: bool
    on_clicks: bool
    opens_counted: int
    clicks_counted: int
    opens_all: int
    clicks_all: int
    sent_at: datetime | None
    first_opened_at: datetime | None
    last_opened_at: datetime | None
    last_clicked_at: datetime | None
    recipients: int
    opens: tuple[EventView, ...]
    clicks: tuple[EventView, ...]
    limits: tuple[str, ...]


def marks(actor: Actor, message_id: int) -> TrackingDetail:
    """Return the tracking of a message the actor may read; everything off when it is not tracked."""
    with reading() as session:
        message = access.load(session, Message, message_id, access.visible_message(actor))
        tracked = session.exec(select(TrackedMessage).where(TrackedMessage.message_id == message.id)).first()
        if tracked is None:
            return TrackingDetail(False, False, 0, 0, 0, 0, None, None, None, None, 0, (), (), ("not_tracked",))
        urls = {
            link.id: link.url for link in session.exec(select(TrackedLink).where(TrackedLink.tracked_id == tracked.id))
        }
        events = session.exec(
            select(TrackingEvent)
            .where(TrackingEvent.tracked_id == tracked.id)
            .order_by(col(TrackingEvent.at).desc(), col(TrackingEvent.id).desc())
        ).all()
    views: dict[str, list[EventView]] = {"open": [], "click": []}
    for event in events:
        counted = event.kind in COUNTED
        reasons = tuple(str(each) for each in event.reasons.get("codes", ()))
        url = urls.get(event.link_id, "")
        views[event.action].append(EventView(event.at, event.kind, agent_name(event.user_agent), counted, reasons, url))
    seen_opens = sum(each.counted for each in views["open"])
    return TrackingDetail(
        on_opens=tracked.opens_on,
        on_clicks=tracked.clicks_on,
        opens_counted=tracked.opens,
        clicks_counted=tracked.clicks,
        opens_all=len(views["open"]),
        clicks_all=len(views["click"]),
        sent_at=tracked.sent_at,
        first_opened_at=tracked.first_opened_at,
        last_opened_at=tracked.last_opened_at,
        last_clicked_at=tracked.last_clicked_at,
        recipients=tracked.recipients,
        opens=tuple(views["open"][:LISTED]),
        clicks=tuple(views["click"][:LISTED]),
        limits=_limits(tracked, seen_opens, views["open"]),
    )


def _limits(tracked: TrackedMessage, seen_opens: int, opens: list[EventView]) -> tuple[str, ...]:
    found: list[str] = []
    if not tracked.opens_on:
        found.append("opens_off")
    if not tracked.clicks_on:
        found.append("clicks_off")
    if tracked.recipients > 1:
        found.append("several_recipients")
    if tracked.opens_on and not seen_opens:
        found.append("images_blocked")
    if tracked.opens and not seen_opens:
        found.append("inferred")
    if any(each.kind == "proxy" for each in opens):
        found.append("prefetch_not_counted")
    found.append("forwarded")
    return tuple(found)
