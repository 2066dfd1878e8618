"""Activities: calls, meetings and tasks, planned and then done, with persons, organizations, deals and leads.

Whoever sees what an activity is about may see and change it (subjects.py). `due_on` is a day of its owner;
`due_at` a moment where an hour was given. Does not remind anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from sqlmodel import Session, col, select

from mailcrm.errors import UserError
from mailcrm.models import Activity, User, utcnow
from mailcrm.services import access, audit, i18n, live, paging
from mailcrm.services.access import Actor
from mailcrm.services.crm import checks, subjects
from mailcrm.services.crm.notes import names_of
from mailcrm.services.crm.subjects import KEEP
from mailcrm.services.crm.views import ActivityView
from mailcrm.services.db import reading, transaction

KINDS = ("call", "meeting", "task")
TEXT_MOST = 20_000  # characters
MINUTES_MOST = 7 * 24 * 60
FOCUS_MOST = 20  # planned activities above one timeline


def create_activity(
    actor: Actor,
    *,
    kind: str,
    subject: str,
    text: str = "",
    due_on: date | None = None,
    due_at: datetime | None = None,
    minutes: int | None = None,
    owner_id: int | None = None,
    done: bool = False,
    person_id: int | None = None,
    organization_id: int | None = None,
    deal_id: int | None = None,
    lead_id: int | None = None,
) -> ActivityView:
    """Plan an activity, or note one that is done; it is the actor's unless another owner is named."""
    given = {"person_id": person_id, "organization_id": organization_id, "deal_id": deal_id, "lead_id": lead_id}
    with transaction() as session:
        about = subjects.check(session, actor, given)
        row = Activity(
            kind=checks.choice(kind, "Kind", KINDS),
            subject=checks.line(subject, "Subject", required=True),
            text=checks.text(text, "Description", most=TEXT_MOST),
            minutes=_minutes(minutes),
            done_at=utcnow() if done else None,
            owner_id=_owner(session, actor.user_id if owner_id is None else owner_id),
            created_by=actor.user_id,
            **about,
        )
        row.due_on, row.due_at = _due(session, row.owner_id, due_on, due_at)
        session.add(row)
        return _changed(session, actor, "create", row)


