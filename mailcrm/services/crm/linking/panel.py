"""The CRM side of a conversation: who it is with, the deal, what to choose from, and why it is linked (B06).

Reads only. Shown for every conversation that the actor may see; changes are its owner's (`can_change`).
"""

from __future__ import annotations

from sqlmodel import Session, col

from mailcrm.models import Deal
from mailcrm.services.access import Actor
from mailcrm.services.crm import cards, deals, prefill, timeline
from mailcrm.services.crm.linking import directory, match, suggest
from mailcrm.services.crm.linking.match import Target
from mailcrm.services.crm.views import CrmPanel, DealCard
from mailcrm.services.db import reading
from mailcrm.services.mail import message_views, threads
from mailcrm.services.mail.own_addresses import workspace_addresses
from mailcrm.services.mail.views import AddressView, LinkView, MessageView

RECENT = 12  # most may be of the conversation itself, which the screen leaves out


def panel(actor: Actor, thread_id: int) -> CrmPanel:
    """Return what stands beside a conversation; NotFound when the actor sees nothing of it."""
    with reading() as session:
        thread, messages = threads.visible_messages(session, actor, thread_id)
        views = message_views.build(session, actor, message_views.collapse(messages, actor))
        links = threads.links_of(session, actor, thread, views)
        others = _counterparties(session, thread.user_id, views)
        person_id = _person(links, others)
        unknown = next((o for o in others if o.person_id is None and not prefill.is_robot(o.address)), None)
        deal_id = max((link for link in links if link.kind == "deal"), key=lambda link: link.id, default=None)
        deal = cards.deal(session, actor, deal_id.target_id if deal_id else None)
        deal_row = session.get(Deal, deal.id) if deal else None
        own = thread.user_id == actor.user_id
        known = _organization(session, actor, unknown.address) if unknown else ""
        return CrmPanel(
            person=cards.person(session, actor, person_id),
            unknown=unknown,
            prefill_name=prefill.person_name(unknown.name, unknown.address) if unknown else "",
            prefill_organization=known or (prefill.organization_name(unknown.address) if unknown else ""),
            known_organization=known,
            deal=deal,
            deal_steps=deals.steps(session, deal_row) if deal_row else (),
            candidates=_candidates(session, actor, thread_id, others) if own and not deal else (),
            links=links,
            visibility="shared" if any(view.visibility == "shared" for view in views) else "private",
            can_change=own,
            recent=timeline.recent_of_person(session, actor, person_id, RECENT) if person_id else (),
        )


def search_deals(actor: Actor, query: str) -> tuple[DealCard, ...]:
    """Return open deals to link to, newest first."""
    return deals.list_deals(actor, query, limit=20)


def _counterparties(session: Session, owner_id: int, views: list[MessageView]) -> list[AddressView]:
    """Everybody the conversation is with, the sender of the newest incoming message first."""
    own = workspace_addresses(session)
    excluded = frozenset[str]().union(*own.values())
    found: dict[str, AddressView] = {}
    incoming_first = [view for view in views if view.direction == "in"][::-1]
    incoming_first += [view for view in views if view.direction == "out"][::-1]
    for view in incoming_first:
        for party in (view.sender, *view.to, *view.cc, *view.bcc):
            address = party.address.lower()
            if not address or address in own.get(owner_id, frozenset()) or address in excluded:
                continue
            if address not in found or not found[address].name:
                found[address] = party
    return list(found.values())


def _person(links: tuple[LinkView, ...], others: list[AddressView]) -> int | None:
    """The linked person who wrote last; else the first linked one. A person who was unlinked isn't shown."""
    linked = [link.target_id for link in links if link.kind == "person"]
    speaking = (other.person_id for other in others if other.person_id in linked)
    return next(speaking, linked[0] if linked else None)


def _candidates(session: Session, actor: Actor, thread_id: int, others: list[AddressView]) -> tuple[DealCard, ...]:
    """The open deals of the conversation's people (M29), but what was taken off it (M30)."""
    linked = directory.thread_links(session, (thread_id,))[thread_id]
    persons = {target.id for target in linked.standing if target.kind == "person"}
    persons |= {other.person_id for other in others if other.person_id is not None}
    persons -= {target.id for target in linked.unlinked if target.kind == "person"}
    found = match.candidates(persons, directory.of_persons(session, persons))
    wanted = [deal for deal in found if Target("deal", deal) not in linked.unlinked]
    by_id = {card.id: card for card in cards.deals(session, actor, col(Deal.id).in_(wanted))}
    return tuple(by_id[deal] for deal in wanted if deal in by_id)


def _organization(session: Session, actor: Actor, address: str) -> str:
    """The organization that owns the domain or one above it."""
    return suggest.organizations_of(session, actor, (address,)).get(address, "")
