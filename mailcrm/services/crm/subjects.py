"""What notes and activities are about: persons, organizations, deals and leads, and who may see them for that.

A note or an activity is seen by whoever may see one of the rows that it is about (access.visible_crm). Does not write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, exists, or_, union
from sqlmodel import Session, col

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Activity, Deal, Lead, Note, Organization, Person
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.crm.views import Subject
from mailcrm.services.given import Kept
from mailcrm.services.rows import pick, rows

MODELS: dict[str, Any] = {"person": Person, "organization": Organization, "deal": Deal, "lead": Lead}
_KEPT = Kept()
KEEP: Any = object()  # "leave this field as it is", where None means "empty it"


def seen(actor: Actor, model: type[Note | Activity]) -> ColumnElement[bool]:
    """Notes, or activities, that stand and are about something the actor may see."""

    def make() -> ColumnElement[bool]:
        return col(model.deleted_at).is_(None) & or_(*_about(actor, model))

    return _KEPT.get((model, access.view_of(actor)), make)


def trashed(actor: Actor, model: type[Note | Activity]) -> ColumnElement[bool]:
    """The same of those in the trash."""
    return col(model.deleted_at).is_not(None) & or_(*_about(actor, model))


def _about(actor: Actor, model: type[Note | Activity]) -> list[ColumnElement[bool]]:
    """Something the actor may see; OFFSET 0 has PostgreSQL ask of each row, where it read all persons for a page."""
    return [
        pick(of.id)
        .where(of.id == getattr(model, f"{kind}_id"), access.visible_crm(actor, of))
        .correlate(model)
        .offset(0)
        .exists()
        for kind, of in MODELS.items()
    ]


def narrowed(actor: Actor, model: type[Note | Activity], given: Mapping[str, int | None]) -> list[ColumnElement[bool]]:
    """Hold for what is about all of these rows, by column; about a row that the actor may not see nothing is found."""
    return [
        (getattr(model, f"{kind}_id") == given[f"{kind}_id"])
        & exists().where(of.id == given[f"{kind}_id"], access.visible_crm(actor, of))
        for kind, of in MODELS.items()
        if given.get(f"{kind}_id") is not None
    ]


def load(session: Session, actor: Actor, kind: str, row_id: Any) -> Any:
    """Load a row of the CRM by its kind; NotFound for a kind that is none, too."""
    if kind not in MODELS:
        raise NotFound
    return access.load(session, MODELS[kind], row_id, access.visible_crm(actor, MODELS[kind]))


def check(session: Session, actor: Actor, given: Mapping[str, int | None]) -> dict[str, Any]:
    """Return the ids to store, by column; each must be of a row that the actor may see, and one at least is asked for."""
    for kind in MODELS:
        if given.get(f"{kind}_id") is not None:
            load(session, actor, kind, given[f"{kind}_id"])
    if all(value is None for value in given.values()):
        raise UserError("input.missing", field="Contact, organization, deal or lead")
    return {f"{kind}_id": given.get(f"{kind}_id") for kind in MODELS}


def named(session: Session, actor: Actor, found: Sequence[Note] | Sequence[Activity]) -> dict[int, tuple[Subject, ...]]:
    """Return what each is about, as far as the actor may see it: one statement for each kind that occurs."""
    about: dict[int, list[Subject]] = {}
    for kind, model in MODELS.items():
        wanted = {getattr(row, f"{kind}_id") for row in found} - {None}
        if not wanted:
            continue
        name = model.title if kind in ("deal", "lead") else model.name
        statement = pick(model.id, name).where(model.id.in_(sorted(wanted)), access.visible_crm(actor, model))
        names = {row[0]: row[1] for row in rows(session, statement)}
        for row in found:
            row_id = getattr(row, f"{kind}_id")
            if row_id in names:
                about.setdefault(row.id or 0, []).append(Subject(kind, row_id, names[row_id]))
    return {row_id: tuple(subjects) for row_id, subjects in about.items()}


def belonging(actor: Actor, model: type[Note | Activity], kind: str, row_id: Any) -> ColumnElement[bool]:
    """Notes, or activities, of a row's timeline: its own, a person's deals', an organization's persons' and deals'."""
    parts = [pick(model.id).where(getattr(model, f"{kind}_id") == row_id)]
    if kind in ("person", "organization"):
        deals = pick(Deal.id).where(getattr(Deal, f"{kind}_id") == row_id, access.visible_crm(actor, Deal))
        parts.append(pick(model.id).where(col(model.deal_id).in_(deals)))
    if kind == "organization":
        people = pick(Person.id).where(col(Person.organization_id) == row_id, access.visible_crm(actor, Person))
        parts.append(pick(model.id).where(col(model.person_id).in_(people)))
    return col(model.id).in_(parts[0] if len(parts) == 1 else union(*parts))
