"""Leads: possible deals. Thin: create, list, convert, archive."""

from __future__ import annotations

from sqlalchemy import func
from sqlmodel import Session, col

from mailcrm.models import Lead, Link, Organization, Person, User, Workspace, utcnow
from mailcrm.services import access, audit, live, paging
from mailcrm.services.access import Actor
from mailcrm.services.crm import checks, deals
from mailcrm.services.crm.views import LeadView
from mailcrm.services.db import reading, transaction
from mailcrm.services.rows import insert_absent, pick, rows, scalar

STATUSES = ("open", "converted", "archived", "all")


def create_lead(
    actor: Actor,
    *,
    title: str,
    value_minor: int | None = None,
    currency: str | None = None,
    person_id: int | None = None,
    organization_id: int | None = None,
) -> LeadView:
    """Add a lead."""
    with transaction() as session:
        if person_id is not None:
            person = access.load(session, Person, person_id, access.visible_crm(actor, Person))
            organization_id = organization_id or person.organization_id
        if organization_id is not None:
            access.load(session, Organization, organization_id, access.visible_crm(actor, Organization))
        row = Lead(
            title=checks.line(title, "Title", required=True),
            value_minor=None if value_minor is None else checks.money(value_minor),
            currency=checks.currency(currency) if currency else scalar(session, pick(Workspace.currency)) or "EUR",
            person_id=person_id,
            organization_id=organization_id,
            owner_id=actor.user_id,
        )
        session.add(row)
        session.flush()
        _changed(session, actor, "create", row)
        return _views(session, actor, row.id)[0]


def list_leads(actor: Actor, query: str = "", status: str = "open", limit: int = 100) -> tuple[LeadView, ...]:
    """Return the first page of `page_of_leads`."""
    return page_of_leads(actor, query, status, limit=limit).rows


def page_of_leads(
    actor: Actor, query: str = "", status: str = "open", cursor: str | None = None, limit: int = 100
) -> paging.Page[LeadView]:
    """Return leads, newest first; `query` looks into titles."""
    size = paging.page_size(limit)
    checks.choice(status, "Status", STATUSES)
    words = checks.line(query[:200], "Search").split()[:10]
    with reading() as session:
        found = _views(session, actor, None, status, words, size + 1, cursor)
    return paging.cut(found, size, lambda row: paging.cursor_at(row.created_at, row.id))


def get_lead(actor: Actor, lead_id: int) -> LeadView:
    """Return one lead."""
    with reading() as session:
        _load(session, actor, lead_id)
        return _views(session, actor, lead_id)[0]


def convert(actor: Actor, lead_id: int, *, stage_id: int | None = None) -> int:
    """Make a deal of a lead, with its person, value and linked conversations; return the deal's id. Idempotent."""
    with transaction() as session:
        row = _load(session, actor, lead_id)
        if row.deal_id is not None:
            return row.deal_id
        deal = deals.add(
            session,
            actor,
            title=row.title,
            value_minor=row.value_minor or 0,
            currency=row.currency,
            stage_id=stage_id,
            person_id=_standing(session, actor, Person, row.person_id),
            organization_id=_standing(session, actor, Organization, row.organization_id),
        )
        row.status, row.deal_id = "converted", deal.id
        _changed(session, actor, "convert", row)
        linked = pick(Link.thread_id, Link.message_id, Link.origin, Link.reason, Link.created_by).where(
            col(Link.lead_id) == lead_id, col(Link.unlinked_at).is_(None)
        )
        moved = [dict(link._mapping, deal_id=deal.id, created_at=utcnow()) for link in rows(session, linked)]  # pyright: ignore[reportPrivateUsage]
        insert_absent(session, Link, moved)
        return deal.id or 0


def archive(actor: Actor, lead_id: int, archived: bool = True) -> LeadView:
    """Set an open lead aside, or take it up again; a converted one stays as it is."""
    with transaction() as session:
        row = _load(session, actor, lead_id)
        if row.status != "converted":
            row.status = "archived" if archived else "open"
            _changed(session, actor, "archive" if archived else "unarchive", row)
        return _views(session, actor, lead_id)[0]


def delete(actor: Actor, lead_id: int) -> None:
    """Put a lead in the trash."""
    with transaction() as session:
        row = _load(session, actor, lead_id)
        row.deleted_at = utcnow()
        _changed(session, actor, "delete", row)


def restore(actor: Actor, lead_id: int) -> None:
    """Bring a lead back from the trash."""
    with transaction() as session:
        row = access.load(session, Lead, lead_id, col(Lead.deleted_at).is_not(None))
        row.deleted_at = None
        _changed(session, actor, "restore", row)


def _load(session: Session, actor: Actor, lead_id: int) -> Lead:
    return access.load(session, Lead, lead_id, access.visible_crm(actor, Lead))


def _standing(session: Session, actor: Actor, model: type[Person | Organization], row_id: int | None) -> int | None:
    """The id, or None when its row is in the trash by now."""
    return scalar(session, pick(model.id).where(col(model.id) == row_id, access.visible_crm(actor, model)))


def _changed(session: Session, actor: Actor, verb: str, row: Lead) -> None:
    session.add(row)
    audit.record(session, actor, verb, "lead", row.id)
    live.hint(session, None, "crm", row.id)


def _views(
    session: Session,
    actor: Actor,
    lead_id: int | None,
    status: str = "all",
    words: list[str] | None = None,
    limit: int = 1,
    cursor: str | None = None,
) -> list[LeadView]:
    statement = (
        pick(
            Lead.id,
            Lead.title,
            Lead.value_minor,
            Lead.currency,
            Lead.status,
            Person.id,
            func.coalesce(Person.name, ""),
            Organization.id,
            func.coalesce(Organization.name, ""),
            Lead.owner_id,
            func.coalesce(User.name, ""),
            Lead.deal_id,
            Lead.created_at,
        )
        .outerjoin(Person, (col(Person.id) == col(Lead.person_id)) & access.visible_crm(actor, Person))
        .outerjoin(
            Organization,
            (col(Organization.id) == col(Lead.organization_id)) & access.visible_crm(actor, Organization),
        )
        .outerjoin(User, col(User.id) == col(Lead.owner_id))
        .where(access.visible_crm(actor, Lead))
        .order_by(col(Lead.created_at).desc(), col(Lead.id).desc())
        .limit(limit)
    )
    if lead_id is not None:
        statement = statement.where(col(Lead.id) == lead_id)
    if cursor:
        statement = statement.where(paging.older(cursor, col(Lead.created_at), col(Lead.id)))
    if status != "all":
        statement = statement.where(col(Lead.status) == status)
    for word in words or []:
        statement = statement.where(col(Lead.title).icontains(word, autoescape=True))
    return [LeadView(*row) for row in rows(session, statement)]
