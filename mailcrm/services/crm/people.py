"""Persons: somebody outside the workspace, with addresses that mail is linked by (M02, M27).

A new address lets the linking rules look again at all mail that carries it, and mailboxes that store only contacts
fetch its earlier mail (settled question 9). Consent is the tracking consent (T09).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import or_
from sqlmodel import Session, col, select

from mailcrm.errors import UserError
from mailcrm.models import AuditEntry, Deal, DealParticipant, Message, Person, PersonAddress, PersonPhone, User, utcnow
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.crm import cards, checks, contact_rows, organizations, person_addresses
from mailcrm.services.crm import consent as by_recipient
from mailcrm.services.crm.linking import pending
from mailcrm.services.crm.linking.addresses import spellings
from mailcrm.services.crm.people_list import CONSENTS, list_people
from mailcrm.services.crm.views import PersonCard, PersonView
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import scope
from mailcrm.services.rows import pick, rows

__all__ = [
    "add_address",
    "change_person",
    "create_person",
    "delete",
    "delete_many",
    "find_by_address",
    "get_person",
    "hand_over",
    "list_people",
    "make_primary",
    "move_address",
    "remove_address",
    "restore",
    "restore_many",
    "set_consent",
]


def create_person(
    actor: Actor,
    *,
    name: str,
    addresses: Sequence[str] = (),
    phones: Sequence[str] = (),
    organization: str = "",
    organization_id: int | None = None,
    job_title: str = "",
) -> PersonView:
    """Add a person; their earlier mail gets linked.

    `organization` is a name and is made when nobody has it yet; `organization_id` names one that is there, and wins.
    """
    with transaction() as session:
        wanted = person_addresses.wanted(session, addresses)
        if organization_id is not None:
            organizations.check(session, actor, organization_id)
        else:
            organization_id = organizations.find_or_create(session, actor, organization)
        row = Person(
            name=checks.line(name, "Name", required=True),
            job_title=checks.line(job_title, "Job title"),
            organization_id=organization_id,
            owner_id=actor.user_id,
        )
        session.add(row)
        session.flush()
        person_id = row.id or 0
        person_addresses.give(session, person_id, wanted)
        _set_phones(session, person_id, phones)
        boxes = _known(session, wanted)
        contact_rows.changed(session, actor, "create", Person, person_id)
        view = _view(session, actor, row)
    scope.wake(boxes)
    return view


def get_person(actor: Actor, person_id: int) -> PersonView:
    """Return a person's page."""
    with reading() as session:
        return _view(session, actor, contact_rows.load(session, actor, Person, person_id))


def change_person(
    actor: Actor,
    person_id: int,
    *,
    name: str | None = None,
    job_title: str | None = None,
    organization: str | None = None,
    organization_id: int | None = None,
    phones: Sequence[str] | None = None,
) -> PersonView:
    """Change what is given; `organization` is a name, "" takes the person out of theirs."""
    with transaction() as session:
        row = contact_rows.load(session, actor, Person, person_id)
        if name is not None:
            row.name = checks.line(name, "Name", required=True)
        if job_title is not None:
            row.job_title = checks.line(job_title, "Job title")
        if organization_id is not None:
            row.organization_id = organizations.check(session, actor, organization_id)
        elif organization is not None:
            row.organization_id = organizations.find_or_create(session, actor, organization)
        if phones is not None:
            _set_phones(session, person_id, phones)
        session.add(row)
        contact_rows.changed(session, actor, "change", Person, person_id)
        return _view(session, actor, row)


def add_address(actor: Actor, person_id: int, address: str) -> PersonView:
    """Give a person another address; mail that carries it gets linked (M27). Does nothing when they have it."""
    boxes: tuple[int, ...] = ()
    with transaction() as session:
        row = contact_rows.load(session, actor, Person, person_id)
        new = person_addresses.give(session, person_id, person_addresses.wanted(session, [checks.address(address)]))
        if new:
            boxes = _known(session, new)
            contact_rows.changed(session, actor, "add_address", Person, person_id)
        view = _view(session, actor, row)
    scope.wake(boxes)
    return view


