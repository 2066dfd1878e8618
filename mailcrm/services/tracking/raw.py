"""Every recorded open and click of one message, as it was judged: class, reasons, rules version (B03). For programs.

Reads only; whoever may read the message may read this. Whose copy it was is told where copies were sent (B04), but a
blind recipient's to the message's owner alone (security.md 17). Figures and the card: report.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from mailcrm.models import Message, Participant, TrackedLink, TrackedMessage, TrackingEvent
from mailcrm.services import access, paging
from mailcrm.services.access import Actor
from mailcrm.services.db import reading
from mailcrm.services.mail.outbox.consent import plain
from mailcrm.services.tracking.classify import COUNTED, agent_name


@dataclass(frozen=True)
class RawEvent:
    """One fetch. `kind`: person, proxy, scanner, own, unknown; `recipient` is "" where nobody can tell whose it was."""

    id: int
    at: datetime
    action: str
    kind: str
    counted: bool
    reasons: tuple[str, ...]
    rules_version: int
    agent: str
    url: str
    text: str
    recipient: str


def events(actor: Actor, message_id: int, cursor: str | None = None, limit: int = 50) -> paging.Page[RawEvent]:
    """Return one page of a message's events, newest first; an empty one when it is not tracked."""
    size = paging.page_size(limit)
    with reading() as session:
        message = access.load(session, Message, message_id, access.visible_message(actor))
        copies = session.exec(select(TrackedMessage).where(TrackedMessage.message_id == message.id)).all()
        blind = blind_recipients(session, actor, message, [each.recipient for each in copies])
        whose = {each.id: "" if each.recipient in blind else each.recipient for each in copies}
        query = (
            select(TrackingEvent, TrackedLink)
            .outerjoin(TrackedLink, col(TrackedLink.id) == col(TrackingEvent.link_id))
            .where(col(TrackingEvent.tracked_id).in_(list(whose)))
        )
        if cursor:
            query = query.where(paging.older(cursor, col(TrackingEvent.at), col(TrackingEvent.id)))
        query = query.order_by(col(TrackingEvent.at).desc(), col(TrackingEvent.id).desc()).limit(size + 1)
        found = [_view(event, link, whose[event.tracked_id]) for event, link in session.exec(query).all()]
    return paging.cut(found, size, lambda row: paging.cursor_at(row.at, row.id))


def blind_recipients(session: Session, actor: Actor, message: Message, recipients: Sequence[str]) -> frozenset[str]:
    """Return which of the recipients the actor must not learn of: in a colleague's message, who is not in To or Cc."""
    if message.user_id == actor.user_id:
        return frozenset()
    found = session.exec(
        select(Participant.address).where(Participant.message_id == message.id, col(Participant.role).in_(("to", "cc")))
    ).all()
    seen = {plain(address) for address in found}  # "käse.test" stands in a header as "xn--…"
    return frozenset(each for each in recipients if each and plain(each) not in seen)


def _view(event: TrackingEvent, link: TrackedLink | None, recipient: str) -> RawEvent:
    return RawEvent(
        id=event.id or 0,
        at=event.at,
        action=event.action,
        kind=event.kind,
        counted=event.kind in COUNTED,
        reasons=tuple(str(each) for each in event.reasons.get("codes", ())),
        rules_version=event.rules_version,
        agent=agent_name(event.user_agent),
        url=link.url if link else "",
        text=link.text if link else "",
        recipient=recipient,
    )
