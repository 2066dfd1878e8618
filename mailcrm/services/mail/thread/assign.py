"""Gives messages their threads, by the user who owns the mailbox: all of a user's mailboxes share conversations.

Ids that nobody has yet (parents that come later, or never) are remembered as the thread's too, so that late arrivals
join. Merging moves messages, ids and links into the oldest thread. Works inside the caller's transaction, which must
hold the user's lock (`lock_user`). Decides nothing itself: `references.py` does; the summary columns are
`summary.py`'s.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, delete, select, update

from mailcrm.models import Link, Message, Notification, Reminder, Thread, ThreadReference, User
from mailcrm.services.mail import labels
from mailcrm.services.mail.thread.references import Join, decide
from mailcrm.services.rows import insert_many, insert_numbered, is_one_of, pick, rows

_IN = 500  # values in one IN list; SQLite's limit is 32,766, PostgreSQL plans short lists better


@dataclass(frozen=True, slots=True)
class Threadable:
    """What threading needs of a message; `ids` as `references.ids_of` gives them."""

    ids: tuple[str, ...]
    subject: str
    sort_at: datetime


def lock_user(session: Session, user_id: int) -> None:
    """Let one transaction at a time change this user's threads (SQLite's writers are alone anyway)."""
    session.exec(select(User.id).where(col(User.id) == user_id).with_for_update(key_share=True)).one()


def lock_free(session: Session, user_ids: Collection[int]) -> set[int]:
    """Lock like `lock_user` whoever of these nobody holds, and return them; waits for one where all are held."""
    free = pick(User.id).where(col(User.id).in_(user_ids)).with_for_update(key_share=True, skip_locked=True)
    locked = {row[0] for row in rows(session, free)}
    if not locked and user_ids:
        lock_user(session, min(user_ids))
        locked = {min(user_ids)}
    return locked


def assign(session: Session, user_id: int, messages: Sequence[Threadable]) -> list[int]:
    """Return a thread id for each message, in order; makes, merges and remembers as needed."""
    wanted = list(dict.fromkeys(i for message in messages for i in message.ids))
    stored = _known(session, user_id, wanted)
    known = dict(stored)
    sizes, age = _sizes(session, set(known.values()))
    pinned = pinned_of(session, set(known.values()))
    fresh: dict[int, Threadable] = {}  # negative stand-ins for threads that don't exist yet
    chosen: list[int] = []
    moved: dict[int, int] = {}
    members: dict[int, set[str]] = {}  # ids by thread, as far as this batch knows them
    for i, thread in known.items():
        members.setdefault(thread, set()).add(i)
    for message in messages:
        intent = decide(message.ids, known, sizes, age, pinned)
        if isinstance(intent, Join):
            thread = intent.thread
            for loser in intent.merge:
                moved[loser] = thread
                if loser in pinned:  # the pin goes where the ids go
                    pinned.add(thread)
                sizes[thread] += sizes[loser]
                for i in members.pop(loser, ()):
                    known[i] = thread
                    members.setdefault(thread, set()).add(i)
        else:
            thread = -len(fresh) - 1
            fresh[thread] = message
            sizes[thread] = 0
            # A new thread is younger than every stored one, and than those made before it.
            age[thread] = max(age.values(), default=0) + 1
        sizes[thread] += 1
        chosen.append(thread)
        for i in message.ids:
            if i not in known:
                known[i] = thread
                members.setdefault(thread, set()).add(i)
    final = _make(session, user_id, fresh, moved)

    def settled(thread: int) -> int:
        while thread in moved:
            thread = moved[thread]
        return final.get(thread, thread)

    for loser in [t for t in moved if t > 0]:
        merge(session, loser, settled(loser))
    rows = [
        {"user_id": user_id, "rfc_message_id": i, "thread_id": settled(known[i])} for i in wanted if i not in stored
    ]
    insert_many(session, ThreadReference, rows)
    return [settled(thread) for thread in chosen]


def _known(session: Session, user_id: int, ids: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(ids), _IN):
        rows = session.exec(
            select(ThreadReference.rfc_message_id, ThreadReference.thread_id).where(
                ThreadReference.user_id == user_id,
                is_one_of(session, col(ThreadReference.rfc_message_id), ids[start : start + _IN]),
            )
        )
        found.update(rows.all())
    return found


def _sizes(session: Session, threads: set[int]) -> tuple[dict[int, int], dict[int, int]]:
    sizes: dict[int, int] = {}
    wanted = sorted(threads)
    for start in range(0, len(wanted), _IN):
        part = wanted[start : start + _IN]
        for thread_id, count in session.exec(
            select(Thread.id, Thread.message_count).where(is_one_of(session, col(Thread.id), part))
        ):
            sizes[thread_id or 0] = count
    return sizes, {thread: thread for thread in sizes}  # ids are given in the order of making


def pinned_of(session: Session, threads: set[int]) -> set[int]:
    """Return which of these threads a person split or merged by hand."""
    found: set[int] = set()
    wanted = sorted(threads)
    for start in range(0, len(wanted), _IN):
        part = wanted[start : start + _IN]
        of_these = select(ThreadReference.thread_id).where(
            is_one_of(session, col(ThreadReference.thread_id), part), col(ThreadReference.pinned).is_(True)
        )
        found.update(session.exec(of_these.distinct()))
    return found


def _make(session: Session, user_id: int, fresh: dict[int, Threadable], moved: dict[int, int]) -> dict[int, int]:
    """Insert the new threads that were not merged away again; return stand-in -> id."""
    kept = [(stand_in, message) for stand_in, message in fresh.items() if stand_in not in moved]
    if not kept:
        return {}
    rows: list[dict[str, Any]] = [
        {"user_id": user_id, "subject": message.subject, "last_at": message.sort_at, "message_count": 0,
         "unread_count": 0}
        for _, message in kept
    ]  # fmt: skip
    made = insert_numbered(session, Thread, rows)
    return {stand_in: made_id for (stand_in, _), made_id in zip(kept, made, strict=True)}


def merge(session: Session, loser: int, winner: int) -> None:
    """Move everything of `loser` into `winner` and remove it; the linking rules look at the whole again.

    A link that both have stays once. Where it stands in one and was taken off in the other, being taken off wins over
    what a rule made, and what a person made wins over that (M30).
    """
    moved = update(Message).where(col(Message.thread_id) == loser)
    session.exec(moved.values(thread_id=winner, link_pending=True))
    session.exec(update(ThreadReference).where(col(ThreadReference.thread_id) == loser).values(thread_id=winner))
    session.exec(update(Notification).where(col(Notification.thread_id) == loser).values(thread_id=winner))
    _move_reminders(session, loser, winner)
    labels.move(session, loser, winner)
    theirs = {_target(link): link for link in session.exec(select(Link).where(Link.thread_id == winner))}
    for link in session.exec(select(Link).where(Link.thread_id == loser)).all():
        other = theirs.get(_target(link))
        if other is None:
            link.thread_id = winner
        elif weight(link) > weight(other):
            session.delete(other)
            session.flush()
            link.thread_id = winner
        else:
            session.delete(link)
        session.flush()
    session.exec(delete(Thread).where(col(Thread.id) == loser))


def _move_reminders(session: Session, loser: int, winner: int) -> None:
    """Where both wait for the same, the winner's stays; what has ended gives way to what stands."""
    there = col(Reminder.thread_id) == winner
    session.exec(delete(Reminder).where(there, col(Reminder.ended_at).is_not(None)))
    kinds = session.exec(select(Reminder.kind).where(there)).all()
    theirs = update(Reminder).where(col(Reminder.thread_id) == loser, col(Reminder.kind).not_in(kinds))
    session.exec(theirs.values(thread_id=winner))


def weight(link: Link) -> int:
    """Return which of two links to the same target holds: one that a person made, one that was taken off, a rule's."""
    return (0 if link.origin in ("rule", "thread") else 2) if link.unlinked_at is None else 1


def _target(link: Link) -> tuple[int | None, int | None, int | None]:
    return link.person_id, link.deal_id, link.lead_id
