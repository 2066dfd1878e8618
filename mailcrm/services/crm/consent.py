"""Tracking consent that does not come from a user: chosen by the recipient on the opt-out page (T09).

    refused there   all persons with the address refused, with the email as proof
    granted there   the same the other way; a user's own record (people.set_consent) stands until then

The choice itself is kept by address (AddressConsent), for addresses of nobody and for persons that come later: `adopt`
gives a new person what their address chose. Decides nothing about sending: mail/outbox/consent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlmodel import Session, col, delete, select

from mailcrm.models import AddressConsent, Person, PersonAddress, utcnow
from mailcrm.services import audit, live
from mailcrm.services.crm.linking.addresses import spellings
from mailcrm.services.mail.outbox import consent as chosen
from mailcrm.services.rows import insert_absent

#: Kept as the source of such a consent; shown translated (state/person.py).
PAGE = "opt-out page"


def choose(session: Session, address: str, consent: str, message_id: int | None) -> None:
    """Keep what the recipient at an address chose: "refused" or "granted". Helper: commits nothing."""
    now, hashes = utcnow(), chosen.hashes(address)
    session.exec(delete(AddressConsent).where(col(AddressConsent.address_hash).in_(hashes)))
    values = {"address_hash": hashes[0], "consent": consent, "at": now, "message_id": message_id}
    insert_absent(session, AddressConsent, [values])  # twice at the same moment: the first stands
    ids = select(PersonAddress.person_id).where(
        col(PersonAddress.address).in_([*spellings([address.lower()]), *chosen.spellings(address)])
    )
    for person in session.exec(select(Person).where(col(Person.id).in_(ids)).with_for_update()):
        _record(session, person, consent, message_id)


def adopt(session: Session, person_id: int, addresses: Sequence[str]) -> None:
    """Give a person what one of their new addresses chose, unless a user recorded something. Refused outweighs."""
    found = chosen.choices(session, addresses)
    person = session.get(Person, person_id)
    if person is None or person.consent != "unknown" or not found:
        return
    consent = "refused" if "refused" in found.values() else "granted"
    hashes = [digest for address in addresses for digest in chosen.hashes(address)]
    row = session.exec(
        select(AddressConsent)
        .where(col(AddressConsent.address_hash).in_(hashes), AddressConsent.consent == consent)
        .order_by(col(AddressConsent.id).desc())
    ).first()
    _record(session, person, consent, row.message_id if row else None)
    person.consent_at = row.at if row else person.consent_at


def adopt_many(session: Session, by_person: Mapping[int, Sequence[str]]) -> None:
    """Do what `adopt` does for many persons at once (an import); one short query where nobody has ever chosen."""
    if not by_person or session.exec(select(AddressConsent.id).limit(1)).first() is None:
        return
    found = chosen.choices(session, [address for addresses in by_person.values() for address in addresses])
    for person_id, addresses in by_person.items():
        if any(chosen.plain(address) in found for address in addresses):
            adopt(session, person_id, addresses)


def forget_choices(session: Session, addresses: Sequence[str]) -> None:
    """Let a consent that a user recorded stand over what these addresses chose before."""
    hashes = [digest for address in addresses for digest in chosen.hashes(address)]
    session.exec(delete(AddressConsent).where(col(AddressConsent.address_hash).in_(hashes)))


def _record(session: Session, person: Person, consent: str, message_id: int | None) -> None:
    before = person.consent
    if before == consent:
        return  # the older record is as good, and names its own proof
    person.consent, person.consent_at, person.consent_source = consent, utcnow(), PAGE
    session.add(person)
    audit.record(
        session, None, "set_consent", "person", person.id, consent=consent, before=before, message_id=message_id
    )
    live.hint(session, None, "crm")
