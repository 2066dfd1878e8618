"""The list of people: what it searches, by what it narrows and sorts, and what each row says. Reads only.

Search looks for every word in the name, the job title, the organization, the addresses or the phones; it is a search
for parts of words, so two Japanese characters are found. A page costs a constant number of statements.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, literal, or_, tuple_
from sqlmodel import Session, col

from mailcrm.errors import UserError
from mailcrm.models import (
    Activity,
    Deal,
    Label,
    LabelUse,
    Link,
    Message,
    Note,
    Organization,
    Person,
    PersonAddress,
    PersonPhone,
    User,
    utcnow,
)
from mailcrm.services import access, paging
from mailcrm.services.access import Actor
from mailcrm.services.crm import cards, checks
from mailcrm.services.crm.linking import linked, newest
from mailcrm.services.crm.views import PeoplePage, PersonCard
from mailcrm.services.db import reading
from mailcrm.services.rows import pick, rows, scalar

SORTS = ("name", "-name", "newest")
CONSENTS = ("unknown", "granted", "refused")
_SEPARATORS = (" ", "-", "/", "(", ")", ".")


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What the list is narrowed by; None and "" ask nothing. `owner_id` 0: those without an owner.

    `quiet_days`: no email that the viewer may see, no note and no activity for so many days.
    """

    owner_id: int | None = None
    label_id: int | None = None
    organization_id: int | None = None
    consent: str = ""
    quiet_days: int | None = None


@dataclass(frozen=True, slots=True)
class PersonLabel:
    """A label of a person."""

    id: int
    name: str
    color: str


@dataclass(frozen=True, slots=True)
class PersonLine:
    """A person in the list of people. `last_email_at` counts only mail that the viewer may see."""

    card: PersonCard
    phones: tuple[str, ...]
    labels: tuple[PersonLabel, ...]
    owner_id: int | None
    owner: str
    last_email_at: datetime | None
    open_deals: int


def list_people(actor: Actor, query: str = "", cursor: str | None = None, limit: int = 50) -> PeoplePage:
    """Return one page of persons by name, as cards."""
    with reading() as session:
        found, following = _page(session, actor, query, Narrowed(), "name", cursor, limit)
        return PeoplePage(tuple(found), following)


def page_of_people(
    actor: Actor,
    query: str = "",
    narrowed: Narrowed | None = None,
    *,
    sort: str = "name",
    cursor: str | None = None,
    limit: int = 50,
) -> paging.Page[PersonLine]:
    """Return one page of the list of people; a cursor is of its sort."""
    with reading() as session:
        found, following = _page(session, actor, query, narrowed or Narrowed(), sort, cursor, limit)
        return paging.Page(tuple(_lines(session, actor, found)), following)


def _page(
    session: Session, actor: Actor, query: str, narrowed: Narrowed, sort: str, cursor: str | None, limit: int
) -> tuple[list[PersonCard], str | None]:
    checks.choice(sort, "Sort", SORTS)
    size = paging.page_size(limit)
    where = [_matches(actor, word) for word in checks.line(query[:200], "Search").split()[:10]]
    where += _narrow(actor, narrowed)
    name = func.lower(Person.name)
    if sort == "newest":
        order: tuple[Any, ...] = (col(Person.created_at).desc(), col(Person.id).desc())
        if cursor:
            where.append(paging.older(cursor, col(Person.created_at), col(Person.id)))
    else:
        falling = sort == "-name"
        order = (name.desc(), col(Person.id).desc()) if falling else (name, col(Person.id))
        if cursor:
            last, last_id = paging.read_text(cursor)
            here, there = tuple_(name, col(Person.id)), tuple_(literal(last), literal(last_id))
            where.append(here < there if falling else here > there)
    found = cards.persons(session, actor, *where, order=order, limit=size + 1)
    if len(found) <= size:
        return found, None
    found = found[:size]
    of_last = col(Person.id) == found[-1].id
    if sort == "newest":
        return found, paging.cursor_at(scalar(session, pick(Person.created_at).where(of_last)), found[-1].id)
    # The database lowers the name itself: Python and SQLite don't agree on letters beyond ASCII.
    return found, paging.cursor_text(scalar(session, pick(name).where(of_last)), found[-1].id)


def _matches(actor: Actor, word: str) -> ColumnElement[bool]:
    # Addresses are kept in lower case, and LIKE takes PostgreSQL a fraction of ILIKE.
    by_address = pick(PersonAddress.person_id).where(col(PersonAddress.address).contains(word.lower(), autoescape=True))
    by_organization = pick(Organization.id).where(
        col(Organization.name).icontains(word, autoescape=True), access.visible_crm(actor, Organization)
    )
    found = [
        col(Person.name).icontains(word, autoescape=True),
        col(Person.job_title).icontains(word, autoescape=True),
        col(Person.id).in_(by_address),
        col(Person.organization_id).in_(by_organization),
    ]
    digits = re.sub(r"\D", "", word)
    if len(digits) >= 3 and not re.search(r"[^\d\s()+./\-]", word):
        number: Any = col(PersonPhone.number)
        for separator in _SEPARATORS:
            number = func.replace(number, separator, "")
        found.append(col(Person.id).in_(pick(PersonPhone.person_id).where(number.contains(digits))))
    return or_(*found)


