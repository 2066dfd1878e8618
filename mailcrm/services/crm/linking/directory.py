"""Loads what the rules need to know: who has an address, what is open for whom, what threads are linked to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import union
from sqlmodel import Session, col

from mailcrm.models import Deal, DealParticipant, Lead, Link, Person, PersonAddress
from mailcrm.services.crm.linking.addresses import same, spellings
from mailcrm.services.crm.linking.match import Directory, Target, ThreadLinks
from mailcrm.services.given import dialect_of, one_of
from mailcrm.services.rows import chunks, pick, rows

_AS_IS = "xn--"  # a domain that has another spelling; so has what is not ASCII


def load(session: Session, addresses: Collection[str], persons: Iterable[int] = ()) -> Directory:
    """Return what is known about these addresses, as `same` spells them, and what is open for their persons.

    `persons` are asked for besides. Nothing from the trash.
    """
    plain = [address for address in addresses if address.isascii() and _AS_IS not in address]
    wanted = [*plain, *spellings(set(addresses).difference(plain))]
    found: dict[str, list[int]] = defaultdict(list)
    dialect = dialect_of(session)
    for part in chunks(wanted):
        owners = (
            pick(PersonAddress.address, PersonAddress.person_id)
            .join(Person, col(Person.id) == col(PersonAddress.person_id))
            .where(one_of(col(PersonAddress.address), part, dialect, of_text=True), col(Person.deleted_at).is_(None))
        )
        for address, person_id in rows(session, owners):
            found[same(address)].append(person_id)
    having = {address: tuple(sorted(set(several))) for address, several in found.items()}
    return of_persons(session, {one for several in having.values() for one in several}.union(persons), having)


def of_persons(session: Session, ids: Iterable[int], persons: dict[str, tuple[int, ...]] | None = None) -> Directory:
    """Return what is open for these persons, whether it is theirs or they take part in it; nothing from the trash."""
    found: set[tuple[Any, int, int]] = set()  # moment, deal, person
    leads: dict[int, list[int]] = defaultdict(list)
    dialect = dialect_of(session)
    for part in chunks(sorted(set(ids))):
        found.update(rows(session, _open_deals(part, dialect)))
        for person_id, lead_id in rows(session, _open_leads(part, dialect)):
            leads[person_id].append(lead_id)
    deals: dict[int, list[int]] = defaultdict(list)
    newest_first = sorted(found, reverse=True)
    for _at, deal_id, person_id in newest_first:
        deals[person_id].append(deal_id)
    order = list(dict.fromkeys(deal_id for _at, deal_id, _person in newest_first))
    return Directory(
        persons=persons or {},
        deals={person: tuple(several) for person, several in deals.items()},
        leads={person: tuple(several) for person, several in leads.items()},
        newness={deal: len(order) - place for place, deal in enumerate(order)},
    )


def thread_links(session: Session, thread_ids: Collection[int]) -> dict[int, ThreadLinks]:
    """Return what each of these threads is linked to, and what was taken off it."""
    standing: dict[int, set[Target]] = defaultdict(set)
    unlinked: dict[int, set[Target]] = defaultdict(set)
    addresses: dict[int, dict[int, str]] = defaultdict(dict)
    for part in chunks(sorted(thread_ids)):
        statement = pick(
            Link.thread_id, Link.person_id, Link.deal_id, Link.lead_id, Link.unlinked_at, Link.reason
        ).where(one_of(col(Link.thread_id), part, dialect_of(session)))
        for thread_id, person_id, deal_id, lead_id, unlinked_at, reason in rows(session, statement):
            target = target_of(person_id, deal_id, lead_id)
            (standing if unlinked_at is None else unlinked)[thread_id].add(target)
            if person_id is not None:
                addresses[thread_id][person_id] = str(reason.get("address", ""))
    return {
        thread_id: ThreadLinks(frozenset(standing[thread_id]), frozenset(unlinked[thread_id]), addresses[thread_id])
        for thread_id in thread_ids
    }


def target_of(person_id: int | None, deal_id: int | None, lead_id: int | None) -> Target:
    """Return what a link's columns name."""
    if person_id is not None:
        return Target("person", person_id)
    return Target("deal", deal_id) if deal_id is not None else Target("lead", lead_id or 0)


def _open_deals(person_ids: list[int], dialect: str) -> Any:
    standing = (col(Deal.status) == "open", col(Deal.deleted_at).is_(None), col(Person.deleted_at).is_(None))
    owned = (
        pick(col(Deal.created_at), col(Deal.id), col(Deal.person_id))
        .join(Person, col(Person.id) == col(Deal.person_id))
        .where(one_of(col(Deal.person_id), person_ids, dialect), *standing)
    )
    taking_part = (
        pick(col(Deal.created_at), col(Deal.id), col(DealParticipant.person_id))
        .select_from(DealParticipant)
        .join(Deal, col(Deal.id) == col(DealParticipant.deal_id))
        .join(Person, col(Person.id) == col(DealParticipant.person_id))
        .where(one_of(col(DealParticipant.person_id), person_ids, dialect), *standing)
    )
    return union(owned, taking_part)


def _open_leads(person_ids: list[int], dialect: str) -> Any:
    standing = (col(Lead.status) == "open", col(Lead.deleted_at).is_(None), col(Person.deleted_at).is_(None))
    return (
        pick(Lead.person_id, Lead.id)
        .join(Person, col(Person.id) == col(Lead.person_id))
        .where(one_of(col(Lead.person_id), person_ids, dialect), *standing)
        .order_by(col(Lead.created_at).desc(), col(Lead.id).desc())
    )