def remove_address(actor: Actor, person_id: int, address: str) -> PersonView:
    """Take an address from a person; links made by it stand until somebody unlinks them."""
    with transaction() as session:
        row = contact_rows.load(session, actor, Person, person_id)
        if person_addresses.take(session, person_id, address):
            contact_rows.changed(session, actor, "remove_address", Person, person_id)
        return _view(session, actor, row)


def make_primary(actor: Actor, person_id: int, address: str) -> PersonView:
    """Make one of a person's addresses the one that mail goes to first."""
    with transaction() as session:
        row = contact_rows.load(session, actor, Person, person_id)
        person_addresses.put_first(session, person_id, address)
        contact_rows.changed(session, actor, "make_primary", Person, person_id)
        return _view(session, actor, row)


def move_address(actor: Actor, person_id: int, address: str, to_person_id: int) -> PersonView:
    """Give an address of a person to another one; links that stand stay, mail from now on is the other's. All or none.

    Returns the person it was taken from.
    """
    with transaction() as session:
        row = contact_rows.load(session, actor, Person, person_id)
        contact_rows.load(session, actor, Person, to_person_id)
        found = checks.address(address)
        if person_id != to_person_id and person_addresses.take(session, person_id, found):
            person_addresses.give(session, to_person_id, [found])
            _known(session, [found])
            contact_rows.changed(session, actor, "move_address", Person, person_id, to=to_person_id)
        return _view(session, actor, row)


def hand_over(actor: Actor, owners: dict[int, int | None]) -> dict[int, int | None]:
    """Give persons their new owners; return those from before, which undo it."""
    with transaction() as session:
        return contact_rows.hand_over(session, actor, Person, owners)


def delete(actor: Actor, person_id: int) -> None:
    """Put a person in the trash; shared mail linked only to them is their owners' alone again."""
    delete_many(actor, (person_id,))


def delete_many(actor: Actor, person_ids: Sequence[int]) -> None:
    """Put persons in the trash: all of them or none."""
    with transaction() as session:
        contact_rows.trash(session, actor, Person, person_ids)
        pending.look_again_at(session, person_ids)  # their deals don't count any more: another may be the only one


def restore(actor: Actor, person_id: int) -> None:
    """Bring a person back from the trash, with all links; mail that came meanwhile gets linked."""
    restore_many(actor, (person_id,))


def restore_many(actor: Actor, person_ids: Sequence[int]) -> None:
    """Bring persons back from the trash: all of them or none. A merged one comes back by undoing its merge."""
    with transaction() as session:
        found = contact_rows.load_many(session, Person, person_ids, access.trashed_crm(actor, Person))
        if any(row.merged_into_id is not None for row in found):
            raise UserError("person.merged")
        contact_rows.restore(session, actor, Person, person_ids)
        pending.look_again_at(session, person_ids)
        owned = pick(PersonAddress.address).where(col(PersonAddress.person_id).in_(list(person_ids)))
        boxes = _known(session, [each.address for each in rows(session, owned)])
    scope.wake(boxes)


def find_by_address(actor: Actor, address: str) -> PersonCard | None:
    """Return who has this address, the oldest entry where several have it; None when nobody has."""
    wanted = spellings([address.strip().lower()])
    having = pick(PersonAddress.person_id).where(col(PersonAddress.address).in_(wanted))
    with reading() as session:
        found = cards.persons(session, actor, col(Person.id).in_(having), order=(col(Person.id),), limit=1)
        return found[0] if found else None


