"""Persons: somebody outside the workspace, with addresses that mail is linked by (M02, M27).

A new address lets the linking rules look again at all mail that carries it, and mailboxes that store only contacts
fetch its earlier mail (settled question 9). Consent is the tracking consent (T09).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, literal, or_, tuple_
from sqlmodel import Session, col, select

from mailcrm.errors import UserError
from mailcrm.models import Deal, DealParticipant, Organization, Person, PersonAddress, PersonPhone, utcnow
from mailcrm.services import access, audit, live, paging
from mailcrm.services.access import Actor
from mailcrm.services.crm import cards, checks, organizations
from mailcrm.services.crm.linking import pending
from mailcrm.services.crm.views import PeoplePage, PersonCard, PersonView
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs.queue import enqueue
from mailcrm.services.mail import scope
from mailcrm.services.rows import pick, rows, scalar

CONSENTS = ("unknown", "granted", "refused")


def list_people(actor: Actor, query: str = "", cursor: str | None = None, limit: int = 50) -> PeoplePage:
    """Return one page of persons by name; `query` looks into names, organizations and addresses."""
    size = paging.page_size(limit)
    order = (func.lower(Person.name), col(Person.id))
    with reading() as session:
        where = [_matches(word) for word in checks.line(query[:200], "Search").split()[:10]]
        if cursor:
            name, last_id = paging.read_text(cursor)
            where.append(tuple_(*order) > tuple_(literal(name), literal(last_id)))
        found = cards.persons(session, actor, *where, order=order, limit=size + 1)
        more = len(found) > size
        found = found[:size]
        # The database lowers the name itself: Python and SQLite don't agree on letters beyond ASCII.
        key = scalar(session, pick(func.lower(Person.name)).where(col(Person.id) == found[-1].id)) if more else ""
        return PeoplePage(tuple(found), paging.cursor_text(key, found[-1].id) if more else None)


def create_person(
    actor: Actor,
    *,
    name: str,
    addresses: Sequence[str] = (),
    phones: Sequence[str] = (),
    organization: str = "",
    job_title: str = "",
) -> PersonView:
    """Add a person; `organization` is a name and is made when nobody has it yet. Their earlier mail gets linked."""
    wanted = checks.addresses(addresses)
    with transaction() as session:
        row = Person(
            name=checks.line(name, "Name", required=True),
            job_title=checks.line(job_title, "Job title"),
            organization_id=organizations.find_or_create(session, actor, organization),
            owner_id=actor.user_id,
        )
        session.add(row)
        session.flush()
        person_id = row.id or 0
        for position, address in enumerate(wanted):
            session.add(PersonAddress(person_id=person_id, address=address, position=position))
        for position, number in enumerate(_phones(phones)):
            session.add(PersonPhone(person_id=person_id, number=number, position=position))
        again = pending.look_again(session, wanted)
        boxes = scope.history_of(session, wanted)
        _changed(session, actor, "create", person_id)
        view = _view(session, actor, row)
    _wake(again, boxes)
    return view


def get_person(actor: Actor, person_id: int) -> PersonView:
    """Return a person's page."""
    with reading() as session:
        return _view(session, actor, _load(session, actor, person_id))


def change_person(
    actor: Actor,
    person_id: int,
    *,
    name: str | None = None,
    job_title: str | None = None,
    organization: str | None = None,
    phones: Sequence[str] | None = None,
) -> PersonView:
    """Change what is given; `organization` is a name, "" takes the person out of theirs."""
    with transaction() as session:
        row = _load(session, actor, person_id)
        if name is not None:
            row.name = checks.line(name, "Name", required=True)
        if job_title is not None:
            row.job_title = checks.line(job_title, "Job title")
        if organization is not None:
            row.organization_id = organizations.find_or_create(session, actor, organization)
        if phones is not None:
            for old in session.exec(select(PersonPhone).where(PersonPhone.person_id == person_id)):
                session.delete(old)
            for position, number in enumerate(_phones(phones)):
                session.add(PersonPhone(person_id=person_id, number=number, position=position))
        session.add(row)
        _changed(session, actor, "change", person_id)
        return _view(session, actor, row)


def add_address(actor: Actor, person_id: int, address: str) -> PersonView:
    """Give a person another address; mail that carries it gets linked (M27). Does nothing when they have it."""
    wanted = checks.address(address)
    again, boxes = 0, ()
    with transaction() as session:
        row = _load(session, actor, person_id)
        present = session.exec(select(PersonAddress).where(PersonAddress.person_id == person_id)).all()
        if wanted not in {old.address for old in present}:
            position = max((old.position for old in present), default=-1) + 1
            session.add(PersonAddress(person_id=person_id, address=wanted, position=position))
            again = pending.look_again(session, (wanted,))
            boxes = scope.history_of(session, (wanted,))
            _changed(session, actor, "add_address", person_id)
        view = _view(session, actor, row)
    _wake(again, boxes)
    return view


