"""Builds the cards of persons, organizations and deals: a constant number of statements for any number of cards.

Does not authorise mail itself: what a deal's card says of mail comes from deal_facts.py.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func
from sqlmodel import Session, col

from mailcrm.models import (
    Deal,
    DealStage,
    Organization,
    OrganizationDomain,
    Person,
    PersonAddress,
    PersonPhone,
    Stage,
    User,
    utcnow,
)
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.crm import deal_facts
from mailcrm.services.crm.views import DealCard, OrganizationCard, PersonCard
from mailcrm.services.rows import pick, rows


def persons(
    session: Session, actor: Actor, *where: ColumnElement[bool], order: Any = None, limit: int = 200
) -> list[PersonCard]:
    """Return the cards of visible persons, by name unless `order` says otherwise. One statement."""
    first_address = (
        pick(PersonAddress.address)
        .where(col(PersonAddress.person_id) == col(Person.id))
        .order_by(col(PersonAddress.position), col(PersonAddress.id))
        .limit(1)
        .correlate(Person)
        .scalar_subquery()
    )
    first_phone = (
        pick(PersonPhone.number)
        .where(col(PersonPhone.person_id) == col(Person.id))
        .order_by(col(PersonPhone.position), col(PersonPhone.id))
        .limit(1)
        .correlate(Person)
        .scalar_subquery()
    )
    statement = (
        pick(
            Person.id,
            Person.name,
            Person.job_title,
            Organization.id,
            func.coalesce(Organization.name, ""),
            func.coalesce(first_address, ""),
            func.coalesce(first_phone, ""),
            Person.consent,
        )
        .outerjoin(
            Organization,
            and_(col(Organization.id) == col(Person.organization_id), access.visible_crm(actor, Organization)),
        )
        .where(access.visible_crm(actor, Person), *where)
        .order_by(*(order or (col(Person.name), col(Person.id))))
        .limit(limit)
    )
    return [PersonCard(*row) for row in rows(session, statement)]


def person(session: Session, actor: Actor, person_id: int | None) -> PersonCard | None:
    """Return one person's card; None when there is none to see."""
    if person_id is None:
        return None
    found = persons(session, actor, col(Person.id) == person_id)
    return found[0] if found else None


def deals(
    session: Session, actor: Actor, *where: ColumnElement[bool], order: Any = None, limit: int = 200
) -> list[DealCard]:
    """Return the cards of visible deals, newest first unless `order` says otherwise. Six statements."""
    statement = (
        pick(
            Deal.id,
            Deal.title,
            Deal.value_minor,
            Deal.currency,
            Deal.stage_id,
            Stage.name.label("stage"),  # type: ignore[attr-defined]
            Deal.pipeline_id,
            Organization.id.label("organization_id"),  # type: ignore[union-attr]
            func.coalesce(Organization.name, "").label("organization"),
            Person.id.label("person_id"),  # type: ignore[union-attr]
            func.coalesce(Person.name, "").label("person"),
            Deal.owner_id,
            func.coalesce(User.name, "").label("owner"),
            Deal.status,
            Deal.expected_close,
            Deal.created_at,
            Stage.probability,
            Stage.quiet_days,
            func.coalesce(DealStage.entered_at, Deal.created_at, type_=Deal.created_at.type).label("entered_at"),  # type: ignore[attr-defined]
        )
        .join(Stage, col(Stage.id) == col(Deal.stage_id))
        .outerjoin(DealStage, and_(col(DealStage.deal_id) == col(Deal.id), col(DealStage.left_at).is_(None)))
        .outerjoin(
            Organization,
            and_(col(Organization.id) == col(Deal.organization_id), access.visible_crm(actor, Organization)),
        )
        .outerjoin(Person, and_(col(Person.id) == col(Deal.person_id), access.visible_crm(actor, Person)))
        .outerjoin(User, col(User.id) == col(Deal.owner_id))
        .where(access.visible_crm(actor, Deal), *where)
        .order_by(*(order or (col(Deal.created_at).desc(), col(Deal.id).desc())))
        .limit(limit)
    )
    found = rows(session, statement)
    facts = deal_facts.of_deals(session, actor, [row.id for row in found])
    now = utcnow()
    made: list[DealCard] = []
    for row in found:
        own, known = facts[row.id], dict(row._mapping)
        entered_at, quiet_days = known.pop("entered_at"), known.pop("quiet_days")
        card = DealCard(
            **known,
            last_email_at=own.last_email_at,
            last_email_out=own.last_email_out,
            tracking=own.tracking,
            days_in_stage=whole_days(entered_at, now),
            next_step=own.next_step,
            labels=own.labels,
            quiet=row.status == "open" and deal_facts.is_quiet(quiet_days, entered_at, own.touched_at),
        )
        made.append(card)
    return made


def deal(session: Session, actor: Actor, deal_id: int | None) -> DealCard | None:
    """Return one deal's card; None when there is none to see."""
    if deal_id is None:
        return None
    found = deals(session, actor, col(Deal.id) == deal_id)
    return found[0] if found else None


def organizations(
    session: Session, actor: Actor, *where: ColumnElement[bool], order: Any = None, limit: int = 200
) -> list[OrganizationCard]:
    """Return the cards of visible organizations by name. Two statements."""
    people = pick(func.count()).where(
        col(Person.organization_id) == col(Organization.id), access.visible_crm(actor, Person)
    )
    open_deals = pick(func.count()).where(
        col(Deal.organization_id) == col(Organization.id), col(Deal.status) == "open", access.visible_crm(actor, Deal)
    )
    statement = (
        pick(
            Organization.id,
            Organization.name,
            people.correlate(Organization).scalar_subquery(),
            open_deals.correlate(Organization).scalar_subquery(),
        )
        .where(access.visible_crm(actor, Organization), *where)
        .order_by(*(order or (col(Organization.name), col(Organization.id))))
        .limit(limit)
    )
    found = rows(session, statement)
    owned = pick(OrganizationDomain.organization_id, OrganizationDomain.domain).where(
        col(OrganizationDomain.organization_id).in_([row[0] for row in found])
    )
    domains: dict[int, list[str]] = {}
    for organization_id, domain in rows(session, owned.order_by(col(OrganizationDomain.id))):
        domains.setdefault(organization_id, []).append(domain)
    return [OrganizationCard(row[0], row[1], tuple(domains.get(row[0], ())), row[2], row[3]) for row in found]


def organization(session: Session, actor: Actor, organization_id: int | None) -> OrganizationCard | None:
    """Return one organization's card; None when there is none to see."""
    if organization_id is None:
        return None
    found = organizations(session, actor, col(Organization.id) == organization_id)
    return found[0] if found else None


def whole_days(since: datetime, until: datetime) -> int:
    """Return the whole days between two moments, never below 0."""
    return max(0, (until - since).days)
