"""Which deal an email that is being written belongs to, as its writer sees it: its conversation's, or the only one open.

Proposes and shows, links nothing: the writer picks (a draft's own deal), and what is sent is linked by the rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlmodel import Session, col

from mailcrm.models import Deal, Link, Message, Outbox, OutboxRecipient
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.crm.linking import directory, match
from mailcrm.services.crm.linking.addresses import same
from mailcrm.services.db import reading
from mailcrm.services.mail.own_addresses import workspace_addresses
from mailcrm.services.rows import pick, rows
from mailcrm.services.writing.values import deal_of_conversation


@dataclass(frozen=True, slots=True)
class DraftDeal:
    """A deal: `kind` "thread" when the conversation that is answered has it, "open" when it is the recipients' only one."""

    kind: Literal["thread", "open"]
    id: int
    title: str


def for_draft(actor: Actor, draft_id: int) -> DraftDeal | None:
    """Return the deal of a draft that has none of its own, and no lead; None where there is none, or several."""
    with reading() as session:
        draft = access.load(session, Outbox, draft_id, access.own_outbox(actor))
        if draft.deal_id is not None or draft.lead_id is not None:
            return None
        deal = deal_of_conversation(session, actor, draft)
        if deal is not None and deal.id is not None:
            return DraftDeal("thread", deal.id, deal.title)
        return _only_open(session, actor, draft)


def _only_open(session: Session, actor: Actor, draft: Outbox) -> DraftDeal | None:
    """The one open deal of all recipients' persons together (M28: exactly one); not what was taken off the thread."""
    typed = pick(OutboxRecipient.address).where(col(OutboxRecipient.outbox_id) == draft.id)
    own = frozenset(map(same, frozenset[str]().union(*workspace_addresses(session).values())))
    addresses = {same(row[0].lower()) for row in rows(session, typed)} - own
    known = directory.load(session, addresses)
    persons = {one for address in addresses for one in known.persons.get(address, ())}
    found = match.candidates(persons, known)
    if len(found) != 1:
        return None
    statement = pick(Deal.id, Deal.title).where(col(Deal.id) == found[0], access.visible_crm(actor, Deal))
    seen = rows(session, statement)
    if not seen or _taken_off(session, draft, found[0]):
        return None
    return DraftDeal("open", seen[0][0], seen[0][1])


def _taken_off(session: Session, draft: Outbox, deal_id: int) -> bool:
    if draft.reply_to_message_id is None:
        return False
    statement = (
        pick(Link.id)
        .join(Message, col(Message.thread_id) == col(Link.thread_id))
        .where(
            col(Message.id) == draft.reply_to_message_id,
            col(Link.deal_id) == deal_id,
            col(Link.unlinked_at).is_not(None),
        )
    )
    return bool(rows(session, statement.limit(1)))