def list_activities(
    actor: Actor,
    *,
    person_id: int | None = None,
    organization_id: int | None = None,
    deal_id: int | None = None,
    lead_id: int | None = None,
    owner_id: int | None = None,
    kind: str | None = None,
    done: bool | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> paging.Page[ActivityView]:
    """Return the activities that the actor may see, newest first; a filter left out asks for nothing."""
    given = {"person_id": person_id, "organization_id": organization_id, "deal_id": deal_id, "lead_id": lead_id}
    size = paging.page_size(limit)
    where = [subjects.seen(actor, Activity), *subjects.narrowed(actor, Activity, given)]
    if owner_id is not None:
        where.append(col(Activity.owner_id) == owner_id)
    if kind is not None:
        where.append(col(Activity.kind) == checks.choice(kind, "Kind", KINDS))
    if done is not None:
        where.append(col(Activity.done_at).is_not(None) if done else col(Activity.done_at).is_(None))
    if cursor:
        where.append(paging.older(cursor, col(Activity.created_at), col(Activity.id)))
    newest = (col(Activity.created_at).desc(), col(Activity.id).desc())
    with reading() as session:
        found = views(session, actor, session.exec(select(Activity).where(*where).order_by(*newest).limit(size + 1)))
    return paging.cut(found, size, lambda row: paging.cursor_at(row.created_at, row.id))


def planned(actor: Actor, kind: str, row_id: int) -> tuple[ActivityView, ...]:
    """Return what is planned with a row, the first due first, without a day last; at most FOCUS_MOST."""
    with reading() as session:
        subjects.load(session, actor, kind, row_id)
        statement = (
            select(Activity)
            .where(
                subjects.belonging(actor, Activity, kind, row_id),
                col(Activity.done_at).is_(None),
                subjects.seen(actor, Activity),
            )
            .order_by(
                col(Activity.due_on).is_(None), col(Activity.due_on), col(Activity.due_at).is_(None),
                col(Activity.due_at), col(Activity.id),
            )
            .limit(FOCUS_MOST)
        )  # fmt: skip
        return tuple(views(session, actor, session.exec(statement)))


def get_activity(actor: Actor, activity_id: int) -> ActivityView:
    """Return one activity."""
    with reading() as session:
        return views(session, actor, [_load(session, actor, activity_id)])[0]


def change_activity(
    actor: Actor,
    activity_id: int,
    *,
    kind: str | None = None,
    subject: str | None = None,
    text: str | None = None,
    due_on: date | None = KEEP,
    due_at: datetime | None = KEEP,
    minutes: int | None = KEEP,
    owner_id: int | None = None,
) -> ActivityView:
    """Change what is given; None empties a day, an hour or a length. Another day without an hour drops the hour."""
    with transaction() as session:
        row = _load(session, actor, activity_id)
        if kind is not None:
            row.kind = checks.choice(kind, "Kind", KINDS)
        if subject is not None:
            row.subject = checks.line(subject, "Subject", required=True)
        if text is not None:
            row.text = checks.text(text, "Description", most=TEXT_MOST)
        if minutes is not KEEP:
            row.minutes = _minutes(minutes)
        if owner_id is not None:
            row.owner_id = _owner(session, owner_id)
        if due_on is not KEEP or due_at is not KEEP:
            day = row.due_on if due_on is KEEP and due_at is None else None if due_on is KEEP else due_on
            row.due_on, row.due_at = _due(session, row.owner_id, day, None if due_at is KEEP else due_at)
        return _changed(session, actor, "change", row)


def set_done(actor: Actor, activity_id: int, done: bool = True) -> ActivityView:
    """Tick an activity off, or take the tick away. Idempotent: the first moment stays."""
    with transaction() as session:
        row = _load(session, actor, activity_id)
        if (row.done_at is not None) == done:
            return views(session, actor, [row])[0]
        row.done_at = utcnow() if done else None
        return _changed(session, actor, "done" if done else "undone", row)


def delete(actor: Actor, activity_id: int) -> None:
    """Put an activity in the trash."""
    with transaction() as session:
        row = _load(session, actor, activity_id)
        row.deleted_at = utcnow()
        _changed(session, actor, "delete", row)


def restore(actor: Actor, activity_id: int) -> ActivityView:
    """Bring an activity back from the trash. Idempotent."""
    with transaction() as session:
        allowed = subjects.trashed(actor, Activity) | subjects.seen(actor, Activity)
        row = access.load(session, Activity, activity_id, allowed)
        row.deleted_at = None
        return _changed(session, actor, "restore", row)


def views(session: Session, actor: Actor, rows_found: Any) -> list[ActivityView]:
    """Return the views of activities that were authorised before, in their order."""
    found: Sequence[Activity] = list(rows_found)
    about = subjects.named(session, actor, found)
    names = names_of(session, {row.owner_id for row in found})
    return [
        ActivityView(
            id=row.id or 0,
            kind=row.kind,
            subject=row.subject,
            text=row.text,
            due_on=row.due_on,
            due_at=row.due_at,
            minutes=row.minutes,
            done_at=row.done_at,
            owner_id=row.owner_id,
            owner=names.get(row.owner_id or 0, ""),
            about=about.get(row.id or 0, ()),
            created_at=row.created_at,
        )
        for row in found
    ]


def _due(
    session: Session, owner_id: int | None, due_on: date | None, due_at: datetime | None
) -> tuple[date | None, datetime | None]:
    """The day and the moment; of a moment alone the day is where the owner is."""
    if due_at is None:
        return due_on, None
    if due_at.tzinfo is None:
        raise UserError("input.invalid", value=due_at.isoformat(), field="Due")
    owner = session.get(User, owner_id) if owner_id is not None else None
    try:
        return due_at.astimezone(i18n.zone(owner.time_zone if owner else "UTC")).date(), due_at.astimezone(UTC)
    except OverflowError:
        raise UserError("input.invalid", value=due_at.isoformat(), field="Due") from None


def _minutes(value: int | None) -> int | None:
    if value is not None and not 0 < value <= MINUTES_MOST:
        raise UserError("input.invalid", value=str(value)[:40], field="Minutes")
    return value


def _owner(session: Session, user_id: int) -> int:
    return access.load(session, User, user_id, col(User.disabled_at).is_(None)).id or 0


def _load(session: Session, actor: Actor, activity_id: Any) -> Activity:
    return access.load(session, Activity, activity_id, subjects.seen(actor, Activity))


def _changed(session: Session, actor: Actor, verb: str, row: Activity) -> ActivityView:
    session.add(row)
    session.flush()
    audit.record(session, actor, verb, "activity", row.id)
    live.hint(session, None, "crm", row.id)
    return views(session, actor, [row])[0]
