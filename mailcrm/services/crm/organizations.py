"""Organizations: companies and other bodies, with the mail domains they are recognised by (domains.py)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, literal, tuple_
from sqlmodel import Session, col, select

from mailcrm.errors import UserError
from mailcrm.models import Deal, Organization, OrganizationDomain, Person, User
from mailcrm.services import access, paging
from mailcrm.services.access import Actor
from mailcrm.services.crm import cards, checks, contact_rows
from mailcrm.services.crm import domains as naming
from mailcrm.services.crm.views import DealSum, OrganizationCard, OrganizationView
from mailcrm.services.db import reading, transaction
from mailcrm.services.rows import pick, rows, scalar

ADDRESS_MOST = 500  # characters


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


def create_organization(actor: Actor, *, name: str, domains: Sequence[str] = (), address: str = "") -> OrganizationView:
    """Add an organization; `domains` are those its people write from."""
    with transaction() as session:
        row = _add(session, actor, checks.line(name, "Name", required=True))
        row.address = checks.line(address, "Address", most=ADDRESS_MOST)
        session.add(row)
        _set_domains(session, row.id or 0, domains)
        return _view(session, actor, row)


def get_organization(actor: Actor, organization_id: int) -> OrganizationView:
    """Return an organization's page."""
    with reading() as session:
        return _view(session, actor, contact_rows.load(session, actor, Organization, organization_id))


def change_organization(
    actor: Actor,
    organization_id: int,
    *,
    name: str | None = None,
    address: str | None = None,
    domains: Sequence[str] | None = None,
) -> OrganizationView:
    """Change what is given; `domains` replaces them all."""
    with transaction() as session:
        row = contact_rows.load(session, actor, Organization, organization_id)
        if name is not None:
            row.name = checks.line(name, "Name", required=True)
        if address is not None:
            row.address = checks.line(address, "Address", most=ADDRESS_MOST)
        if domains is not None:
            _set_domains(session, organization_id, domains)
        session.add(row)
        contact_rows.changed(session, actor, "change", Organization, organization_id)
        return _view(session, actor, row)


def add_domain(actor: Actor, organization_id: int, domain: str) -> OrganizationView:
    """Recognise an organization by another mail domain; UserError for free mail. Does nothing when it has it."""
    with transaction() as session:
        row = contact_rows.load(session, actor, Organization, organization_id)
        _set_domains(session, organization_id, [*_domains_of(session, organization_id), naming.domain(domain)])
        contact_rows.changed(session, actor, "add_domain", Organization, organization_id)
        return _view(session, actor, row)


def remove_domain(actor: Actor, organization_id: int, domain: str) -> OrganizationView:
    """Recognise an organization by a domain no more."""
    with transaction() as session:
        row = contact_rows.load(session, actor, Organization, organization_id)
        for old in session.exec(
            select(OrganizationDomain).where(OrganizationDomain.organization_id == organization_id)
        ):
            if old.domain == domain.strip().lower():
                session.delete(old)
                contact_rows.changed(session, actor, "remove_domain", Organization, organization_id)
        return _view(session, actor, row)


def hand_over(actor: Actor, owners: dict[int, int | None]) -> dict[int, int | None]:
    """Give organizations their new owners; return those from before, which undo it."""
    with transaction() as session:
        return contact_rows.hand_over(session, actor, Organization, owners)


def delete(actor: Actor, organization_id: int) -> None:
    """Put an organization in the trash; its persons and deals stay."""
    with transaction() as session:
        contact_rows.trash(session, actor, Organization, (organization_id,))


def restore(actor: Actor, organization_id: int) -> None:
    """Bring an organization back from the trash."""
    with transaction() as session:
        contact_rows.restore(session, actor, Organization, (organization_id,))


def check(session: Session, actor: Actor, organization_id: int) -> int:
    """Return the id of an organization that the actor may see; NotFound otherwise."""
    return contact_rows.load(session, actor, Organization, organization_id).id or 0


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
    contact_rows.changed(session, actor, "create", Organization, row.id or 0)
    return row


def _domains_of(session: Session, organization_id: int) -> list[str]:
    owned = pick(OrganizationDomain.domain).where(col(OrganizationDomain.organization_id) == organization_id)
    return [row[0] for row in rows(session, owned.order_by(col(OrganizationDomain.id)))]


def _set_domains(session: Session, organization_id: int, values: Sequence[str]) -> None:
    present = {
        row.domain: row
        for row in session.exec(select(OrganizationDomain).where(OrganizationDomain.organization_id == organization_id))
    }
    new = [each.strip().lower() for each in values if each.strip() and each.strip().lower() not in present]
    kept = {each.strip().lower() for each in values}
    wanted = naming.domains(new)
    if len(wanted) + len(kept & present.keys()) > naming.MOST:
        raise UserError("organization.too_many_domains", most=naming.MOST)
    for domain, row in present.items():
        if domain not in kept and domain not in wanted:
            session.delete(row)
    for domain in wanted:
        if domain not in present:
            session.add(OrganizationDomain(organization_id=organization_id, domain=domain))
    session.flush()


def _view(session: Session, actor: Actor, row: Organization) -> OrganizationView:
    organization_id = row.id or 0
    session.flush()
    owner = session.get(User, row.owner_id) if row.owner_id else None
    of_it = (col(Deal.organization_id) == organization_id, access.visible_crm(actor, Deal))
    key = (col(Deal.status), col(Deal.currency))
    sums = pick(*key, func.count(), func.sum(col(Deal.value_minor))).where(*of_it).group_by(*key).order_by(*key)
    return OrganizationView(
        card=cards.organizations(session, actor, col(Organization.id) == organization_id)[0],
        people=tuple(cards.persons(session, actor, col(Person.organization_id) == organization_id)),
        deals=tuple(cards.deals(session, actor, of_it[0])),
        created_at=row.created_at,
        address=row.address,
        owner_id=row.owner_id,
        owner=owner.name if owner else "",
        sums=tuple(
            DealSum(status, currency, count, int(total)) for status, currency, count, total in rows(session, sums)
        ),
    )
