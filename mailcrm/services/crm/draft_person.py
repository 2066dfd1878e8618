"""What the form "add this sender as a person" starts with: from the header, the signature and the domain.

Reads the newest messages that the actor may see of somebody in one conversation. Nothing is saved; a person corrects
it. Quoted text is never looked at, and no organization is guessed from free mail.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailcrm.errors import NotFound
from mailcrm.services.access import Actor
from mailcrm.services.crm import checks, person_addresses, prefill, signature
from mailcrm.services.crm.free_mail import is_free
from mailcrm.services.crm.linking import suggest
from mailcrm.services.crm.views import PersonCard
from mailcrm.services.db import reading
from mailcrm.services.mail import messages, threads

_MOST = 3  # messages looked at: people sign their first email, seldom the tenth


@dataclass(frozen=True, slots=True)
class PersonDraft:
    """The form's first values. `organization_known`: it is there already; `alike`: who may be the same person."""

    name: str
    address: str
    phone: str
    job_title: str
    organization: str
    organization_known: bool
    alike: tuple[PersonCard, ...]


def draft_person(actor: Actor, thread_id: int, address: str) -> PersonDraft:
    """Return what is known of somebody who takes part in a conversation; NotFound where the actor sees none of it."""
    wanted = checks.address(address)
    view = threads.open_thread(actor, thread_id)
    theirs = [each for each in view.messages if each.sender.address.lower() == wanted]
    parties = (party for each in view.messages for party in (each.sender, *each.to, *each.cc, *each.bcc))
    header = next((party.name for party in parties if party.address.lower() == wanted and party.name), "")
    name = prefill.person_name(header, wanted)
    signed = signature.Signature()
    for message in reversed(theirs[-_MOST:]):
        try:
            body = messages.load_body(actor, message.id).parsed
        except NotFound:
            continue  # gone meanwhile: the others may tell
        if body is None:
            continue
        found = signature.read(body.text, name)
        signed = signature.Signature(
            signed.name or found.name,
            signed.phones or found.phones,
            signed.job_title or found.job_title,
            signed.organization or found.organization,
        )
    with reading() as session:
        known = suggest.organizations_of(session, actor, (wanted,)).get(wanted, "")
    guessed = "" if is_free(wanted.rpartition("@")[2]) else prefill.organization_name(wanted)
    name = signed.name or name
    return PersonDraft(
        name=name,
        address=wanted,
        phone=signed.phones[0] if signed.phones else "",
        job_title=signed.job_title,
        organization=known or signed.organization or guessed,
        organization_known=bool(known),
        alike=person_addresses.holders(actor, (wanted,), name=name),
    )
