"""What a list of conversations proposes where no deal is linked: which deal, or to add who wrote (M29, DESIGN (c)).

A constant number of statements for a page. Only own conversations; only deals, persons and organizations that the
actor may see; never what was taken off the conversation, never free mail's domain as an organization.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, or_
from sqlmodel import Session, col

from mailcrm.models import (
    Deal,
    Lead,
    Link,
    Mailbox,
    Message,
    Organization,
    OrganizationDomain,
    Participant,
    Person,
    PersonAddress,
    Thread,
)
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.crm import prefill
from mailcrm.services.crm.free_mail import organization_domains
from mailcrm.services.crm.linking import directory, match
from mailcrm.services.crm.linking.addresses import same, spellings
from mailcrm.services.crm.linking.match import Target
from mailcrm.services.db import reading
from mailcrm.services.mail.own_addresses import workspace_addresses
from mailcrm.services.rows import chunks, pick, rows


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What to offer for a conversation: `kind` "deals" with (id, title) of each, newest first, or "person".

    For a person `name` is who wrote, and `organization` the one that is known by the domain, "" where none is.
    """

    kind: str
    deals: tuple[tuple[int, str], ...] = ()
    name: str = ""
    address: str = ""
    organization: str = ""


def for_threads(actor: Actor, thread_ids: Collection[int]) -> dict[int, Suggestion]:
    """Return the suggestions of these conversations, where there is one."""
    with reading() as session:
        own = pick(Thread.id).where(col(Thread.id).in_(list(thread_ids)), access.own_thread(actor))
        waiting = [row[0] for row in rows(session, own)]
        settled, persons, taken = _links(session, actor, waiting)
        waiting = [each for each in waiting if each not in settled]
        found = _deals(session, actor, {each: persons[each] for each in waiting if persons[each]}, taken)
        unknown = [each for each in waiting if not persons[each]]
        return {**found, **_senders(session, actor, unknown)}


def organizations_of(session: Session, actor: Actor, addresses: Collection[str]) -> dict[str, str]:
    """Return the name of the organization that each address's domain, or one above it, belongs to; not for free mail."""
    domains = {address: organization_domains(address) for address in addresses}
    wanted = sorted({each for several in domains.values() for each in several})
    known: dict[str, str] = {}
    for part in chunks(wanted):
        statement = (
            pick(OrganizationDomain.domain, Organization.name)
            .join(Organization, col(Organization.id) == col(OrganizationDomain.organization_id))
            .where(col(OrganizationDomain.domain).in_(part), access.visible_crm(actor, Organization))
            .order_by(col(Organization.id).desc())
        )
        known.update({row[0]: row[1] for row in rows(session, statement)})
    found = {
        address: next((known[each] for each in several if each in known), "") for address, several in domains.items()
    }
    return {address: name for address, name in found.items() if name}


def _links(
    session: Session, actor: Actor, thread_ids: list[int]
) -> tuple[set[int], dict[int, set[int]], dict[int, set[Target]]]:
    """Which threads have a deal or lead to see, their persons, and what was taken off them."""
    settled: set[int] = set()
    persons: dict[int, set[int]] = defaultdict(set)
    taken: dict[int, set[Target]] = defaultdict(set)
    visible = or_(
        pick(Deal.id).where(col(Deal.id) == col(Link.deal_id), access.visible_crm(actor, Deal)).exists(),
        pick(Lead.id).where(col(Lead.id) == col(Link.lead_id), access.visible_crm(actor, Lead)).exists(),
    )
    statement = pick(
        Link.thread_id, Link.person_id, Link.deal_id, Link.lead_id, Link.unlinked_at, visible.label("visible")
    ).where(col(Link.thread_id).in_(thread_ids))
    for thread_id, person_id, deal_id, lead_id, unlinked_at, is_visible in rows(session, statement):
        if unlinked_at is not None:
            taken[thread_id].add(directory.target_of(person_id, deal_id, lead_id))
        elif person_id is not None:
            persons[thread_id].add(person_id)
        elif is_visible:
            settled.add(thread_id)
    return settled, persons, taken


