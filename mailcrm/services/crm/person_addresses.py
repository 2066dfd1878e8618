"""A person's addresses: what may be one, who else has it, and which stands first.

A colleague's or an own address is refused: mail between colleagues would be theirs otherwise, and it never matches
anyway (M02). One address may be two persons' (info@ of a small firm): allowed, and `holders` says who has it, for a
warning before it is saved. Spellings of one address are one (linking/addresses.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Person, PersonAddress
from mailcrm.services.access import Actor
from mailcrm.services.crm import cards, checks, consent
from mailcrm.services.crm.linking.addresses import same, spellings
from mailcrm.services.crm.views import PersonCard
from mailcrm.services.db import reading
from mailcrm.services.mail.own_addresses import workspace_addresses
from mailcrm.services.rows import pick

MOST = 50  # of one person


def wanted(session: Session, values: Sequence[str]) -> list[str]:
    """Return the addresses that were filled in, each once; UserError for a colleague's, or for too many."""
    if len(values) > MOST:
        raise UserError("person.too_many_addresses", most=MOST)
    found: dict[str, str] = {}
    for address in checks.addresses(values):
        found.setdefault(same(address), address)
    theirs = workspace_addresses(session) if found else {}
    own = {same(each) for addresses in theirs.values() for each in addresses}
    for one, address in found.items():
        if one in own:
            raise UserError("person.own_address", address=address)
    return list(found.values())


def holders(actor: Actor, addresses: Sequence[str], *, name: str = "", but: int = 0) -> tuple[PersonCard, ...]:
    """Return who has one of these addresses or, with `name`, who is called so: what a form warns of. At most five."""
    with reading() as session:
        ids = pick(PersonAddress.person_id).where(col(PersonAddress.address).in_(spellings(addresses[:MOST])))
        having = cards.persons(session, actor, col(Person.id).in_(ids), col(Person.id) != but, limit=5)
        title = checks.line(name[: checks.NAME_MOST], "Name")
        called = col(Person.name).icontains(title, autoescape=True)
        known = {card.id for card in having}
        if title and len(having) < 5:
            alike = cards.persons(session, actor, called, col(Person.id) != but, limit=20)
            having += [card for card in alike if card.name.casefold() == title.casefold() and card.id not in known]
        return tuple(having[:5])


def rows_of(session: Session, person_id: int) -> list[PersonAddress]:
    """Return a person's addresses, the primary one first."""
    query = select(PersonAddress).where(PersonAddress.person_id == person_id)
    return list(session.exec(query.order_by(col(PersonAddress.position), col(PersonAddress.id))))


def give(session: Session, person_id: int, values: Sequence[str]) -> list[str]:
    """Add those of these checked addresses that the person lacks; return the added ones."""
    present = rows_of(session, person_id)
    had = {same(row.address) for row in present}
    new = [address for address in values if same(address) not in had]
    if len(present) + len(new) > MOST:
        raise UserError("person.too_many_addresses", most=MOST)
    position = max((row.position for row in present), default=-1) + 1
    for at, address in enumerate(new):
        session.add(PersonAddress(person_id=person_id, address=address, position=position + at))
    session.flush()
    if new:
        consent.adopt(session, person_id, new)
    return new


def take(session: Session, person_id: int, address: str) -> bool:
    """Remove an address in whatever spelling; True when the person had it."""
    found = [row for row in rows_of(session, person_id) if same(row.address) == same(address.strip().lower())]
    for row in found:
        session.delete(row)
    session.flush()
    return bool(found)


def put_first(session: Session, person_id: int, address: str) -> None:
    """Make an address the primary one; NotFound when the person lacks it."""
    present = rows_of(session, person_id)
    chosen = [row for row in present if same(row.address) == same(address.strip().lower())]
    if not chosen:
        raise NotFound
    for position, row in enumerate([*chosen, *(row for row in present if row not in chosen)]):
        row.position = position
        session.add(row)
    session.flush()
