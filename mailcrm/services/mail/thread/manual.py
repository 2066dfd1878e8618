"""Splits and merges conversations for their owner, and remembers it: automation undoes neither (ThreadReference.pinned).

    split   a message and those that answer it leave into a conversation of their own; links are copied, the ids they
            are known by go with them, and the ids of both sides are pinned
    merge   one conversation moves into another whole, links and notifications too; its ids are pinned
    undo    of a split: merge again; of a merge: `separate` with what `merge_threads` returned

Ids are kept apart from messages, so it holds across restarts, new UIDs and a mailbox that is connected again. A message
without a Message-ID has nothing to remember it by but its row. Nothing touches the server.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col, func, select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Link, Message, Notification, Reminder, Thread, ThreadReference
from mailcrm.services import access, audit, live
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs.queue import enqueue
from mailcrm.services.mail import labels
from mailcrm.services.mail.thread import assign
from mailcrm.services.mail.thread.ancestors import ancestors
from mailcrm.services.mail.thread.references import MAX_MESSAGES
from mailcrm.services.mail.thread.summary import refresh_threads
from mailcrm.services.rows import chunks, run

_KEPT = ("origin", "reason", "created_by", "created_at", "unlinked_by", "unlinked_at")


@dataclass(frozen=True, slots=True)
class Shared:
    """A link that both conversations had: its id now, its values (`_KEPT`) here, there, and since the merge."""

    id: int
    ours: tuple[Any, ...]
    theirs: tuple[Any, ...]
    since: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge moved, by ids: enough to take it back."""

    into: int
    messages: tuple[int, ...]
    links: tuple[int, ...]
    shared: tuple[Shared, ...]


@dataclass(frozen=True, slots=True)
class _Named:
    """A message of a conversation by its ids; `ancestors` nearest last."""

    id: int
    own: str | None
    ancestors: tuple[str, ...]


def split_thread(actor: Actor, message_id: int) -> int:
    """Let a message start a conversation of its own, with those that answer it; return the new conversation's id.

    The owner only. UserError when nothing would be left behind. Reads each message's header lines: up to 500 files.
    """
    with reading() as session:
        message = access.load(session, Message, message_id, access.own_message(actor))
        rows = session.exec(select(Message).where(Message.thread_id == message.thread_id)).all()
        named = [(row.id or 0, row.rfc_message_id, row.in_reply_to, row.blob_sha) for row in rows]
    messages = [_Named(i, own, ancestors(sha, parent)) for i, own, parent, sha in named]
    leaving = _with_answers(messages, message_id)
    with transaction() as session:
        assign.lock_user(session, actor.user_id)
        message = access.load(session, Message, message_id, access.own_message(actor))
        moving = [each.id for each in messages if each.id in leaving]
        made = _move(session, message.thread_id, moving)
        _take_ids(session, actor, message.thread_id, made, [each for each in messages if each.id in leaving])
        _pin(session, (message.thread_id, made))
        _copy_links(session, message.thread_id, made)
        labels.copy(session, message.thread_id, made)
        _finish(session, actor, "split", message.thread_id, made)
    enqueue("link_pending")
    return made


def merge_threads(actor: Actor, thread_id: int, into: int) -> Merged:
    """Move a conversation into another one of the same owner; `thread_id` is gone afterwards."""
    with transaction() as session:
        assign.lock_user(session, actor.user_id)
        for each in (thread_id, into):
            access.load(session, Thread, each, access.own_thread(actor))
        if thread_id == into:
            raise UserError("thread.same")
        counted = select(func.count()).where(col(Message.thread_id).in_((thread_id, into)))
        if session.exec(counted).one() > MAX_MESSAGES:
            raise UserError("thread.too_long", most=MAX_MESSAGES)
        moved = session.exec(select(Message.id).where(Message.thread_id == thread_id).order_by(col(Message.id))).all()
        theirs, ours = _links_of(session, thread_id), _links_of(session, into)
        assign.merge(session, thread_id, into)
        _pin(session, (into,))
        _finish(session, actor, "merge", into, thread_id)
        kept = _links_of(session, into)
    enqueue("link_pending")
    return Merged(
        into,
        tuple(each or 0 for each in moved),
        links=tuple(kept[target][0] for target in theirs if target not in ours),
        shared=tuple(
            Shared(kept[target][0], ours[target][1], theirs[target][1], kept[target][1])
            for target in theirs
            if target in ours
        ),
    )


def separate(actor: Actor, merged: Merged) -> int:
    """Take a merge back; return the id of the conversation that is one of its own again."""
    with transaction() as session:
        assign.lock_user(session, actor.user_id)
        access.load(session, Thread, merged.into, access.own_thread(actor))
        here = col(Message.thread_id) == merged.into
        rows = session.exec(
            select(Message).where(here, col(Message.user_id) == actor.user_id, col(Message.id).in_(merged.messages))
        ).all()
        named = [_Named(row.id or 0, row.rfc_message_id, ()) for row in rows]
        made = _move(session, merged.into, [each.id for each in named])
        _take_ids(session, actor, merged.into, made, named)
        _pin(session, (merged.into, made))
        moving = (col(Link.thread_id) == merged.into, col(Link.id).in_(merged.links))
        run(session, update(Link).where(*moving).values(thread_id=made))
        _part_links(session, merged, made)
        labels.copy(session, merged.into, made)
        _finish(session, actor, "split", merged.into, made)
    enqueue("link_pending")
    return made