def _deals(
    session: Session, actor: Actor, persons: dict[int, set[int]], taken: dict[int, set[Target]]
) -> dict[int, Suggestion]:
    known = directory.of_persons(session, {one for several in persons.values() for one in several})
    choices = {thread: match.candidates(several, known) for thread, several in persons.items()}
    titles: dict[int, str] = {}
    for part in chunks(sorted({deal for several in choices.values() for deal in several})):
        statement = pick(Deal.id, Deal.title).where(col(Deal.id).in_(part), access.visible_crm(actor, Deal))
        titles.update({row[0]: row[1] for row in rows(session, statement)})
    silent = _silent(session, [thread for thread, several in choices.items() if len(several) > 1])
    found: dict[int, Suggestion] = {}
    for thread, several in choices.items():
        left = [deal for deal in several if deal in titles and Target("deal", deal) not in taken[thread]]
        if left and thread not in silent:
            found[thread] = Suggestion("deals", tuple((deal, titles[deal]) for deal in left))
    return found


def _silent(session: Session, thread_ids: list[int]) -> set[int]:
    """Conversations of mailboxes that want no answer to several open deals, not even a question (M29, policy "none")."""
    if not thread_ids:
        return set()
    asking = (
        pick(Message.thread_id)
        .join(Mailbox, col(Mailbox.id) == col(Message.mailbox_id))
        .where(col(Message.thread_id).in_(thread_ids), col(Mailbox.deal_link_policy) != "none")
        .distinct()
    )
    return set(thread_ids).difference(row[0] for row in rows(session, asking))


def _senders(session: Session, actor: Actor, thread_ids: list[int]) -> dict[int, Suggestion]:
    """Who wrote last, where that is nobody's address yet: no machine, no colleague, nobody who was taken off."""
    newest = func.row_number().over(
        partition_by=col(Message.thread_id), order_by=(col(Message.sort_at).desc(), col(Message.id).desc())
    )
    of_threads = (
        col(Message.thread_id).in_(thread_ids),
        access.own_message(actor),
        col(Message.direction) == "in",
        col(Message.junk).is_(False),
    )
    inner = (
        pick(Message.thread_id, Message.from_name, Message.from_address, Message.auto_submitted, newest.label("place"))
        .where(*of_threads)
        .subquery()
    )
    senders = {
        thread: (name, address)
        for thread, name, address, automatic, _ in rows(session, pick(inner).where(inner.c.place == 1))
        if address and not automatic and not prefill.is_robot(address)
    }
    senders |= _written_to(session, actor, [each for each in thread_ids if each not in senders])
    if not senders:
        return {}
    own = frozenset(map(same, frozenset[str]().union(*workspace_addresses(session).values())))
    known = set(own)
    for part in chunks(spellings({address for _, address in senders.values()})):
        having = (
            pick(PersonAddress.address)
            .join(Person, col(Person.id) == col(PersonAddress.person_id))
            .where(col(PersonAddress.address).in_(part), col(Person.deleted_at).is_(None))
        )
        known.update(same(row[0]) for row in rows(session, having))
    strangers = {thread: each for thread, each in senders.items() if same(each[1]) not in known}
    organizations = organizations_of(session, actor, {address for _, address in strangers.values()})
    return {
        thread: Suggestion(
            "person",
            name=prefill.person_name(name, address) or address,
            address=address,
            organization=organizations.get(address, ""),
        )
        for thread, (name, address) in strangers.items()
    }


def _written_to(session: Session, actor: Actor, thread_ids: list[int]) -> dict[int, tuple[str, str]]:
    """Whom a message was for that the user sent to the CRM by Smart Bcc: they did so for that person's sake."""
    if not thread_ids:
        return {}
    statement = (
        pick(Message.thread_id, Participant.name, Participant.address)
        .join(Mailbox, col(Mailbox.id) == col(Message.mailbox_id))
        .join(Participant, col(Participant.message_id) == col(Message.id))
        .where(
            col(Message.thread_id).in_(thread_ids),
            access.own_message(actor),
            col(Message.direction) == "out",
            col(Mailbox.kind) == "bcc",
            col(Participant.role) == "to",
        )
        .order_by(col(Message.sort_at), col(Message.id), col(Participant.position).desc())
    )
    # The newest message's first recipient is read last, and stays.
    return {
        thread: (name, address)
        for thread, name, address in rows(session, statement)
        if address and not prefill.is_robot(address)
    }
