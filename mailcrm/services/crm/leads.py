"""Leads: possible deals, until they are converted or set aside."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, or_, update
from sqlmodel import Session, col

from mailcrm.models import Activity, LabelUse, Lead, Link, Note, Organization, Person, User, utcnow
from mailcrm.services import access, audit, live, paging
from mailcrm.services.access import Actor
from mailcrm.services.crm import checks, deal_facts, deals, parties
from mailcrm.services.crm.linking import pending
from mailcrm.services.crm.views import LeadView
from mailcrm.services.db import reading, transaction
from mailcrm.services.rows import insert_absent, pick, rows, run

STATUSES = ("open", "converted", "archived", "all")
KEEP = parties.KEEP


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
        person_id, organization_id = parties.chosen(session, actor, person_id, organization_id)
        row = Lead(
            title=checks.line(title, "Title", required=True),
            value_minor=None if value_minor is None else checks.money(value_minor),
            currency=parties.currency(session, currency),
            person_id=person_id,
            organization_id=organization_id,
            owner_id=actor.user_id,
        )
        session.add(row)
        session.flush()
        _changed(session, actor, "create", row)
        return _views(session, actor, col(Lead.id) == row.id)[0]


def list_leads(actor: Actor, query: str = "", status: str = "open", limit: int = 100) -> tuple[LeadView, ...]:
    """Return the first page of `page_of_leads`."""
    return page_of_leads(actor, query, status, limit=limit).rows


def page_of_leads(
    actor: Actor,
    query: str = "",
    status: str = "open",
    cursor: str | None = None,
    limit: int = 100,
    *,
    owner_id: int | None = None,
    label_id: int | None = None,
    person_id: int | None = None,
) -> paging.Page[LeadView]:
    """Return leads, newest first; `query` looks into titles, persons and organizations."""
    size = paging.page_size(limit)
    checks.choice(status, "Status", STATUSES)
    where = [] if status == "all" else [col(Lead.status) == status]
    for word in checks.line(query[:200], "Search").split()[:10]:
        found_in = (col(name).icontains(word, autoescape=True) for name in (Lead.title, Person.name, Organization.name))
        where.append(or_(*found_in))
    if owner_id is not None:
        where.append(col(Lead.owner_id) == owner_id)
    if person_id is not None:
        where.append(col(Person.id) == person_id)  # of the join, which holds only persons that the actor may see
    if label_id is not None:
        where.append(col(Lead.id).in_(pick(LabelUse.lead_id).where(col(LabelUse.label_id) == label_id)))
    if cursor:
        where.append(paging.older(cursor, col(Lead.created_at), col(Lead.id)))
    with reading() as session:
        found = _views(session, actor, *where, limit=size + 1)
    return paging.cut(found, size, lambda row: paging.cursor_at(row.created_at, row.id))


def get_lead(actor: Actor, lead_id: int) -> LeadView:
    """Return one lead."""
    with reading() as session:
        _load(session, actor, lead_id)
        return _views(session, actor, col(Lead.id) == lead_id)[0]


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
            person_id=parties.standing(session, actor, Person, row.person_id),
            organization_id=parties.standing(session, actor, Organization, row.organization_id),
        )
        row.status, row.deal_id = "converted", deal.id
        _changed(session, actor, "convert", row)
        # What was taken off the lead goes along as that: the rules leave it off the deal too (M30).
        linked = pick(
            Link.thread_id, Link.message_id, Link.origin, Link.reason, Link.created_by, Link.unlinked_by,
            Link.unlinked_at,
        ).where(col(Link.lead_id) == lead_id)  # fmt: skip
        moved = [dict(link._mapping, deal_id=deal.id, created_at=utcnow()) for link in rows(session, linked)]  # pyright: ignore[reportPrivateUsage]
        insert_absent(session, Link, moved)
        _share(session, lead_id, None, deal.id)
        return deal.id or 0


def revert(actor: Actor, lead_id: int) -> LeadView:
    """Undo a conversion: the deal goes to the trash, the lead is open again with all it had."""
    with transaction() as session:
        row = _load(session, actor, lead_id)
        if row.deal_id is not None:
            deal_id, row.deal_id, row.status = row.deal_id, None, "open"
            _changed(session, actor, "revert", row)
            _share(session, lead_id, deal_id, None)
            deals.put_away(session, actor, deal_id)
        return _views(session, actor, col(Lead.id) == lead_id)[0]


def change_lead(
    actor: Actor,
    lead_id: int,
    *,
    title: str | None = None,
    value_minor: int | None = KEEP,
    currency: str | None = None,
    person_id: int | None = KEEP,
    organization_id: int | None = KEEP,
    owner_id: int | None = KEEP,
) -> LeadView:
    """Change what is given; None empties all but title and currency."""
    with transaction() as session:
        row = _load(session, actor, lead_id)
        before = row.person_id
        if value_minor is not KEEP:
            row.value_minor = None if value_minor is None else checks.money(value_minor)
        parties.change(
            session,
            actor,
            row,
            title=title,
            currency=currency,
            person_id=person_id,
            organization_id=organization_id,
            owner_id=owner_id,
        )
        _changed(session, actor, "change", row)
        if before != row.person_id:
            pending.look_again_at(session, (before,))
        return _views(session, actor, col(Lead.id) == lead_id)[0]


def archive(actor: Actor, lead_id: int, archived: bool = True) -> LeadView:
    """Set an open lead aside, or take it up again; a converted one stays as it is."""
    with transaction() as session:
        row = _load(session, actor, lead_id)
        if row.status != "converted":
            row.status = "archived" if archived else "open"
            _changed(session, actor, "archive" if archived else "unarchive", row)
        return _views(session, actor, col(Lead.id) == lead_id)[0]


def delete(actor: Actor, lead_id: int) -> None:
    """Put a lead in the trash."""
    with transaction() as session:
        row = _load(session, actor, lead_id)
        row.deleted_at = utcnow()
        _changed(session, actor, "delete", row)


def restore(actor: Actor, lead_id: int) -> None:
    """Bring a lead back from the trash."""
    with transaction() as session:
        row = access.load(session, Lead, lead_id, access.trashed_crm(actor, Lead))
        row.deleted_at = None
        _changed(session, actor, "restore", row)


def _load(session: Session, actor: Actor, lead_id: int) -> Lead:
    return access.load(session, Lead, lead_id, access.visible_crm(actor, Lead))


def _share(session: Session, lead_id: int, before: int | None, deal_id: int | None) -> None:
    """Let the lead's notes and activities stand with the deal too, or with the lead alone again."""
    for model in (Note, Activity):
        of_deal = col(model.deal_id).is_(None) if before is None else col(model.deal_id) == before
        run(session, update(model).where(col(model.lead_id) == lead_id, of_deal).values(deal_id=deal_id))


def _changed(session: Session, actor: Actor, verb: str, row: Lead) -> None:
    session.add(row)
    session.flush()
    pending.look_again_at(session, (row.person_id,))  # it opened or closed
    audit.record(session, actor, verb, "lead", row.id)
    live.hint(session, None, "crm", row.id)


def _views(session: Session, actor: Actor, *where: ColumnElement[bool], limit: int = 1) -> list[LeadView]:
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
        .where(access.visible_crm(actor, Lead), *where)
        .order_by(col(Lead.created_at).desc(), col(Lead.id).desc())
        .limit(limit)
    )
    found = rows(session, statement)
    marks = deal_facts.labels(session, LabelUse.lead_id, [row[0] for row in found])
    return [LeadView(*row, labels=marks.get(row[0], ())) for row in found]
