"""Organizations: companies and other bodies, with the mail domains they are recognised by."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import func, literal, tuple_
from sqlmodel import Session, col

from mailcrm.errors import UserError
from mailcrm.models import Deal, Organization, OrganizationDomain, Person, utcnow
from mailcrm.services import access, audit, live, paging
from mailcrm.services.access import Actor
from mailcrm.services.crm import cards, checks
from mailcrm.services.crm.views import OrganizationCard, OrganizationView
from mailcrm.services.db import reading, transaction
from mailcrm.services.rows import pick, scalar

_DOMAIN = re.compile(r"[^\s@<>\"',;:\\()\[\]/\x00-\x1f\x7f]{1,100}\.[^\s@<>\"',;:\\()\[\]/\x00-\x1f\x7f]{2,100}")


def list_organizations(actor: Actor, query: str = "", limit: int = 100) -> tuple[OrganizationCard, ...]:
    """Return the first page of `page_of_organizations`."""
    return page_of_organizations(actor, query, limit=limit).rows


def page_of_organizations(
    actor: Actor, query: str = "", cursor: str | None = None, limit: int = 100
) -> paging.Page[OrganizationCard]:
    """Return organizations by name; `query` looks into names."""
    size = paging.page_size(limit)
    order = (col(Organization.name), col(Organization.id))
    words = checks.line(query[:200], "Search").split()[:10]
    where = [col(Organization.name).icontains(word, autoescape=True) for word in words]
    if cursor:
        name, last_id = paging.read_text(cursor)
        where.append(tuple_(*order) > tuple_(literal(name), literal(last_id)))
    with reading() as session:
        found = cards.organizations(session, actor, *where, order=order, limit=size + 1)
    return paging.cut(found, size, lambda row: paging.cursor_text(row.name, row.id))


def create_organization(actor: Actor, *, name: str, domains: Sequence[str] = ()) -> OrganizationView:
    """Add an organization."""
    wanted = list(dict.fromkeys(_domain(domain) for domain in domains if domain.strip()))
    with transaction() as session:
        row = _add(session, actor, checks.line(name, "Name", required=True))
        for domain in wanted:
            session.add(OrganizationDomain(organization_id=row.id or 0, domain=domain))
        return _view(session, actor, row)


def get_organization(actor: Actor, organization_id: int) -> OrganizationView:
    """Return an organization's page."""
    with reading() as session:
        return _view(session, actor, _load(session, actor, organization_id))


def change_organization(actor: Actor, organization_id: int, *, name: str) -> OrganizationView:
    """Give an organization another name."""
    with transaction() as session:
        row = _load(session, actor, organization_id)
        row.name = checks.line(name, "Name", required=True)
        session.add(row)
        _changed(session, actor, "change", organization_id)
        return _view(session, actor, row)


def delete(actor: Actor, organization_id: int) -> None:
    """Put an organization in the trash; its persons and deals stay."""
    with transaction() as session:
        row = _load(session, actor, organization_id)
        row.deleted_at = utcnow()
        session.add(row)
        _changed(session, actor, "delete", organization_id)


def restore(actor: Actor, organization_id: int) -> None:
    """Bring an organization back from the trash."""
    with transaction() as session:
        row = access.load(session, Organization, organization_id, col(Organization.deleted_at).is_not(None))
        row.deleted_at = None
        session.add(row)
        _changed(session, actor, "restore", organization_id)


def find_or_create(session: Session, actor: Actor, name: str) -> int | None:
    """Return the id of the organization with this name, whatever its case; make it when absent. "" gives None."""
    title = checks.line(name, "Organization")
    if not title:
        return None
    query = pick(Organization.id).where(
        func.lower(Organization.name) == func.lower(title), access.visible_crm(actor, Organization)
    )
    found = scalar(session, query.order_by(col(Organization.id)).limit(1))
    return found if found is not None else _add(session, actor, title).id


def _add(session: Session, actor: Actor, name: str) -> Organization:
    row = Organization(name=name, owner_id=actor.user_id)
    session.add(row)
    session.flush()
    _changed(session, actor, "create", row.id or 0)
    return row


def _load(session: Session, actor: Actor, organization_id: int) -> Organization:
    return access.load(session, Organization, organization_id, access.visible_crm(actor, Organization))


def _changed(session: Session, actor: Actor, verb: str, organization_id: int) -> None:
    audit.record(session, actor, verb, "organization", organization_id)
    live.hint(session, None, "crm", organization_id)


def _domain(value: str) -> str:
    domain = value.strip().lower().lstrip("@")
    if not _DOMAIN.fullmatch(domain):
        raise UserError("input.invalid", value=checks.line(value, "Domain", most=10_000)[:40], field="Domain")
    return domain


def _view(session: Session, actor: Actor, row: Organization) -> OrganizationView:
    organization_id = row.id or 0
    session.flush()
    return OrganizationView(
        card=cards.organizations(session, actor, col(Organization.id) == organization_id)[0],
        people=tuple(cards.persons(session, actor, col(Person.organization_id) == organization_id)),
        deals=tuple(cards.deals(session, actor, col(Deal.organization_id) == organization_id)),
        created_at=row.created_at,
    )