def set_consent(actor: Actor, person_id: int, consent: str, source: str = "", proof: str = "") -> PersonView:
    """Record whether the person agrees to tracking, when, how we know, what proves it, and who recorded it (T09).

    An agreement stands over what their addresses chose on the opt-out page before; nothing else does.
    """
    checks.choice(consent, "Consent", CONSENTS)
    proof = checks.line(proof, "Proof")
    with transaction() as session:
        row = contact_rows.load(session, actor, Person, person_id)
        before = row.consent
        row.consent, row.consent_source = consent, checks.line(source, "Source")
        row.consent_at = None if consent == "unknown" else utcnow()
        session.add(row)
        if consent == "granted":
            by_recipient.forget_choices(
                session, [each.address for each in person_addresses.rows_of(session, person_id)]
            )
        contact_rows.changed(
            session, actor, "set_consent", Person, person_id,
            consent=consent, before=before, **({"proof": proof} if proof else {}),
        )  # fmt: skip
        return _view(session, actor, row)


def _known(session: Session, addresses: Sequence[str]) -> tuple[int, ...]:
    """Let mail with these addresses be linked and fetched; return the mailboxes to wake after the commit."""
    pending.look_again(session, addresses)
    return scope.history_of(session, addresses)


def _set_phones(session: Session, person_id: int, values: Sequence[str]) -> None:
    if len(values) > 20:
        raise UserError("person.too_many_phones", most=20)
    numbers = dict.fromkeys(number for value in values if (number := checks.line(value, "Phone", most=60)))
    for old in session.exec(select(PersonPhone).where(PersonPhone.person_id == person_id)):
        session.delete(old)
    session.flush()
    for position, number in enumerate(numbers):
        session.add(PersonPhone(person_id=person_id, number=number, position=position))


@dataclass(frozen=True)
class _Recorded:
    """The trail's word on the consent that stands: who recorded it, what proves it, whether it withdraws another."""

    by: str = ""
    withdrawn: bool = False
    proof: str = ""
    message_id: int | None = None


def _consent_entry(session: Session, actor: Actor, person_id: int) -> _Recorded:
    entries = (
        pick(AuditEntry.detail, User.name)
        .outerjoin(User, col(User.id) == col(AuditEntry.actor_id))
        .where(
            col(AuditEntry.object_kind) == "person",
            col(AuditEntry.object_id) == person_id,
            col(AuditEntry.verb) == "set_consent",
        )
    )
    found = rows(session, entries.order_by(col(AuditEntry.id).desc()).limit(1))
    if not found:
        return _Recorded()
    detail, name = found[0]
    proof, message_id = str(detail.get("proof") or ""), detail.get("message_id")
    if message_id is not None:  # the email whose opt-out page was used, for whoever may see it
        seen = (Message.id == message_id, access.visible_message(actor))
        subject = session.exec(select(Message.subject).where(*seen)).first()
        proof, message_id = (subject, message_id) if subject is not None else ("", None)
    withdrawn = detail.get("consent") == "refused" and detail.get("before") == "granted"
    return _Recorded(name or "", withdrawn, proof, message_id)


def _view(session: Session, actor: Actor, row: Person) -> PersonView:
    session.flush()
    person_id = row.id or 0
    card = cards.persons(session, actor, col(Person.id) == person_id)[0]
    numbers = pick(PersonPhone.number).where(col(PersonPhone.person_id) == person_id)
    taking_part = pick(DealParticipant.deal_id).where(col(DealParticipant.person_id) == person_id)
    owner = session.get(User, row.owner_id) if row.owner_id else None
    recorded = _consent_entry(session, actor, person_id)
    return PersonView(
        card=card,
        addresses=tuple(each.address for each in person_addresses.rows_of(session, person_id)),
        phones=tuple(
            found[0] for found in rows(session, numbers.order_by(col(PersonPhone.position), col(PersonPhone.id)))
        ),
        organization=cards.organization(session, actor, row.organization_id),
        deals=tuple(cards.deals(session, actor, or_(col(Deal.person_id) == person_id, col(Deal.id).in_(taking_part)))),
        consent=row.consent,
        consent_at=row.consent_at,
        consent_source=row.consent_source,
        created_at=row.created_at,
        owner_id=row.owner_id,
        owner=owner.name if owner else "",
        consent_by=recorded.by,
        consent_withdrawn=recorded.withdrawn and row.consent == "refused",
        consent_proof=recorded.proof,
        consent_message_id=recorded.message_id,
    )
