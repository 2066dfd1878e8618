"""What happened with a person, organization, deal or lead, newest first, as the viewer may see it.

Mail stands there message by message: visible ones only (access.py), each Message-ID once, the viewer's own copy where
there is one (settled question 2, M13). Around it stand notes, activities that are done, what changed (stages, the end
of a deal, owners, merges), and opens and clicks. What is planned is above it, not in it: activities.planned.
Pages are keyset by (moment, id); every kind of item has its place in the id, so that equal moments keep their order
(timeline_keys.py). Each kind is asked for one page and one row more, so a page costs the same however deep it is; how
mail is walked is timeline_mail.py's.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import BigInteger, ColumnElement, bindparam, func, literal
from sqlmodel import Session, col, select

from mailcrm.errors import UserError
from mailcrm.models import (
    Activity,
    AuditEntry,
    Deal,
    DealStage,
    Message,
    Note,
    Person,
    Stage,
    User,
    UtcDateTime,
)
from mailcrm.services import access, paging
from mailcrm.services.access import Actor
from mailcrm.services.crm import activities, notes, subjects, timeline_mail
from mailcrm.services.crm.linking.linked import Targets
from mailcrm.services.crm.timeline_keys import (
    ACTIVITY,
    CHANGE,
    CLOSED,
    CREATED,
    MESSAGE,
    NOTE,
    OPENED,
    PLACES,
    STAGE,
    Key,
    below,
)
from mailcrm.services.crm.views import TimelineItem, TimelinePage
from mailcrm.services.db import reading
from mailcrm.services.given import Kept
from mailcrm.services.mail import message_views
from mailcrm.services.rows import pick, rows

#: What a timeline shows: everything, or one kind.
SHOWN = ("all", "emails", "notes", "activities", "files", "changes")
#: Audited acts that stand in a timeline, beside those that rows themselves tell (created, moved, won, lost).
CHANGES = {
    "reopen": "reopened",
    "change_owner": "owner",
    "owner": "owner",
    "merge": "merged",
    "unmerge": "unmerged",
    "restore": "restored",
    "convert": "converted",
    "archive": "archived",
    "unarchive": "unarchived",
    "set_consent": "consent",
}
PINNED_MOST = 50  # notes that stand above a timeline
_Keyed = tuple[Key, TimelineItem]
_Row = TypeVar("_Row", Note, Activity)
_KEPT = Kept()


def page_of(
    actor: Actor,
    kind: str,
    row_id: int,
    *,
    shown: str = "all",
    limit: int = 50,
    cursor: str | None = None,
    pinned: bool = True,
) -> TimelinePage:
    """Return one page of the history of a person, organization, deal or lead; `shown` is one of SHOWN.

    `pinned` False leaves pinned notes out, for a place where they stand above it.
    """
    if shown not in SHOWN:
        raise UserError("input.invalid", value=str(shown)[:40], field="Filter")
    with reading() as session:
        row = subjects.load(session, actor, kind, row_id)
        mail = mail_of(session, actor, kind, row_id) if shown in ("all", "emails", "files") else None
        events: list[_Keyed] = _events_of(session, kind, row) if shown in ("all", "changes") else []
        return _page(session, actor, mail, events, limit, cursor, of=(kind, row_id), shown=shown, pinned=pinned)


def deal_timeline(actor: Actor, deal_id: int, limit: int = 50, cursor: str | None = None) -> TimelinePage:
    """Return one page of a deal's history."""
    return page_of(actor, "deal", deal_id, limit=limit, cursor=cursor)


def person_timeline(actor: Actor, person_id: int, limit: int = 50, cursor: str | None = None) -> TimelinePage:
    """Return one page of a person's history."""
    return page_of(actor, "person", person_id, limit=limit, cursor=cursor)


def organization_timeline(
    actor: Actor, organization_id: int, limit: int = 50, cursor: str | None = None
) -> TimelinePage:
    """Return one page of an organization's history: mail of its persons and its deals."""
    return page_of(actor, "organization", organization_id, limit=limit, cursor=cursor)


def lead_timeline(actor: Actor, lead_id: int, limit: int = 50, cursor: str | None = None) -> TimelinePage:
    """Return one page of a lead's history."""
    return page_of(actor, "lead", lead_id, limit=limit, cursor=cursor)


