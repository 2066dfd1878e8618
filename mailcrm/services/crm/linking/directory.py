"""Loads what the rules need to know: who has an address, and what is open for whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import union
from sqlmodel import Session, col

from mailcrm.models import Deal, DealParticipant, Lead, Person, PersonAddress
from mailcrm.services.crm.linking.match import Directory
from mailcrm.services.rows import pick, rows


def load(session: Session, addresses: Iterable[str]) -> Directory:
    """Return what is known about these addresses: persons, their open deals and leads, nothing from the trash."""
    owners = (
        pick(PersonAddress.address, PersonAddress.person_id)
        .join(Person, col(Person.id) == col(PersonAddress.person_id))
        .where(col(PersonAddress.address).in_(list(addresses)), col(Person.deleted_at).is_(None))
        .order_by(col(PersonAddress.person_id))
    )
    persons: dict[str, list[int]] = defaultdict(list)
    for address, person_id in rows(session, owners):
        persons[address].append(person_id)
    return of_persons(session, {one for several in persons.values() for one in several}, persons)


def of_persons(session: Session, ids: Iterable[int], persons: dict[str, list[int]] | None = None) -> Directory:
    """Return what is open for these persons, whether it is theirs or they take part in it."""
    wanted = list(ids)
    standing = (col(Deal.status) == "open", col(Deal.deleted_at).is_(None))
    owned = pick(col(Deal.person_id), col(Deal.id), col(Deal.created_at)).where(
        col(Deal.person_id).in_(wanted), *standing
    )
    taking_part = (
        pick(col(DealParticipant.person_id), col(Deal.id), col(Deal.created_at))
        .join(Deal, col(Deal.id) == col(DealParticipant.deal_id))
        .where(col(DealParticipant.person_id).in_(wanted), *standing)
    )
    found = sorted(rows(session, union(owned, taking_part)), key=lambda row: (row[2], row[1]), reverse=True)
    deals: dict[int, list[int]] = defaultdict(list)
    for person_id, deal_id, _at in found:
        deals[person_id].append(deal_id)
    open_leads = (
        pick(Lead.person_id, Lead.id)
        .where(col(Lead.person_id).in_(wanted), col(Lead.status) == "open", col(Lead.deleted_at).is_(None))
        .order_by(col(Lead.created_at).desc(), col(Lead.id).desc())
    )
    leads: dict[int, list[int]] = defaultdict(list)
    for person_id, lead_id in rows(session, open_leads):
        leads[person_id].append(lead_id)
    newest_first = list(dict.fromkeys(row[1] for row in found))
    return Directory(
        persons={address: tuple(several) for address, several in (persons or {}).items()},
        deals={person: tuple(several) for person, several in deals.items()},
        leads={person: tuple(several) for person, several in leads.items()},
        newness={deal: len(newest_first) - place for place, deal in enumerate(newest_first)},
    )
