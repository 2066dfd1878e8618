"""What happened with a person, organization, deal or lead, newest first, as the viewer may see it.

Mail stands there message by message: visible ones only (access.py), each Message-ID once, the viewer's own copy where
there is one (settled question 2, M13). Around it stand stage moves, the end of a deal, and opens and clicks.
Pages are keyset by (moment, id); every kind of item has its place in the id, so that equal moments keep their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, ColumnElement, HasCTE, Subquery, Text, and_, case, cast, func, literal, or_, union
from sqlmodel import Session, col, select

from mailcrm.models import (
    Deal,
    DealStage,
    Lead,
    Message,
    Organization,
    Person,
    Stage,
    TrackedMessage,
    UtcDateTime,
)
from mailcrm.services import access, paging
from mailcrm.services.access import Actor
from mailcrm.services.crm.linking import linked
from mailcrm.services.crm.views import TimelineItem, TimelinePage
from mailcrm.services.db import reading
from mailcrm.services.mail import message_views
from mailcrm.services.rows import pick, rows

#: Places of the kinds at the same moment; part of cursors, so append only. At most PLACES - 1.
MESSAGE, OPENED, CLICKED, STAGE, CREATED, CLOSED = range(6)
PLACES = 8
_Key = tuple[datetime, int]
_Keyed = tuple[_Key, TimelineItem]


def deal_timeline(actor: Actor, deal_id: int, limit: int = 50, cursor: str | None = None) -> TimelinePage:
    """Return one page of a deal's history."""
    with reading() as session:
        deal = access.load(session, Deal, deal_id, access.visible_crm(actor, Deal))
        events = [*_stage_events(session, deal_id), _created(deal.created_at, deal_id)]
        if deal.closed_at is not None:
            params: dict[str, str | int] = {"reason": deal.lost_reason} if deal.status == "lost" else {}
            events.append(_event(CLOSED, deal.closed_at, deal_id, deal.status, deal.status, params))
        return _page(session, actor, _ids("deal", [deal_id]), events, limit, cursor)


def person_timeline(actor: Actor, person_id: int, limit: int = 50, cursor: str | None = None) -> TimelinePage:
    """Return one page of a person's history."""
    with reading() as session:
        person = access.load(session, Person, person_id, access.visible_crm(actor, Person))
        events = [_created(person.created_at, person_id)]
        return _page(session, actor, _ids("person", [person_id]), events, limit, cursor)


def organization_timeline(
    actor: Actor, organization_id: int, limit: int = 50, cursor: str | None = None
) -> TimelinePage:
    """Return one page of an organization's history: mail of its persons and its deals."""
    with reading() as session:
        row = access.load(session, Organization, organization_id, access.visible_crm(actor, Organization))
        people = pick(Person.id).where(
            col(Person.organization_id) == organization_id, access.visible_crm(actor, Person)
        )
        deals = pick(Deal.id).where(col(Deal.organization_id) == organization_id, access.visible_crm(actor, Deal))
        of_people = linked.messages("person", [found[0] for found in rows(session, people)]).subquery()
        of_deals = linked.messages("deal", [found[0] for found in rows(session, deals)]).subquery()
        ids = _kept(union(pick(of_people.c.message_id), pick(of_deals.c.message_id)))
        return _page(session, actor, ids, [_created(row.created_at, organization_id)], limit, cursor)


def lead_timeline(actor: Actor, lead_id: int, limit: int = 50, cursor: str | None = None) -> TimelinePage:
    """Return one page of a lead's history."""
    with reading() as session:
        lead = access.load(session, Lead, lead_id, access.visible_crm(actor, Lead))
        return _page(session, actor, _ids("lead", [lead_id]), [_created(lead.created_at, lead_id)], limit, cursor)


def recent_of_person(session: Session, actor: Actor, person_id: int, limit: int) -> tuple[TimelineItem, ...]:
    """Return the newest emails with a person, for a panel."""
    return _page(session, actor, _ids("person", [person_id]), [], limit, None, marks=False).items


def _ids(kind: str, target_ids: Sequence[int]) -> CTE:
    found = linked.messages(kind, target_ids).subquery()
    return _kept(pick(found.c.message_id))


def _kept(statement: HasCTE) -> CTE:
    """Found once, then looked up by id: without statistics PostgreSQL would find them again for each message."""
    return statement.cte().prefix_with("MATERIALIZED", dialect="postgresql")


