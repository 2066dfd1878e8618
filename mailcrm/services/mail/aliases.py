"""Other own addresses of a mailbox: added when they are proved to be the user's, removed again (M08's From, product.md "Words").

An own address is no counterparty for the whole workspace, so nobody may claim one that is not theirs: a customer's would
vanish from the rules. The proof is a confirmed alternative address (M22): whoever got the link there has the address.
Does not send that link (services/smart_bcc/alternatives.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import col, func, select

from mailcrm.errors import UserError
from mailcrm.models import AlternativeAddress, Mailbox, MailboxAlias, User
from mailcrm.services import access, audit, live
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import own_changes

MOST = 50  # of one mailbox


@dataclass(frozen=True, slots=True)
class AliasView:
    """Another address of a mailbox."""

    id: int
    address: str


def list_aliases(actor: Actor, mailbox_id: int) -> tuple[AliasView, ...]:
    """Return a mailbox's other addresses by name; NotFound for anybody else's."""
    with reading() as session:
        access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor))
        query = select(MailboxAlias).where(MailboxAlias.mailbox_id == mailbox_id).order_by(col(MailboxAlias.address))
        return tuple(AliasView(row.id or 0, row.address) for row in session.exec(query))


def is_proved(actor: Actor, address: str) -> bool:
    """Whether the address is known to be the actor's: they sign in with it, or confirmed it."""
    wanted = address.strip().lower()
    with reading() as session:
        if session.exec(select(User.id).where(User.id == actor.user_id, func.lower(User.email) == wanted)).first():
            return True
        confirmed = select(AlternativeAddress.id).where(
            AlternativeAddress.user_id == actor.user_id,
            func.lower(AlternativeAddress.address) == wanted,
            col(AlternativeAddress.confirmed_at).is_not(None),
        )
        return session.exec(confirmed).first() is not None


def add(actor: Actor, mailbox_id: int, address: str) -> AliasView:
    """Let a mailbox send as, and be found under, another address of its user.

    Raises UserError("alias.unproved") for an address that is not known to be the actor's, "alias.taken", "alias.most".
    """
    wanted = address.strip().lower()
    if not is_proved(actor, wanted):
        raise UserError("alias.unproved", address=wanted[:80])
    with transaction() as session:
        mailbox = access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor))
        mine = select(MailboxAlias).where(MailboxAlias.mailbox_id == mailbox_id)
        found = session.exec(mine).all()
        if wanted == mailbox.address.lower() or any(row.address.lower() == wanted for row in found):
            raise UserError("alias.taken", address=wanted)
        if len(found) >= MOST:
            raise UserError("alias.most", most=MOST)
        row = MailboxAlias(mailbox_id=mailbox_id, address=wanted)
        session.add(row)
        session.flush()
        own_changes.settle(session, gained=(wanted,))
        audit.record(session, actor, "add", "alias", row.id, address=wanted)
        live.hint(session, actor.user_id, "sync", mailbox_id)
        return AliasView(row.id or 0, row.address)


def remove(actor: Actor, alias_id: int) -> None:
    """Take another address off a mailbox; NotFound for anybody else's."""
    with transaction() as session:
        row = session.get(MailboxAlias, alias_id)
        access.load(session, Mailbox, row.mailbox_id if row else 0, access.own_mailbox(actor))
        assert row is not None  # its mailbox is the actor's
        address, mailbox_id = row.address, row.mailbox_id
        session.delete(row)
        session.flush()
        own_changes.settle(session, lost=(address,))
        audit.record(session, actor, "remove", "alias", alias_id, address=address)
        live.hint(session, actor.user_id, "sync", mailbox_id)