def mail_of(session: Session, actor: Actor, kind: str, row_id: int) -> Targets:
    """Return what a timeline's mail is linked to; an organization's is that of its persons and deals."""
    if kind != "organization":
        return {kind: [row_id]}
    found: dict[str, list[int]] = {}
    for name, model in (("person", Person), ("deal", Deal)):
        theirs = pick(model.id).where(col(model.organization_id) == row_id, access.visible_crm(actor, model))
        if ids := [row[0] for row in rows(session, theirs)]:
            found[name] = ids
    return found


def _events_of(session: Session, kind: str, row: Any) -> list[_Keyed]:
    """What the row itself tells: created, moved, won, lost."""
    events = [_created(row.created_at, row.id)]
    if kind == "deal":
        events += _stage_events(session, row.id)
        if row.closed_at is not None:
            params: dict[str, str | int] = {"reason": row.lost_reason} if row.status == "lost" else {}
            events.append(_event(CLOSED, row.closed_at, row.id, row.status, row.status, params))
    return events


def recent_of_person(session: Session, actor: Actor, person_id: int, limit: int) -> tuple[TimelineItem, ...]:
    """Return the newest emails with a person, for a panel."""
    return _page(session, actor, {"person": [person_id]}, [], limit, None).items


def _page(
    session: Session,
    actor: Actor,
    mail: Targets | None,
    events: list[_Keyed],
    limit: int,
    cursor: str | None,
    *,
    of: tuple[str, int] | None = None,
    shown: str = "all",
    pinned: bool = True,
) -> TimelinePage:
    """Merge the kinds: each gives at most one page and one row more, already below the cursor."""
    size = paging.page_size(limit)
    after = paging.read_at(cursor) if cursor else None
    files = shown == "files"
    found: list[_Keyed] = _messages(session, actor, mail, after, size + 1, files=files) if mail else []
    since = min(key for key, _ in found)[0] if len(found) > size else None  # what is older has no place on this page
    if of is not None:
        if mail and shown == "all":
            found += _marks(session, actor, mail, after, size + 1, since)
        if shown in ("all", "notes"):
            found += _notes(session, actor, of, after, size + 1, since, None if pinned else False)
        if shown in ("all", "activities"):
            found += _activities(session, actor, of, after, size + 1, since)
        if shown in ("all", "changes"):
            found += _changes(session, actor, of, after, size + 1, since)
    found += [event for event in events if after is None or event[0] < after]
    found.sort(key=lambda pair: pair[0], reverse=True)
    page = found[:size]
    return TimelinePage(
        items=tuple(item for _, item in page),
        next_cursor=paging.cursor_at(*page[-1][0]) if len(found) > size else None,
    )


def _messages(
    session: Session, actor: Actor, mail: Targets, after: Key | None, limit: int, *, files: bool = False
) -> list[_Keyed]:
    chosen = timeline_mail.page(session, actor, mail, after, limit, files=files)
    loaded = session.exec(select(Message).where(col(Message.id).in_(chosen))).all()
    return [
        ((view.at, view.id * PLACES + MESSAGE), TimelineItem("thread_message", view.at, view.id, message=view))
        for view in message_views.build(session, actor, loaded)
    ]


def _marks(
    session: Session, actor: Actor, mail: Targets, after: Key | None, limit: int, since: datetime | None
) -> list[_Keyed]:
    """The last open and the last click of each tracked message that the viewer sees."""
    return [
        _event(place, at, message_id, "tracking", "opened" if place == OPENED else "clicked",
               {"subject": subject, "count": count})
        for place, message_id, at, subject, count in timeline_mail.marks(session, actor, mail, after, limit, since)
    ]  # fmt: skip


def pinned_notes(actor: Actor, kind: str, row_id: int) -> tuple[TimelineItem, ...]:
    """Return the pinned notes of a timeline, the newest first."""
    with reading() as session:
        subjects.load(session, actor, kind, row_id)
        return tuple(item for _, item in _notes(session, actor, (kind, row_id), None, PINNED_MOST, None, True))


