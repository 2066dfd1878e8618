"""Who might be the same person twice: the same address or phone, or the same name in one organization or mail domain.

Only suggests, for persons whom the actor may see; nothing is merged by itself. Free-mail domains tell nothing; an
address tells something wherever it is, but one that many share (info@ of a large firm) doesn't.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from sqlalchemy import func, or_
from sqlmodel import Session, col

from mailcrm.models import Person, PersonAddress, PersonPhone
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.crm import cards, contact_rows, free_mail
from mailcrm.services.crm.linking.addresses import same, spellings
from mailcrm.services.crm.merge_moves import digits
from mailcrm.services.crm.merge_views import Duplicate
from mailcrm.services.db import reading
from mailcrm.services.rows import chunks, pick, rows

DIGITS_LEAST = 7  # shorter numbers are extensions, which many share
GROUP_MOST = 10  # a number or a name that more persons share is a switchboard or no name
NAMES_MOST = 500


def suggestions(actor: Actor, limit: int = 20) -> tuple[Duplicate, ...]:
    """Return likely duplicates among all persons, surest first. Reads every phone and name once: not for each page."""
    with reading() as session:
        return _found(session, actor, limit, None)


def duplicates_of(actor: Actor, person_id: int, limit: int = 5) -> tuple[Duplicate, ...]:
    """Return who might be this person too; `kept` is always the person asked for."""
    with reading() as session:
        contact_rows.load(session, actor, Person, person_id)
        return _found(session, actor, limit, person_id)


def _found(session: Session, actor: Actor, limit: int, of: int | None) -> tuple[Duplicate, ...]:
    pairs: dict[tuple[int, int], str] = {}
    for group in _same_address(session, actor, of):
        pairs.update(dict.fromkeys(combinations(group, 2), "address"))
    for reason, groups in (("phone", _same_phone(session, actor, of)), ("name", _same_name(session, actor, of))):
        for group in groups:
            for pair in combinations(group, 2):
                pairs.setdefault(pair, reason)
    wanted = [(pair, why) for pair, why in pairs.items() if of is None or of in pair][: max(0, limit)]
    ids = {each for pair, _ in wanted for each in pair}
    known = {card.id: card for card in cards.persons(session, actor, col(Person.id).in_(sorted(ids)), limit=2 * limit)}
    made: list[Duplicate] = []
    for (first, second), why in wanted:
        if first in known and second in known:
            kept, other = (second, first) if second == of else (first, second)
            made.append(Duplicate(known[kept], known[other], why))
    return tuple(made)


def _same_name(session: Session, actor: Actor, of: int | None) -> list[list[int]]:
    """Persons of one name who share an organization or a domain of their own."""
    name = func.lower(Person.name)
    seen = access.visible_crm(actor, Person)
    if of is None:
        twice = pick(name).where(seen).group_by(name).having(func.count().between(2, GROUP_MOST)).limit(NAMES_MOST)
    else:
        twice = pick(name).where(col(Person.id) == of)
    statement = pick(Person.id, name, Person.organization_id).where(name.in_(twice), seen).order_by(col(Person.id))
    by_name: dict[str, list[tuple[int, int | None]]] = defaultdict(list)
    for person_id, title, organization_id in rows(session, statement.limit(NAMES_MOST * GROUP_MOST)):
        by_name[title].append((person_id, organization_id))
    domains = _domains(session, [person_id for group in by_name.values() for person_id, _ in group])
    found: list[list[int]] = []
    for group in by_name.values():
        for (first, its), (second, others) in combinations(group[:GROUP_MOST], 2):
            if (its is not None and its == others) or domains[first] & domains[second]:
                found.append([first, second])
    return found


def _same_address(session: Session, actor: Actor, of: int | None) -> list[list[int]]:
    """Persons with one address; of one person, with one of theirs in any spelling."""
    seen = pick(PersonAddress.address, PersonAddress.person_id).join(
        Person, col(Person.id) == col(PersonAddress.person_id)
    )
    if of is None:
        address = col(PersonAddress.address)
        wanted: Any = pick(address).group_by(address).having(func.count().between(2, GROUP_MOST)).limit(NAMES_MOST)
    else:
        own = pick(PersonAddress.address).where(col(PersonAddress.person_id) == of)
        wanted = spellings([row[0] for row in rows(session, own)])
    statement = seen.where(col(PersonAddress.address).in_(wanted), access.visible_crm(actor, Person))
    by_address: dict[str, list[int]] = defaultdict(list)
    for address, person_id in rows(session, statement.order_by(col(PersonAddress.person_id))):
        if person_id not in by_address[same(address)]:
            by_address[same(address)].append(person_id)
    return [group for group in by_address.values() if 2 <= len(group) <= GROUP_MOST]


def _same_phone(session: Session, actor: Actor, of: int | None) -> list[list[int]]:
    """Persons with one number, however it is spelled; of one person, those whose numbers end as theirs do."""
    number: Any = col(PersonPhone.number)
    for sign in " -./()\u00a0":
        number = func.replace(number, sign, "")
    seen = pick(PersonPhone.person_id, PersonPhone.number).join(Person, col(Person.id) == col(PersonPhone.person_id))
    if of is not None:
        own = rows(session, pick(PersonPhone.number).where(col(PersonPhone.person_id) == of))
        ends = {one[-DIGITS_LEAST:] for row in own if len(one := digits(row[0])) >= DIGITS_LEAST and one.isdecimal()}
        if not ends:
            return []
        seen = seen.where(or_(*(number.endswith(end) for end in sorted(ends))))
    by_number: dict[str, list[int]] = defaultdict(list)
    for person_id, typed in rows(
        session, seen.where(access.visible_crm(actor, Person)).order_by(col(PersonPhone.person_id))
    ):
        one = digits(typed)
        if len(one) >= DIGITS_LEAST and one.isdecimal() and person_id not in by_number[one]:
            by_number[one].append(person_id)
    return [group for group in by_number.values() if 2 <= len(group) <= GROUP_MOST and (of is None or of in group)]


def _domains(session: Session, person_ids: Sequence[int]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = defaultdict(set)
    for part in chunks(person_ids):
        statement = pick(PersonAddress.person_id, PersonAddress.address).where(col(PersonAddress.person_id).in_(part))
        for person_id, address in rows(session, statement):
            domain = address.rpartition("@")[2]
            if not free_mail.is_free(domain):
                found[person_id].add(domain)
    return found