def remove_address(actor: Actor, person_id: int, address: str) -> PersonView:
    """Take an address from a person; links made by it stand until somebody unlinks them."""
    with transaction() as session:
        row = _load(session, actor, person_id)
        wanted = address.strip().lower()
        query = select(PersonAddress).where(PersonAddress.person_id == person_id, PersonAddress.address == wanted)
        for old in session.exec(query):
            session.delete(old)
            _changed(session, actor, "remove_address", person_id)
        return _view(session, actor, row)


def delete(actor: Actor, person_id: int) -> None:
    """Put a person in the trash; shared mail linked only to them is their owners' alone again."""
    with transaction() as session:
        row = _load(session, actor, person_id)
        row.deleted_at = utcnow()
        session.add(row)
        _changed(session, actor, "delete", person_id)


def restore(actor: Actor, person_id: int) -> None:
    """Bring a person back from the trash, with all links; mail that came meanwhile gets linked."""
    with transaction() as session:
        row = access.load(session, Person, person_id, col(Person.deleted_at).is_not(None))
        row.deleted_at = None
        session.add(row)
        owned = pick(PersonAddress.address).where(col(PersonAddress.person_id) == person_id)
        addresses = [found.address for found in rows(session, owned)]
        again = pending.look_again(session, addresses)
        boxes = scope.history_of(session, addresses)
        _changed(session, actor, "restore", person_id)
    _wake(again, boxes)


def find_by_address(actor: Actor, address: str) -> PersonCard | None:
    """Return who has this address, the oldest entry where several have it; None when nobody has."""
    having = pick(PersonAddress.person_id).where(col(PersonAddress.address) == address.strip().lower())
    with reading() as session:
        found = cards.persons(session, actor, col(Person.id).in_(having), order=(col(Person.id),), limit=1)
        return found[0] if found else None


def set_consent(actor: Actor, person_id: int, consent: str, source: str = "") -> PersonView:
    """Record whether the person agrees to tracking, when, and how we know (T09)."""
    checks.choice(consent, "Consent", CONSENTS)
    with transaction() as session:
        row = _load(session, actor, person_id)
        row.consent, row.consent_source = consent, checks.line(source, "Source")
        row.consent_at = None if consent == "unknown" else utcnow()
        session.add(row)
        audit.record(session, actor, "set_consent", "person", person_id, consent=consent)
        live.hint(session, None, "crm", person_id)
        return _view(session, actor, row)


def _wake(again: int, mailbox_ids: Sequence[int]) -> None:
    if again:
        enqueue("link_pending")
    scope.wake(mailbox_ids)


def _load(session: Session, actor: Actor, person_id: int) -> Person:
    return access.load(session, Person, person_id, access.visible_crm(actor, Person))


def _changed(session: Session, actor: Actor, verb: str, person_id: int) -> None:
    audit.record(session, actor, verb, "person", person_id)
    live.hint(session, None, "crm", person_id)


def _matches(word: str) -> Any:
    by_address = pick(PersonAddress.person_id).where(col(PersonAddress.address).icontains(word, autoescape=True))
    by_organization = pick(Organization.id).where(col(Organization.name).icontains(word, autoescape=True))
    return or_(
        col(Person.name).icontains(word, autoescape=True),
        col(Person.id).in_(by_address),
        col(Person.organization_id).in_(by_organization),
    )


def _phones(values: Sequence[str]) -> list[str]:
    if len(values) > 20:
        raise UserError("input.too_long", field="Phone", most=20)
    return list(dict.fromkeys(number for value in values if (number := checks.line(value, "Phone", most=60))))


def _view(session: Session, actor: Actor, row: Person) -> PersonView:
    person_id = row.id or 0
    card = cards.persons(session, actor, col(Person.id) == person_id)[0]
    owned = pick(PersonAddress.address).where(col(PersonAddress.person_id) == person_id)
    numbers = pick(PersonPhone.number).where(col(PersonPhone.person_id) == person_id)
    taking_part = pick(DealParticipant.deal_id).where(col(DealParticipant.person_id) == person_id)
    return PersonView(
        card=card,
        addresses=tuple(
            found[0] for found in rows(session, owned.order_by(col(PersonAddress.position), col(PersonAddress.id)))
        ),
        phones=tuple(
            found[0] for found in rows(session, numbers.order_by(col(PersonPhone.position), col(PersonPhone.id)))
        ),
        organization=cards.organization(session, actor, row.organization_id),
        deals=tuple(cards.deals(session, actor, or_(col(Deal.person_id) == person_id, col(Deal.id).in_(taking_part)))),
        consent=row.consent,
        consent_at=row.consent_at,
        consent_source=row.consent_source,
        created_at=row.created_at,
    )