def _notes(
    session: Session,
    actor: Actor,
    of: tuple[str, int],
    after: Key | None,
    limit: int,
    since: datetime | None,
    pinned: bool | None = None,
) -> list[_Keyed]:
    moment, row_id = col(Note.created_at), col(Note.id)
    which = () if pinned is None else (col(Note.pinned).is_(pinned),)
    key = (of[0], access.view_of(actor), pinned, limit)
    found = _of_row(session, actor, Note, key, of, (moment, row_id, NOTE), which, after, since)
    return [
        ((view.created_at, view.id * PLACES + NOTE), TimelineItem("note", view.created_at, view.id, note=view))
        for view in notes.views(session, actor, found)
    ]


def _of_row(
    session: Session,
    actor: Actor,
    model: type[_Row],
    key: tuple[Any, ...],
    of: tuple[str, int],
    place: tuple[Any, Any, int],
    which: tuple[ColumnElement[bool], ...],
    after: Key | None,
    since: datetime | None,
) -> list[_Row]:
    """Notes, or activities, of a timeline that the actor may see; a first page's statement is made once for its `key`."""
    moment, row_id, kind = place

    def make() -> Any:
        belonging = subjects.belonging(actor, model, of[0], bindparam("of_id", of[1], BigInteger()))
        recent = () if since is None else (moment >= bindparam("since", since, UtcDateTime()),)
        statement = select(model).where(belonging, subjects.seen(actor, model), *which, *recent)
        return below(statement.order_by(moment.desc(), row_id.desc()).limit(key[-1]), moment, row_id, kind, after)

    statement = make() if after else _KEPT.get((model, *key, since is None), make)
    given = {"of_id": of[1], **({} if since is None else {"since": since})}
    return list(session.scalars(statement, given))


def _activities(
    session: Session, actor: Actor, of: tuple[str, int], after: Key | None, limit: int, since: datetime | None
) -> list[_Keyed]:
    moment, row_id = col(Activity.done_at), col(Activity.id)
    which, key = (moment.is_not(None),), (of[0], access.view_of(actor), None, limit)
    found = _of_row(session, actor, Activity, key, of, (moment, row_id, ACTIVITY), which, after, since)
    return [
        ((view.done_at, view.id * PLACES + ACTIVITY), TimelineItem("activity", view.done_at, view.id, activity=view))
        for view in activities.views(session, actor, found)
        if view.done_at is not None
    ]


def _changes(
    session: Session, actor: Actor, of: tuple[str, int], after: Key | None, limit: int, since: datetime | None
) -> list[_Keyed]:
    """Audited acts upon the row, with who did them; `name` is the new owner's, or the merged person's if in reach."""
    kind, row_id = of
    actor_name = func.coalesce(User.name, "").label("who")
    statement = (
        pick(AuditEntry.id, AuditEntry.at, AuditEntry.verb, AuditEntry.detail, actor_name)
        .outerjoin(User, col(User.id) == col(AuditEntry.actor_id))
        .where(
            col(AuditEntry.object_kind) == kind,
            col(AuditEntry.object_id) == row_id,
            col(AuditEntry.verb).in_(CHANGES),
            *_not_before(col(AuditEntry.at), since),
        )
        .order_by(col(AuditEntry.at).desc(), col(AuditEntry.id).desc())
        .limit(limit)
    )
    found = rows(session, below(statement, col(AuditEntry.at), col(AuditEntry.id), CHANGE, after))
    owners = notes.names_of(session, {_owner(row.detail) for row in found})
    merged = sorted({row.detail["merged"] for row in found if "merged" in row.detail})
    in_reach = pick(Person.id, Person.name).where(col(Person.id).in_(merged), access.within_reach(actor, Person))
    persons = {row[0]: row[1] for row in rows(session, in_reach)} if merged else {}
    return [
        _event(
            CHANGE,
            row.at,
            row.id,
            "change",
            CHANGES[row.verb],
            {
                "who": row.who,
                "name": owners.get(_owner(row.detail) or 0, "") or persons.get(row.detail.get("merged"), ""),
            }
            | ({"consent": str(row.detail["consent"])} if "consent" in row.detail else {}),
        )
        for row in found
    ]


def _not_before(moment: Any, since: datetime | None) -> tuple[ColumnElement[bool], ...]:
    return () if since is None else (moment >= literal(since, UtcDateTime()),)


def _owner(detail: dict[str, Any]) -> int | None:
    found = detail.get("owner", detail.get("owner_id"))
    return found if type(found) is int else None


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
