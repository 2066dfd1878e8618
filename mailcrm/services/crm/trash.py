"""The trash: what was deleted, of every kind, and the way back. What nobody restores is deleted for good by purge.py.

A person who was merged away stands in it too; restoring them undoes the merge. Rows go back by their own services' verbs.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, null, or_
from sqlmodel import Session, col

from mailcrm.errors import NotFound
from mailcrm.models import Activity, Deal, Lead, Note, Organization, Person, Signature, Template
from mailcrm.services import access, paging
from mailcrm.services.access import Actor
from mailcrm.services.crm import activities, checks, deals, leads, merge, notes, organizations, people, subjects
from mailcrm.services.crm.merge_views import Trashed
from mailcrm.services.db import reading
from mailcrm.services.rows import pick, rows
from mailcrm.services.writing import signatures, templates

KINDS = ("person", "organization", "deal", "lead", "note", "activity", "template", "signature")
_NAMES: dict[str, Any] = {
    "person": Person.name,
    "organization": Organization.name,
    "deal": Deal.title,
    "lead": Lead.title,
    "note": Note.text,
    "activity": Activity.subject,
    "template": Template.name,
    "signature": Signature.name,
}
_MODELS: dict[str, Any] = {
    **subjects.MODELS, "note": Note, "activity": Activity, "template": Template, "signature": Signature,
}  # fmt: skip
_NAME_MOST = 120  # characters of a note


def page_of_trash(actor: Actor, kind: str = "", cursor: str | None = None, limit: int = 50) -> paging.Page[Trashed]:
    """Return what the actor may bring back, the last deleted first; of all kinds unless one is named."""
    if kind:
        checks.choice(kind, "Kind", KINDS)
    size, found = paging.page_size(limit), list[Trashed]()
    with reading() as session:
        for each in (kind,) if kind else KINDS:
            found += _of_kind(session, actor, each, cursor, size + 1)
    found.sort(key=lambda row: (row.deleted_at, -KINDS.index(row.kind), row.id), reverse=True)
    return paging.cut(found, size, _cursor_of)


def _cursor_of(row: Trashed) -> str:
    return f"{row.kind}.{paging.cursor_at(row.deleted_at, row.id)}"


def _behind(cursor: str, kind: str, model: Any) -> ColumnElement[bool]:
    """Rows of a kind behind a cursor; of one moment's rows, those of earlier kinds are shown first."""
    of, _, place = cursor.partition(".")
    at, row_id = paging.read_at(place if of in KINDS else "")
    if KINDS.index(kind) < KINDS.index(of):
        return model.deleted_at < at
    if KINDS.index(kind) > KINDS.index(of):
        return model.deleted_at <= at
    return or_(model.deleted_at < at, and_(model.deleted_at == at, model.id < row_id))


def _of_kind(session: Session, actor: Actor, kind: str, cursor: str | None, most: int) -> list[Trashed]:
    model = _MODELS[kind]
    allowed = _allowed(actor, kind, model)
    into = col(Person.merged_into_id) if kind == "person" else null()
    statement = pick(model.id, _NAMES[kind], model.deleted_at, into).where(allowed)
    if cursor:
        statement = statement.where(_behind(cursor, kind, model))
    found = rows(session, statement.order_by(model.deleted_at.desc(), model.id.desc()).limit(most))
    names = _names(session, actor, {row[3] for row in found})
    return [Trashed(kind, row[0], row[1][:_NAME_MOST], row[2], names.get(row[3])) for row in found]


def _allowed(actor: Actor, kind: str, model: Any) -> ColumnElement[bool]:
    """Rows of a kind in the trash that the actor may bring back."""
    if kind in ("note", "activity"):
        return subjects.trashed(actor, model)
    if kind == "template":
        return and_(model.deleted_at.is_not(None), access.changeable_template(actor))
    if kind == "signature":
        return and_(model.deleted_at.is_not(None), model.user_id == actor.user_id)
    return access.trashed_crm(actor, model)


def restore(actor: Actor, kind: str, row_id: int) -> None:
    """Bring a row back; a merged person by undoing the merge."""
    if kind == "person" and _was_merged(actor, row_id):
        merge.undo_of(actor, row_id)
        return
    verbs: dict[str, Any] = {
        "person": people.restore,
        "organization": organizations.restore,
        "deal": deals.restore,
        "lead": leads.restore,
        "note": notes.restore,
        "activity": activities.restore,
        "template": templates.restore,
        "signature": signatures.restore,
    }
    if kind not in verbs:
        raise NotFound
    verbs[kind](actor, row_id)


def _was_merged(actor: Actor, row_id: Any) -> bool:
    with reading() as session:
        row = access.load(session, Person, row_id, access.trashed_crm(actor, Person))
        return row.merged_into_id is not None


def _names(session: Session, actor: Actor, person_ids: set[int | None]) -> dict[int | None, str]:
    wanted = sorted(each for each in person_ids if each is not None)
    statement = pick(Person.id, Person.name).where(col(Person.id).in_(wanted), access.within_reach(actor, Person))
    return {row[0]: row[1] for row in rows(session, statement)} if wanted else {}