def _page(
    session: Session,
    actor: Actor,
    ids: CTE,
    events: list[_Keyed],
    limit: int,
    cursor: str | None,
    *,
    marks: bool = True,
) -> TimelinePage:
    """Merge the kinds: each gives at most one page and one row more, already below the cursor."""
    size = paging.page_size(limit)
    after = paging.read_at(cursor) if cursor else None
    found: list[_Keyed] = _messages(session, actor, ids, after, size + 1)
    if marks:
        found += _marks(session, actor, ids, after, size + 1)
    found += [event for event in events if after is None or event[0] < after]
    found.sort(key=lambda pair: pair[0], reverse=True)
    shown = found[:size]
    return TimelinePage(
        items=tuple(item for _, item in shown),
        next_cursor=paging.cursor_at(*shown[-1][0]) if len(found) > size else None,
    )


def _one_copy_each(actor: Actor, ids: CTE) -> Subquery:
    """The visible messages among `ids`, one copy of each Message-ID: own before others', then the oldest row."""
    name = func.coalesce(col(Message.rfc_message_id), literal("id:") + cast(col(Message.id), Text))
    own_first = case((col(Message.user_id) == actor.user_id, 0), else_=1)
    ranked = (
        pick(
            col(Message.id).label("id"),
            col(Message.sort_at).label("sort_at"),
            col(Message.subject).label("subject"),
            func.row_number().over(partition_by=name, order_by=(own_first, col(Message.id))).label("copy"),
        )
        .join(ids, ids.c.message_id == col(Message.id))
        .where(access.visible_message(actor))
        .subquery()
    )
    return pick(ranked.c.id, ranked.c.sort_at, ranked.c.subject).where(ranked.c.copy == 1).subquery()


def _messages(session: Session, actor: Actor, ids: CTE, after: _Key | None, limit: int) -> list[_Keyed]:
    one = _one_copy_each(actor, ids)
    statement = pick(one.c.id).order_by(one.c.sort_at.desc(), one.c.id.desc()).limit(limit)
    chosen = [row[0] for row in rows(session, _below(statement, one.c.sort_at, one.c.id, MESSAGE, after))]
    loaded = session.exec(select(Message).where(col(Message.id).in_(chosen))).all()
    return [
        ((view.at, view.id * PLACES + MESSAGE), TimelineItem("thread_message", view.at, view.id, message=view))
        for view in message_views.build(session, actor, loaded)
    ]


def _marks(session: Session, actor: Actor, ids: CTE, after: _Key | None, limit: int) -> list[_Keyed]:
    """The last open and the last click of each tracked message that the viewer sees."""
    one = _one_copy_each(actor, ids)
    found: list[_Keyed] = []
    for place, code, moment, count in (
        (OPENED, "opened", col(TrackedMessage.last_opened_at), col(TrackedMessage.opens)),
        (CLICKED, "clicked", col(TrackedMessage.last_clicked_at), col(TrackedMessage.clicks)),
    ):
        statement = (
            pick(moment, one.c.id, one.c.subject, count)
            .select_from(one)
            .join(TrackedMessage, col(TrackedMessage.message_id) == one.c.id)
            .where(moment.is_not(None), count > 0)
            .order_by(moment.desc(), one.c.id.desc())
            .limit(limit)
        )
        for at, message_id, subject, times in rows(session, _below(statement, moment, one.c.id, place, after)):
            found.append(_event(place, at, message_id, "tracking", code, {"subject": subject, "count": times}))
    return found


def _below(statement: Any, moment: Any, row_id: Any, place: int, after: _Key | None) -> Any:
    if after is None:
        return statement
    at = literal(after[0], UtcDateTime())
    condition: ColumnElement[bool] = or_(moment < at, and_(moment == at, row_id * PLACES + place < after[1]))
    return statement.where(condition)


def _stage_events(session: Session, deal_id: int) -> list[_Keyed]:
    """Every move but the first stay, which is the deal's creation."""
    statement = (
        pick(DealStage.id, DealStage.entered_at, Stage.name)
        .join(Stage, col(Stage.id) == col(DealStage.stage_id))
        .where(col(DealStage.deal_id) == deal_id)
        .order_by(col(DealStage.entered_at), col(DealStage.id))
    )
    return [
        _event(STAGE, entered_at, stay_id, "stage", "moved", {"stage": name})
        for stay_id, entered_at, name in rows(session, statement)[1:]
    ]


def _created(at: datetime, row_id: int) -> _Keyed:
    return _event(CREATED, at, row_id, "created", "created", {})


def _event(place: int, at: datetime, ref: int, kind: str, code: str, params: dict[str, str | int]) -> _Keyed:
    return (at, ref * PLACES + place), TimelineItem(kind, at, ref, text_code=code, params=params)
