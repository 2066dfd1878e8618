"""The sweep: every couple of seconds asks the rows what is due and enqueues it. The queue may be lost; this finds it.

Each question is one indexed EXISTS or a short list. What this process enqueued a moment ago is not enqueued again
until it began, or until `FORGET_S` passed; several workers may wake the same row, and its lease decides.
Does not do any of the work.
"""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, literal, or_
from sqlmodel import Session, col, select

from mailcrm.models import Mailbox, Message, Outbox, utcnow
from mailcrm.services import live
from mailcrm.services.db import reading
from mailcrm.services.jobs import queue
from mailcrm.services.mail.writeback import queue as writeback

EVERY_S = 2.0
POLL = timedelta(seconds=30)  # how often an idle mailbox is looked at
FORGET_S = 60.0
TIDY_S = 60.0

_lock = threading.Lock()
_waiting: dict[str, float] = {}
_tidied = 0.0


def sweep(*, starting: bool = False) -> int:
    """Enqueue what is due; return how many jobs that were.

    `starting`: leases are not respected, because they may be those of a worker that was killed; the sync itself
    knows a dead owner from a living one.
    """
    now = utcnow()
    with reading() as session:
        jobs: list[tuple[str, dict[str, int | str]]] = [
            ("sync_mailbox", {"mailbox_id": mailbox_id})
            for mailbox_id in due_mailboxes(session, now, starting=starting)
        ]
        jobs.extend(("write_back", {"mailbox_id": due}) for due in writeback.due_mailboxes(session, now))
        for job, model, is_due in (
            ("deliver", Outbox, outbox_due(now)),
            ("sent_copy", Outbox, copy_due(now)),
            ("link_pending", Message, and_(col(Message.link_pending), col(Message.deleted_at).is_(None))),
        ):
            if session.exec(select(model.id).where(is_due).limit(1)).first() is not None:
                jobs.append((job, {}))
    _tidy()
    return sum(_enqueue_once(job, args) for job, args in jobs)


def due_mailboxes(session: Session, now: datetime, *, starting: bool = False) -> list[int]:
    """Ids of the mailboxes that want a sync, the longest unseen first.

    Asked for since the last pass, due after a failure's back-off (`next_try_at`), or not looked at for `POLL`; paused
    ones and those that need their user never are, and one under lease is somebody's already.
    """
    waits = and_(col(Mailbox.next_try_at).is_not(None), col(Mailbox.next_try_at) > now)
    stale = or_(col(Mailbox.last_success_at).is_(None), col(Mailbox.last_success_at) <= now - POLL)
    query = (
        select(Mailbox.id)
        .where(
            Mailbox.status == "active",
            or_(col(Mailbox.lease_until).is_(None), col(Mailbox.lease_until) <= now, literal(starting)),
            ~waits,
            # A pass that could not finish leaves the request standing; the next one comes with the poll.
            or_(col(Mailbox.sync_requested_at) > col(Mailbox.last_success_at), stale),
        )
        .order_by(col(Mailbox.last_success_at).asc().nulls_first(), col(Mailbox.id))
    )
    return [mailbox_id for mailbox_id in session.exec(query) if mailbox_id is not None]


def outbox_due(now: datetime) -> ColumnElement[bool]:
    """Mail whose time has come, whose sender died while holding it, or of which nobody knows whether it was sent."""
    ready = or_(col(Outbox.next_try_at).is_(None), col(Outbox.next_try_at) <= now)
    queued = and_(col(Outbox.state) == "queued", or_(col(Outbox.send_at).is_(None), col(Outbox.send_at) <= now), ready)
    lost = and_(col(Outbox.state) == "sending", or_(col(Outbox.lease_until).is_(None), col(Outbox.lease_until) <= now))
    unsettled = and_(col(Outbox.state) == "unknown", col(Outbox.next_try_at) <= now)
    return or_(queued, lost, unsettled)


def copy_due(now: datetime) -> ColumnElement[bool]:
    """Sent mail whose copy is not in the server's Sent folder yet."""
    ready = or_(col(Outbox.next_try_at).is_(None), col(Outbox.next_try_at) <= now)
    return and_(col(Outbox.sent_copy) == "pending", col(Outbox.sent_at).is_not(None), ready)


def began(job: str, args: dict[str, int | str]) -> None:
    """Note that a job left the queue, so that the next sweep may enqueue it again."""
    with _lock:
        _waiting.pop(_key(job, args), None)


def _enqueue_once(job: str, args: dict[str, int | str]) -> bool:
    now = time.monotonic()
    with _lock:
        if now - _waiting.get(_key(job, args), -FORGET_S) < FORGET_S:
            return False
        _waiting[_key(job, args)] = now
    queue.enqueue(job, **args)
    return True


def _key(job: str, args: dict[str, int | str]) -> str:
    return job + "".join(f" {name}={value}" for name, value in sorted(args.items()))


def _tidy() -> None:
    global _tidied
    if time.monotonic() - _tidied > TIDY_S:
        _tidied = time.monotonic()
        live.sweep()