def _narrow(actor: Actor, narrowed: Narrowed) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = []
    if narrowed.owner_id is not None:
        owner = col(Person.owner_id)
        where.append(owner == narrowed.owner_id if narrowed.owner_id else owner.is_(None))
    if narrowed.label_id is not None:
        used = pick(LabelUse.person_id).where(
            col(LabelUse.label_id) == narrowed.label_id, col(LabelUse.person_id).is_not(None)
        )
        where.append(col(Person.id).in_(used))
    if narrowed.organization_id is not None:
        seen = pick(Organization.id).where(
            col(Organization.id) == narrowed.organization_id, access.visible_crm(actor, Organization)
        )
        where.append(col(Person.organization_id).in_(seen))
    if narrowed.consent:
        where.append(col(Person.consent) == checks.choice(narrowed.consent, "Consent", CONSENTS))
    if narrowed.quiet_days is not None:
        if not 1 <= narrowed.quiet_days <= 3660:
            raise UserError("input.invalid", value=str(narrowed.quiet_days)[:40], field="Days")
        where += _quiet(actor, utcnow() - timedelta(days=narrowed.quiet_days))
    return where


def _quiet(actor: Actor, since: datetime) -> list[ColumnElement[bool]]:
    """Nothing since then: no email to be seen, no note, no activity; and not added since then either."""
    recent = (col(Message.sort_at) >= since, linked.shown(actor))
    standing = (col(Link.person_id).is_not(None), col(Link.unlinked_at).is_(None), linked.told(actor))
    by_thread = (
        pick(Link.person_id).join(Message, col(Message.thread_id) == col(Link.thread_id)).where(*recent, *standing)
    )
    by_message = pick(Link.person_id).join(Message, col(Message.id) == col(Link.message_id)).where(*recent, *standing)
    noted = pick(Note.person_id).where(
        col(Note.person_id).is_not(None), col(Note.created_at) >= since, col(Note.deleted_at).is_(None)
    )
    done = or_(col(Activity.done_at) >= since, col(Activity.created_at) >= since)
    active = pick(Activity.person_id).where(
        col(Activity.person_id).is_not(None), done, col(Activity.deleted_at).is_(None)
    )
    touched = [col(Person.id).not_in(each) for each in (by_thread, by_message, noted, active)]
    return [col(Person.created_at) < since, *touched]


def _lines(session: Session, actor: Actor, found: list[PersonCard]) -> list[PersonLine]:
    ids = [card.id for card in found]
    phones: dict[int, list[str]] = defaultdict(list)
    numbers = pick(PersonPhone.person_id, PersonPhone.number).where(col(PersonPhone.person_id).in_(ids))
    for person_id, number in rows(session, numbers.order_by(col(PersonPhone.position), col(PersonPhone.id))):
        phones[person_id].append(number)
    owned = pick(Person.id, Person.owner_id, func.coalesce(User.name, "")).outerjoin(
        User, col(User.id) == col(Person.owner_id)
    )
    owners = {row[0]: (row[1], row[2]) for row in rows(session, owned.where(col(Person.id).in_(ids)))}
    labels = labels_of(session, ids)
    last = _last_mail(session, actor, ids)
    deals = pick(Deal.person_id, func.count()).where(
        col(Deal.person_id).in_(ids), col(Deal.status) == "open", access.visible_crm(actor, Deal)
    )
    open_deals = {row[0]: row[1] for row in rows(session, deals.group_by(col(Deal.person_id)))}
    return [
        PersonLine(
            card=card,
            phones=tuple(phones[card.id]),
            labels=labels.get(card.id, ()),
            owner_id=owners[card.id][0],
            owner=owners[card.id][1],
            last_email_at=last.get(card.id),
            open_deals=open_deals.get(card.id, 0),
        )
        for card in found
    ]


def labels_of(session: Session, person_ids: list[int]) -> dict[int, tuple[PersonLabel, ...]]:
    """Return the standing labels of these persons, in the labels' order. One statement."""
    used = (
        pick(LabelUse.person_id, Label.id, Label.name, Label.color)
        .join(Label, and_(col(Label.id) == col(LabelUse.label_id), col(Label.deleted_at).is_(None)))
        .where(col(LabelUse.person_id).in_(person_ids))
        .order_by(col(Label.position), col(Label.id))
    )
    found: dict[int, tuple[PersonLabel, ...]] = {}
    for person_id, label_id, name, color in rows(session, used):
        found[person_id] = (*found.get(person_id, ()), PersonLabel(label_id, name, color))
    return found


def _last_mail(session: Session, actor: Actor, ids: list[int]) -> dict[int, datetime]:
    found = newest.of_each(session, actor, "person", ids)
    return {person_id: row.sort_at for person_id, row in found.items()}
