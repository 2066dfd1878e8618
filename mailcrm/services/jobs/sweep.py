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

from mailcrm.models import (
    AccountLetter,
    BccArrival,
    DraftCopy,
    DropMailbox,
    Import,
    Mailbox,
    Message,
    Notification,
    Outbox,
    Reminder,
    WebhookDelivery,
    utcnow,
)
from mailcrm.services import live, telling
from mailcrm.services.auth import account_letters
from mailcrm.services.db import reading
from mailcrm.services.jobs import queue
from mailcrm.services.mail import outage_letters, outages, reminders
from mailcrm.services.mail.oauth import tokens
from mailcrm.services.mail.outbox import draft_copy_due
from mailcrm.services.mail.providers import pace
from mailcrm.services.mail.watch import TRUST
from mailcrm.services.mail.writeback import queue as writeback
from mailcrm.services.rows import pick, rows
from mailcrm.services.webhooks import deliver as webhooks

EVERY_S = 2.0
POLL = timedelta(seconds=30)  # how often a mailbox is looked at that nobody watches, unless its provider bears less
LATEST = timedelta(minutes=5)  # no provider's safety pass is later than that (providers/pace.py)
AHEAD = timedelta(minutes=10)  # no lease or look is later than that: the clock was set back
SOONEST = timedelta(minutes=3)  # and none is sooner
QUEUED_MOST = 50  # syncs that wait in the queue; the rest stays in rows, so that a push does not wait behind a poll
FORGET_S = 60.0
TIDY_S = 60.0
TIDY_STORE_S = 600.0  # between two runs of the job that frees what nothing refers to

_lock = threading.Lock()
_waiting: dict[str, float] = {}
_tidied = 0.0
_tidied_store = 0.0


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
        jobs.extend(("verify_mailbox", {"mailbox_id": due}) for due in due_verifications(session, now))
        jobs.extend(("run_import", {"import_id": due}) for due in due_imports(session, now))
        jobs.extend(("renew_token", {"mailbox_id": due}) for due in tokens.due(session, now))
        for job, model, is_due in (
            ("deliver", Outbox, outbox_due(now)),
            ("sent_copy", Outbox, copy_due(now)),
            ("draft_copies", Outbox, draft_copy_due.lacks_copy(now)),
            ("draft_copies", DraftCopy, draft_copy_due.is_due(now)),
            ("remind", Reminder, reminders.is_due(now)),
            ("tell_outage", Mailbox, outage_letters.untold()),
            ("account_letters", AccountLetter, account_letters.is_due(now)),
            ("tell", Notification, telling.is_due(now)),
            ("webhooks", WebhookDelivery, webhooks.is_due(now)),
            ("smart_bcc", BccArrival, and_(col(BccArrival.state) == "waiting", _is_ready(BccArrival, now))),
            ("drop_mailbox", DropMailbox, _is_ready(DropMailbox, now)),
            ("link_pending", Message, and_(col(Message.link_pending), col(Message.deleted_at).is_(None))),
        ):
            if session.exec(select(model.id).where(is_due).limit(1)).first() is not None:
                jobs.append((job, {}))
    _tidy()
    room, sent = _room(), 0
    for job, args in jobs:
        if job == "sync_mailbox" and room <= 0:
            continue
        done = _enqueue_once(job, args)
        sent += done
        room -= done and job == "sync_mailbox"
    return sent


def due_mailboxes(session: Session, now: datetime, *, starting: bool = False) -> list[int]:
    """Ids of the mailboxes that want a sync: those asked for first, then the longest unseen.

    Asked for (a request stands until a pass began after it), due after a failure's back-off (`next_try_at`), or not
    looked at for as long as its provider's pace says: `safety_s` where the watcher proved lately that it watches,
    else `POLL`. Paused ones and those that need their user never are, and one under lease is somebody's already.
    """
    waits = and_(col(Mailbox.next_try_at).is_not(None), col(Mailbox.next_try_at) > now)
    # A failure's time for the next try is what the user was told: it holds, however rarely the mailbox is looked at.
    asked = or_(col(Mailbox.sync_requested_at).is_not(None), col(Mailbox.next_try_at).is_not(None))
    watched = and_(col(Mailbox.watch) != "", col(Mailbox.watched_at) > now - TRUST)
    unseen = or_(
        col(Mailbox.last_success_at).is_(None),
        col(Mailbox.last_success_at) <= now - LATEST,
        col(Mailbox.last_success_at) > now + AHEAD,
        and_(~watched, col(Mailbox.last_success_at) <= now - POLL),
    )
    some_providers = and_(watched, col(Mailbox.last_success_at) <= now - SOONEST)
    query = (
        pick(Mailbox.id, Mailbox.imap_host, Mailbox.last_success_at, asked, watched)
        .where(
            col(Mailbox.status) == "active",
            or_(
                col(Mailbox.lease_until).is_(None),
                col(Mailbox.lease_until) <= now,
                col(Mailbox.lease_until) > now + AHEAD,
                literal(starting),
            ),
            ~waits,
            or_(asked, unseen, some_providers),
        )
        .order_by(asked.desc(), col(Mailbox.last_success_at).asc().nulls_first(), col(Mailbox.id))
    )
    return [
        mailbox_id
        for mailbox_id, host, seen, is_asked, is_watched in rows(session, query)
        if is_asked or seen is None or seen > now + AHEAD or seen <= now - _patience(host, is_watched)
    ]


