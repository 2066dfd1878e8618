"""The same mailbox connected by several users (M13): who the others are. Told only to who got into the mailbox, too."""

from __future__ import annotations

from sqlalchemy import and_, or_
from sqlmodel import col, select

from mailcrm.models import Mailbox, User
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.db import reading


def others(actor: Actor, mailbox_id: int) -> tuple[str, ...]:
    """Return the names of the other users who connected this mailbox, by address or by sign-in at the same server."""
    with reading() as session:
        mine = access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor))
        same = or_(
            col(Mailbox.address) == mine.address,
            and_(
                col(Mailbox.imap_host) == mine.imap_host,
                col(Mailbox.imap_port) == mine.imap_port,
                col(Mailbox.imap_username) == mine.imap_username,
                col(Mailbox.kind) == mine.kind,
            ),
        )
        query = select(User.name).join(Mailbox, col(Mailbox.user_id) == col(User.id))
        found = session.exec(query.where(same, col(User.id) != actor.user_id).order_by(col(User.name)).distinct())
        return tuple(found)
