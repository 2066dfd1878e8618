"""Who can read a conversation: names, by the same predicate that decides it (M24, M25, services/access.py).

Reads only. Asks for every enabled user in turn, one small statement each, so it is for a panel that somebody opened.
Names are given to whoever may see the conversation; what a colleague is told counts only messages they see themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import and_, func
from sqlmodel import Session, col, select

from mailcrm.models import Message, User
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.db import reading
from mailcrm.services.mail import threads
from mailcrm.services.rows import pick, rows


@dataclass(frozen=True)
class Reader:
    """Somebody who can read `messages` of the conversation; `owner`: it is their mailbox."""

    user_id: int
    name: str
    messages: int
    owner: bool = False


@dataclass(frozen=True)
class ReadersView:
    """Who reads a conversation of `total` messages now, its owner first.

    `linked`: it is linked to anything that somebody sees. `would`: who would read it too if all of it were shared,
    given what it is linked to; () for anybody but the owner.
    """

    visibility: str
    total: int
    readers: tuple[Reader, ...]
    would: tuple[Reader, ...]
    linked: bool


def of_thread(actor: Actor, thread_id: int) -> ReadersView:
    """Name who can read this conversation; NotFound when the actor can't."""
    with reading() as session:
        thread, messages = threads.visible_messages(session, actor, thread_id)
        return _readers(session, actor, thread.user_id, messages)


def of_message(actor: Actor, message_id: int) -> ReadersView:
    """Name who can read this message; NotFound when the actor can't."""
    with reading() as session:
        message = access.load(session, Message, message_id, access.visible_message(actor))
        return _readers(session, actor, message.user_id, [message])


def _readers(session: Session, actor: Actor, owner_id: int, messages: list[Message]) -> ReadersView:
    ids = [message.id or 0 for message in messages]
    own = owner_id == actor.user_id
    users = session.exec(
        select(User).where(col(User.disabled_at).is_(None)).order_by(func.lower(User.name), col(User.id))
    ).all()
    found: list[Reader] = []
    would: list[Reader] = []
    for user in users:
        user_id = user.id or 0
        theirs = access.actor_for(session, user_id)
        if user_id == owner_id:
            found.insert(0, Reader(user_id, user.name, len(ids), owner=True))
            continue
        shared, linked = _counts(session, theirs, ids)
        if shared:
            found.append(Reader(user_id, user.name, shared))
        if own and linked > shared:
            would.append(Reader(user_id, user.name, linked))
    return ReadersView(
        visibility="shared" if any(message.visibility == "shared" for message in messages) else "private",
        total=len(ids),
        readers=tuple(found),
        would=tuple(would),
        linked=bool(would) or len(found) > 1,
    )


def _counts(session: Session, theirs: Actor, ids: list[int]) -> tuple[int, int]:
    """How many of these messages somebody may read, and how many they might if all were shared."""
    might = and_(access.standing(), access.has_standing_link(theirs))
    statement = pick(
        func.count().filter(access.visible_message(theirs)),
        func.count().filter(might),
    ).where(col(Message.id).in_(ids))
    shared, linked = rows(session, statement)[0]
    return shared, linked