def _patience(host: str, is_watched: bool) -> timedelta:
    borne = pace.of_host(host)
    if is_watched:
        return timedelta(seconds=borne.safety_s)
    return POLL if borne.watch else timedelta(seconds=borne.poll_s)


def _room() -> int:
    """How many syncs may be put into the queue now."""
    try:
        return max(0, QUEUED_MOST - queue.waiting()["sync"])
    except Exception:  # any backend's error: enqueueing logs it
        return QUEUED_MOST


def due_verifications(session: Session, now: datetime) -> list[int]:
    """Ids of the mailboxes whose comparison with the server was asked for and is not under way."""
    free = or_(col(Mailbox.verify_until).is_(None), col(Mailbox.verify_until) <= now)
    asked = select(Mailbox.id).where(col(Mailbox.verify_requested_at).is_not(None), free, Mailbox.status == "active")
    return [mailbox_id for mailbox_id in session.exec(asked) if mailbox_id is not None]


def due_imports(session: Session, now: datetime) -> list[int]:
    """Ids of the imports that were started and that nobody works on."""
    free = or_(col(Import.lease_until).is_(None), col(Import.lease_until) < now)
    asked = select(Import.id).where(Import.state == "running", free).limit(5)
    return [import_id for import_id in session.exec(asked) if import_id is not None]


def outbox_due(now: datetime) -> ColumnElement[bool]:
    """Mail whose time has come, whose sender died while holding it, or of which nobody knows whether it was sent."""
    ready = or_(col(Outbox.next_try_at).is_(None), col(Outbox.next_try_at) <= now)
    goes = ~outages.is_out(col(Outbox.mailbox_id))
    queued = and_(
        col(Outbox.state) == "queued", goes, or_(col(Outbox.send_at).is_(None), col(Outbox.send_at) <= now), ready
    )
    lost = and_(col(Outbox.state) == "sending", or_(col(Outbox.lease_until).is_(None), col(Outbox.lease_until) <= now))
    unsettled = and_(col(Outbox.state) == "unknown", col(Outbox.next_try_at) <= now)
    return or_(queued, lost, unsettled)


def _is_ready(model: type[BccArrival | DropMailbox], now: datetime) -> ColumnElement[bool]:
    return or_(col(model.next_try_at).is_(None), col(model.next_try_at) <= now)


def copy_due(now: datetime) -> ColumnElement[bool]:
    """Sent mail whose copy is not in the server's Sent folder yet."""
    ready = or_(col(Outbox.next_try_at).is_(None), col(Outbox.next_try_at) <= now)
    goes = ~outages.is_out(col(Outbox.mailbox_id))
    return and_(col(Outbox.sent_copy) == "pending", col(Outbox.sent_at).is_not(None), ready, goes)


def began(job: str, args: dict[str, int | str]) -> None:
    """Note that a job left the queue, so that the next sweep may enqueue it again."""
    with _lock:
        _waiting.pop(_key(job, args), None)


def forget() -> None:
    """Forget what this process enqueued (tests have many databases)."""
    with _lock:
        _waiting.clear()


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
    global _tidied, _tidied_store
    if time.monotonic() - _tidied_store > TIDY_STORE_S:
        _tidied_store = time.monotonic()
        _enqueue_once("tidy", {})
    if time.monotonic() - _tidied > TIDY_S:
        _tidied = time.monotonic()
        live.sweep()
