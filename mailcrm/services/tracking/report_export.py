"""The tracking report's emails one by one, for a CSV. Reads only; only mail that the actor may see.

Does not write CSV (endpoints/reports.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col

from mailcrm.models import Message, Participant, TrackedMessage, TrackingEvent, User
from mailcrm.services.access import Actor
from mailcrm.services.db import reading
from mailcrm.services.rows import chunks, pick, rows
from mailcrm.services.tracking.report_query import period, seen, within
from mailcrm.services.tracking.report_views import Scope

EXPORTED = 500  # emails of one statement


@dataclass(frozen=True)
class Sent:
    """One tracked email for the export; the recipients in To and Cc."""

    sent_at: datetime | None
    member: str
    recipients: str
    subject: str
    opens: int
    clicks: int
    first_opened_at: datetime | None
    last_opened_at: datetime | None
    last_clicked_at: datetime | None
    replied_at: datetime | None
    recorded_opens: int
    recorded_clicks: int


def export(actor: Actor, scope: Scope) -> Iterator[Sent]:
    """Return the period's tracked emails, the oldest first; NotFound for another's mailbox, before any.

    A piece of EXPORTED emails is in memory at a time; each is asked again whether the actor may see it.
    """
    start, _, end = period(actor, scope)
    with reading() as session:
        wanted = (
            pick(Message.id)
            .join(TrackedMessage, col(TrackedMessage.message_id) == col(Message.id))
            .where(within(col(TrackedMessage.sent_at), start, end), seen(session, actor, scope))
        )
        ids = [
            row[0] for row in rows(session, wanted.group_by(col(Message.id)).order_by(func.min(TrackedMessage.sent_at)))
        ]
    return (sent for part in chunks(ids, EXPORTED) for sent in _piece(actor, scope, part))


def _piece(actor: Actor, scope: Scope, ids: list[int]) -> list[Sent]:
    tracked = TrackedMessage
    with reading() as session:
        found = rows(
            session,
            pick(
                Message.id,
                Message.subject,
                func.coalesce(User.name, "").label("member"),
                tracked.sent_at,
                tracked.opens,
                tracked.clicks,
                tracked.first_opened_at,
                tracked.last_opened_at,
                tracked.last_clicked_at,
                tracked.replied_at,
                _recorded("open").label("recorded_opens"),
                _recorded("click").label("recorded_clicks"),
            )
            .join(tracked, col(tracked.message_id) == col(Message.id))
            .outerjoin(User, col(User.id) == col(Message.user_id))
            .where(col(Message.id).in_(ids), seen(session, actor, scope)),
        )
        names = _recipients(session, ids)
    copies: dict[int, list[Any]] = defaultdict(list)
    for row in found:
        copies[row.id].append(row)
    return [_together(copies[each], names.get(each, [])) for each in ids if each in copies]


def _together(copies: list[Any], recipients: list[str]) -> Sent:
    def first(name: str) -> datetime | None:
        return min((getattr(row, name) for row in copies if getattr(row, name)), default=None)

    def last(name: str) -> datetime | None:
        return max((getattr(row, name) for row in copies if getattr(row, name)), default=None)

    def total(name: str) -> int:
        return sum(getattr(row, name) for row in copies)

    return Sent(
        first("sent_at"), copies[0].member, ", ".join(recipients), copies[0].subject, total("opens"), total("clicks"),
        first("first_opened_at"), last("last_opened_at"), last("last_clicked_at"), first("replied_at"),
        total("recorded_opens"), total("recorded_clicks"),
    )  # fmt: skip


def _recorded(action: str) -> Any:
    event = pick(func.count()).where(
        col(TrackingEvent.tracked_id) == col(TrackedMessage.id),
        col(TrackingEvent.action) == action,
        col(TrackingEvent.kind) != "own",
    )
    return event.correlate(TrackedMessage).scalar_subquery()


def _recipients(session: Session, message_ids: list[int]) -> dict[int, list[str]]:
    statement = (
        pick(Participant.message_id, Participant.address)
        .where(col(Participant.message_id).in_(message_ids), col(Participant.role).in_(("to", "cc")))
        .order_by(col(Participant.message_id), col(Participant.role).desc(), col(Participant.position))
    )
    found: dict[int, list[str]] = defaultdict(list)
    for message_id, address in rows(session, statement):
        found[message_id].append(address)
    return found