def _with_answers(messages: Sequence[_Named], start: int) -> set[int]:
    """Return the ids of the message, its copies, and all that answer one of them, whatever their order."""
    first_one = next((each for each in messages if each.id == start), None)
    if first_one is None:
        raise NotFound
    names = {first_one.own} if first_one.own else set[str]()
    found = {start}
    while True:
        more = {
            each.id
            for each in messages
            if each.id not in found and (each.own in names or names.intersection(each.ancestors))
        }
        if not more:
            return found
        found |= more
        names |= {each.own for each in messages if each.id in more and each.own}


def _move(session: Session, thread_id: int, message_ids: Sequence[int]) -> int:
    """Move messages and what is said about them into a new conversation; return its id."""
    here = col(Message.thread_id) == thread_id
    staying = select(Message.id).where(here, access.standing(), col(Message.id).not_in(message_ids)).limit(1)
    if not message_ids or session.exec(staying).first() is None:
        raise UserError("thread.nothing_left")
    old = session.get_one(Thread, thread_id)
    made = Thread(user_id=old.user_id, subject=old.subject, last_at=old.last_at)
    session.add(made)
    session.flush()
    for part in chunks(message_ids):
        run(session, update(Message).where(here, col(Message.id).in_(part)).values(thread_id=made.id))
        about = (col(Notification.thread_id) == thread_id, col(Notification.message_id).in_(part))
        run(session, update(Notification).where(*about).values(thread_id=made.id))
        awaited = (col(Reminder.thread_id) == thread_id, col(Reminder.message_id).in_(part))
        run(session, update(Reminder).where(*awaited).values(thread_id=made.id))
    return made.id or 0


def _take_ids(session: Session, actor: Actor, old: int, new: int, leaving: Iterable[_Named]) -> None:
    """Let ids go with the messages that have them, and those that only messages below the split name."""
    leaving = list(leaving)
    names = {each.own for each in leaving if each.own}
    for each in leaving:  # an unknown message between two that leave is on their side too
        seen = False
        for name in each.ancestors:
            seen = seen or name in names
            if seen:
                names.add(name)
    stays = {
        name for name in session.exec(select(Message.rfc_message_id).where(Message.thread_id == old)) if name
    }  # a copy in the trash, say, that has not moved
    for part in chunks(sorted(names - stays)):
        which = (
            col(ThreadReference.user_id) == actor.user_id,
            col(ThreadReference.thread_id) == old,
            col(ThreadReference.rfc_message_id).in_(part),
        )
        run(session, update(ThreadReference).where(*which).values(thread_id=new))


def _pin(session: Session, thread_ids: Sequence[int]) -> None:
    which = col(ThreadReference.thread_id).in_(thread_ids)
    run(session, update(ThreadReference).where(which).values(pinned=True))


def _copy_links(session: Session, old: int, new: int) -> None:
    """Give the new conversation the links of the old one, undone ones too: they say what not to link again (M30)."""
    for link in session.exec(select(Link).where(Link.thread_id == old)).all():
        _copy(session, link, new, _values(link))


def _part_links(session: Session, merged: Merged, new: int) -> None:
    """Give each side its own of the links that both had; one that changed since the merge stays so on both."""
    of_these = (col(Link.thread_id) == merged.into, col(Link.id).in_([each.id for each in merged.shared]))
    links = {link.id: link for link in session.exec(select(Link).where(*of_these)).all()}
    for each in merged.shared:
        link = links.get(each.id)
        if link is None:
            continue
        untouched = _values(link) == each.since
        _copy(session, link, new, each.theirs if untouched else _values(link))
        if untouched:
            for name, value in zip(_KEPT, each.ours, strict=True):
                setattr(link, name, value)


def _copy(session: Session, link: Link, new: int, values: tuple[Any, ...]) -> None:
    targets = {"person_id": link.person_id, "deal_id": link.deal_id, "lead_id": link.lead_id}
    session.add(Link(thread_id=new, **targets, **dict(zip(_KEPT, values, strict=True))))


def _links_of(session: Session, thread_id: int) -> dict[Any, tuple[int, tuple[Any, ...]]]:
    """Return the id and the values of each link of a conversation, by target."""
    found = session.exec(select(Link).where(Link.thread_id == thread_id)).all()
    return {_target(link): (link.id or 0, _values(link)) for link in found}


def _values(link: Link) -> tuple[Any, ...]:
    return tuple(getattr(link, name) for name in _KEPT)


def _finish(session: Session, actor: Actor, verb: str, thread_id: int, other: int) -> None:
    session.flush()
    refresh_threads(session, (thread_id, other))
    run(session, update(Message).where(col(Message.thread_id).in_((thread_id, other))).values(link_pending=True))
    audit.record(session, actor, verb, "thread", thread_id, other=other)
    live.hint(session, actor.user_id, "mail", thread_id)
    live.hint(session, None, "crm")


def _target(link: Link) -> tuple[int | None, int | None, int | None]:
    return link.person_id, link.deal_id, link.lead_id
