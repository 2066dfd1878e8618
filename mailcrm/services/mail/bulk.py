"""One act on many conversations: archive, delete, read, unread, snooze, and exactly that act undone.

All of it or, for a conversation that isn't the actor's own, nothing. What changed is told, so that undoing leaves alone
what was so before, and what was done since.
Does not link: that is services/crm/linking.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, update
from sqlmodel import Session, col

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Message, Thread, utcnow
from mailcrm.services import access, audit, live
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import reminders, threads
from mailcrm.services.mail.thread.summary import refresh_threads
from mailcrm.services.mail.writeback import queue as writeback
from mailcrm.services.rows import chunks, pick, rows

MOST = 1000  # conversations of one act
#: act -> its opposite, which undoes it
OPPOSITE = {"archive": "unarchive", "unarchive": "archive", "delete": "undelete", "read": "unread", "unread": "read"}


@dataclass(frozen=True, slots=True)
class Done:
    """What an act changed: `undo` takes it; nobody else's business, so it stays on the server."""

    act: str
    thread_ids: tuple[int, ...]
    message_ids: tuple[int, ...] = ()
    #: Of a snooze: until when, and until when those were snoozed that were.
    until: datetime | None = None
    before: Mapping[int, datetime] = field(default_factory=dict[int, datetime])


def act(actor: Actor, thread_ids: Sequence[int], what: str) -> Done:
    """Do one of OPPOSITE's acts with own conversations ("undelete" only by `undo`); all or, by NotFound, none."""
    if what not in OPPOSITE:
        raise UserError("input.invalid", value=str(what)[:40], field="Action")
    wanted = _wanted(thread_ids)
    with transaction() as session:
        _check_own(session, actor, wanted)
        changed: list[int] = []
        for part in chunks(wanted):
            which = [col(Message.thread_id).in_(part), access.own_message(actor), *_which(what)]
            if what == "unread":
                which.append(col(Message.id).in_(_newest_incoming(actor, part)))
            changed += _change(session, actor, what, which)
        _after(session, actor, what, wanted, changed)
        return Done(what, tuple(wanted), tuple(changed))


def snooze(actor: Actor, thread_ids: Sequence[int], until: datetime) -> Done:
    """Take own conversations out of the Inbox until a moment; raises what `reminders.snooze` raises."""
    wanted = _wanted(thread_ids)
    if not wanted:
        raise NotFound
    before = reminders.snooze_all(actor, wanted, until)
    return Done("snooze", tuple(wanted), until=until, before=before)


def make_private(actor: Actor, thread_ids: Sequence[int]) -> Done:
    """Let nobody but their owner see own conversations (M25, M26)."""
    return _show(actor, thread_ids, "private")


def share(actor: Actor, thread_ids: Sequence[int]) -> Done:
    """Share own conversations with colleagues where they are linked; what is blocked, hidden or deleted stays private."""
    return _show(actor, thread_ids, "shared")


def _show(actor: Actor, thread_ids: Sequence[int], visibility: str) -> Done:
    wanted, changed = _wanted(thread_ids), list[int]()
    with reading() as session:
        _check_own(session, actor, wanted)
    for thread_id in wanted:
        changed += threads.set_visibility(actor, thread_id, visibility)
    return Done(visibility, tuple(wanted), tuple(changed))


def undo(actor: Actor, done: Done) -> None:
    """Take an act back; messages that meanwhile went to somebody else, or for good, are left out."""
    if done.act == "snooze":
        reminders.undo_snooze(actor, done.thread_ids, done.until or utcnow(), done.before)
        return
    if done.act == "private":
        threads.share_again(actor, done.message_ids)
        return
    what = OPPOSITE[done.act]
    with transaction() as session:
        changed: list[int] = []
        for part in chunks(done.message_ids):
            changed += _change(session, actor, what, [col(Message.id).in_(part), *_which(what)])
        _after(session, actor, what, list(done.thread_ids), changed)


def _wanted(thread_ids: Sequence[int]) -> list[int]:
    wanted = sorted(set(thread_ids))
    if len(wanted) > MOST:
        raise UserError("link.too_many", most=MOST)
    return wanted


def _check_own(session: Session, actor: Actor, wanted: list[int]) -> None:
    found = 0
    for part in chunks(wanted):
        found += len(rows(session, pick(Thread.id).where(col(Thread.id).in_(part), access.own_thread(actor))))
    if found != len(wanted) or not wanted:
        raise NotFound


def _which(what: str) -> list[ColumnElement[bool]]:
    """The messages that an act changes."""
    found: dict[str, list[ColumnElement[bool]]] = {
        "archive": [col(Message.archived).is_(False)],
        "unarchive": [col(Message.archived).is_(True)],
        "delete": [col(Message.deleted_at).is_(None)],
        "undelete": [col(Message.deleted_at).is_not(None)],
        "read": [col(Message.read).is_(False)],
        "unread": [col(Message.read).is_(True)],
    }
    return found[what]


def _values(what: str) -> dict[str, Any]:
    if what in ("archive", "unarchive"):
        return {"archived": what == "archive"}
    if what in ("delete", "undelete"):
        return {"deleted_at": utcnow() if what == "delete" else None}
    return {"read": what == "read"}


def _newest_incoming(actor: Actor, part: Sequence[int]) -> Any:
    """The newest incoming message of each: what "unread" means for a conversation (threads.mark_read)."""
    place = func.row_number().over(
        partition_by=col(Message.thread_id), order_by=(col(Message.sort_at).desc(), col(Message.id).desc())
    )
    incoming = (
        pick(Message.id, place.label("place"))
        .where(col(Message.thread_id).in_(part), access.own_message(actor), col(Message.direction) == "in")
        .subquery()
    )
    return pick(incoming.c.id).where(incoming.c.place == 1)


def _change(session: Session, actor: Actor, what: str, which: list[ColumnElement[bool]]) -> list[int]:
    statement = update(Message).where(col(Message.user_id) == actor.user_id, *which).values(**_values(what))
    return [row[0] for row in rows(session, statement.returning(col(Message.id)))]


def _after(session: Session, actor: Actor, what: str, wanted: list[int], changed: list[int]) -> None:
    if not changed:
        return
    for part in chunks(wanted):
        refresh_threads(session, tuple(part))
    writeback.asked(session, actor, what, changed)  # pyright: ignore[reportArgumentType]
    if what not in ("read", "unread"):
        for thread_id in wanted:
            audit.record(session, actor, "restore" if what == "undelete" else what, "thread", thread_id)
    live.hint(session, actor.user_id, "mail")
    if what in ("delete", "undelete"):
        live.hint(session, None, "crm")
