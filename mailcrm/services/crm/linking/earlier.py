"""Offers to link earlier mail to a person or deal that was just made (settled question 8).

A person's mail is linked by the rules (M27), and a deal's where it is its people's only open one (M28): the answer says
how many. What the rules leave alone (several open deals, or a mailbox that links no deals) is offered, and linked when
its owner says so. Conversations with a deal or lead of their own are never offered: that choice holds (M29).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from mailcrm.errors import UserError
from mailcrm.models import Deal, DealParticipant, Link, Message, Participant, Person, PersonAddress, Thread
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.crm.linking import link, rules
from mailcrm.services.crm.linking.addresses import same, spellings
from mailcrm.services.crm.linking.link import MOST, Linked
from mailcrm.services.db import reading
from mailcrm.services.mail.own_addresses import workspace_addresses
from mailcrm.services.rows import chunks, pick, rows

AT_ONCE = 2000  # waiting messages that the rules may look at before the answer: under half a second


@dataclass(frozen=True, slots=True)
class Earlier:
    """How many own conversations are linked already, and which can be linked besides, newest first."""

    linked: int
    thread_ids: tuple[int, ...]


def earlier(actor: Actor, *, person_id: int | None = None, deal_id: int | None = None) -> Earlier:
    """Return what is linked and what there is to offer, at most 1,000 each; lets the rules run before it counts.

    For a person there is nothing left to offer: who has their address is theirs, and was linked by the rules.
    """
    rules.apply_rules(AT_ONCE)
    with reading() as session:
        persons, target = _of(session, actor, person_id, deal_id)
        standing = pick(Link.thread_id).where(target, col(Link.unlinked_at).is_(None))
        mine = access.own_thread(actor)
        shown = (mine, col(Thread.message_count) > 0)  # none of it blocked, hidden or deleted as a whole
        linked = rows(session, pick(Thread.id).where(*shown, col(Thread.id).in_(standing)).limit(MOST))
        any_link = aliased(Link)
        held = pick(any_link.thread_id).where(
            col(any_link.unlinked_at).is_(None), col(any_link.person_id).is_(None), col(any_link.thread_id).is_not(None)
        )
        ever = pick(Link.thread_id).where(target, col(Link.thread_id).is_not(None))
        found: dict[int, Any] = {}
        for part in chunks(spellings(_addresses(session, persons)) if deal_id is not None else ()):
            with_address = pick(Participant.message_id).where(col(Participant.address).in_(part))
            theirs = pick(Message.thread_id).where(
                col(Message.id).in_(with_address), access.own_message(actor), col(Message.junk).is_(False)
            )
            statement = pick(Thread.id, Thread.last_at).where(
                mine,
                col(Thread.id).in_(theirs),
                col(Thread.id).not_in(ever),
                ~held.where(col(any_link.thread_id) == col(Thread.id)).correlate(Thread).exists(),
            )
            found.update({row[0]: row[1] for row in rows(session, statement.limit(MOST))})
        newest_first = sorted(found, key=lambda thread: (found[thread], thread), reverse=True)
    return Earlier(len(linked), tuple(newest_first[:MOST]))


def link_earlier(actor: Actor, deal_id: int) -> Linked | None:
    """Link what `earlier` offers for a deal; return what `link.undo_link` takes back, None when there was nothing."""
    offered = earlier(actor, deal_id=deal_id)
    if not offered.thread_ids:
        return None
    return link.link_threads(actor, offered.thread_ids, deal_id=deal_id, code="earlier")


def _of(session: Session, actor: Actor, person_id: int | None, deal_id: int | None) -> tuple[list[int], Any]:
    if (person_id is None) == (deal_id is None):
        raise UserError("input.missing", field="Deal")
    if person_id is not None:
        access.load(session, Person, person_id, access.visible_crm(actor, Person))
        return [person_id], col(Link.person_id) == person_id
    deal = access.load(session, Deal, deal_id, access.visible_crm(actor, Deal))
    taking_part = pick(DealParticipant.person_id).where(col(DealParticipant.deal_id) == deal_id)
    wanted = {deal.person_id, *(row[0] for row in rows(session, taking_part))} - {None}
    visible = pick(Person.id).where(col(Person.id).in_(wanted), access.visible_crm(actor, Person))
    return [row[0] for row in rows(session, visible)], col(Link.deal_id) == deal_id


def _addresses(session: Session, person_ids: list[int]) -> list[str]:
    """Their addresses, but no user's of the workspace: those never match."""
    own = frozenset(map(same, frozenset[str]().union(*workspace_addresses(session).values())))
    statement = pick(PersonAddress.address).where(col(PersonAddress.person_id).in_(person_ids))
    return [row[0] for row in rows(session, statement) if same(row[0]) not in own]
