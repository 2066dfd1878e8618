"""What deals and leads share: a title, money, a person, an organization, an owner.

Helpers in the caller's transaction; every row that is named is authorised here.
"""

from __future__ import annotations

from typing import Any

from sqlmodel import Session, col

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Deal, Lead, Organization, Person, User, Workspace
from mailcrm.services import access, audit
from mailcrm.services.access import Actor
from mailcrm.services.crm import checks
from mailcrm.services.rows import pick, scalar

KEEP: Any = object()  # "leave this field as it is", where None means "empty it"


def chosen(
    session: Session, actor: Actor, person_id: int | None, organization_id: int | None
) -> tuple[int | None, int | None]:
    """Return the ids for a new row: the organization is the person's unless told."""
    if person_id is not None:
        person = access.load(session, Person, person_id, access.visible_crm(actor, Person))
        organization_id = organization_id or standing(session, actor, Organization, person.organization_id)
    if organization_id is not None:
        access.load(session, Organization, organization_id, access.visible_crm(actor, Organization))
    return person_id, organization_id


def standing(session: Session, actor: Actor, model: type[Person | Organization], row_id: int | None) -> int | None:
    """Return the id, or None when its row can't be seen (any more)."""
    return scalar(session, pick(model.id).where(col(model.id) == row_id, access.visible_crm(actor, model)))


def currency(session: Session, code: str | None) -> str:
    """Return the currency that was given, the workspace's for None."""
    return checks.currency(code) if code else scalar(session, pick(Workspace.currency)) or "EUR"


def change(
    session: Session,
    actor: Actor,
    row: Deal | Lead,
    *,
    title: str | None = None,
    currency: str | None = None,
    person_id: int | None = KEEP,
    organization_id: int | None = KEEP,
    owner_id: int | None = KEEP,
) -> None:
    """Change what is given; None empties a person, an organization or an owner.

    Raises UserError when the new owner's rows are out of the actor's reach: a change must not lose its own row.
    """
    if title is not None:
        row.title = checks.line(title, "Title", required=True)
    if currency is not None:
        row.currency = checks.currency(currency)
    if person_id is not KEEP:
        if person_id is not None:
            access.load(session, Person, person_id, access.visible_crm(actor, Person))
        row.person_id = person_id
    if organization_id is not KEEP:
        if organization_id is not None:
            access.load(session, Organization, organization_id, access.visible_crm(actor, Organization))
        row.organization_id = organization_id
    if owner_id is not KEEP:
        give(session, actor, row, owner_id)


def give(session: Session, actor: Actor, row: Deal | Lead, owner_id: int | None) -> None:
    """Make a colleague the owner, or nobody; timelines tell it. Does nothing when that is so already."""
    if owner_id is not None:
        access.load(session, User, owner_id, col(User.disabled_at).is_(None))
    if row.owner_id == owner_id:
        return
    row.owner_id = owner_id
    session.add(row)
    session.flush()
    model = type(row)
    try:
        access.load(session, model, row.id, access.visible_crm(actor, model))
    except NotFound:
        raise UserError("crm.out_of_reach") from None
    audit.record(session, actor, "owner", model.__name__.lower(), row.id, owner=owner_id)
