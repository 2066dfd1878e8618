"""Puts messages back on the to-do list of the linking rules (messages.link_pending)."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import update
from sqlmodel import Session, col

from mailcrm.models import Message, Participant
from mailcrm.services.rows import pick, run


def look_again(session: Session, addresses: Iterable[str]) -> int:
    """Let the rules look again at everything with one of these addresses on it (M27); return how many messages.

    The caller enqueues "link_pending" after its commit; the sweep finds them anyway.
    """
    wanted = list(addresses)
    if not wanted:
        return 0
    with_address = pick(Participant.message_id).where(col(Participant.address).in_(wanted))
    statement = update(Message).where(col(Message.id).in_(with_address), col(Message.link_pending).is_(False))
    return run(session, statement.values(link_pending=True)).rowcount
