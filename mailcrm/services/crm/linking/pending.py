"""Puts messages back on the to-do list of the linking rules (messages.link_pending), and wakes the worker up.

When: a person gets an address, comes back from the trash or is merged (`look_again`); what is open for a person
changes: a deal or lead opens, closes, is reopened, trashed, restored, or gets other people (`look_again_at`). That
threads merged is noticed by thread/assign.py. The rules only ever add links, so nothing is undone by looking again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, event, func, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from mailcrm.models import Link, Message, Participant
from mailcrm.services.crm.linking.addresses import spellings
from mailcrm.services.jobs.queue import enqueue
from mailcrm.services.rows import chunks, pick, rows, run

_MARK = "link_pending"


def look_again(session: Session, addresses: Iterable[str]) -> int:
    """Let the rules look again at everything with one of these addresses on it (M27); return how many messages.

    The worker is woken after the caller's commit; had that been lost, the sweep would find them.
    """
    wanted = spellings(addresses)
    if not wanted:
        return 0
    with_address = pick(Participant.message_id).where(col(Participant.address).in_(wanted))
    return _marked(session, _mark(session, col(Message.id).in_(with_address)))


def look_again_at(session: Session, person_ids: Iterable[int | None]) -> int:
    """Let the rules look again at the conversations of these persons that have no deal or lead of their own (M28).

    Marks one message of each mailbox in a conversation: what counts besides is in its links. Wakes like `look_again`.
    """
    changed = 0
    own = aliased(Link)
    has_own = pick(own.id).where(
        col(own.thread_id) == col(Link.thread_id),
        col(own.unlinked_at).is_(None),
        col(own.person_id).is_(None),
    )
    for part in chunks(sorted({each for each in person_ids if each})):
        theirs = pick(Link.thread_id).where(
            col(Link.person_id).in_(part),
            col(Link.unlinked_at).is_(None),
            col(Link.thread_id).is_not(None),
            ~has_own.correlate(Link).exists(),
        )
        one_each = (
            pick(func.max(col(Message.id)))
            .where(col(Message.thread_id).in_(theirs), col(Message.junk).is_(False))
            .group_by(col(Message.thread_id), col(Message.mailbox_id))
        )
        changed += _mark(session, col(Message.id).in_(one_each))
    return _marked(session, changed)


def look_again_in(session: Session, thread_ids: Iterable[int]) -> int:
    """Let the rules look again at these conversations, after they changed by hand. Wakes like `look_again`."""
    changed = 0
    for part in chunks(sorted(set(thread_ids))):
        one_each = (
            pick(func.max(col(Message.id)))
            .where(col(Message.thread_id).in_(part), col(Message.junk).is_(False))
            .group_by(col(Message.thread_id), col(Message.mailbox_id))
        )
        changed += _mark(session, col(Message.id).in_(one_each))
    return _marked(session, changed)


def _mark(session: Session, which: ColumnElement[bool]) -> int:
    """Set `link_pending`; what the rules have in hand at this moment is set again when they are done with it.

    They decided by what was committed before, and are about to say that it is settled. SQLite has one writer anyway.
    """
    if session.connection().dialect.name == "postgresql":
        in_hand = pick(Message.id).where(which, col(Message.link_pending).is_(True)).order_by(col(Message.id))
        rows(session, in_hand.with_for_update(key_share=True))
    statement = update(Message).where(which, col(Message.link_pending).is_(False)).values(link_pending=True)
    return run(session, statement).rowcount


def _marked(session: Session, count: int) -> int:
    if count and not session.info.get(_MARK):
        session.info[_MARK] = True
        event.listen(session, "after_commit", _wake, once=True)
    return count


def _wake(session: Any) -> None:
    session.info.pop(_MARK, None)
    enqueue("link_pending")
