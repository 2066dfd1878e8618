"""Send, undo, retry, and the lists of drafts and outgoing mail.

`send` fixes Message-ID and Date; the wait before the first attempt (`send_at`) is kept on the server, so closing the
browser neither sends nor loses anything (B10). Does not talk to servers: deliver.py does, in the worker.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists
from sqlmodel import Session, col, select, update

from mailcrm.errors import UserError
from mailcrm.models import Mailbox, Message, Outbox, OutboxRecipient, ThreadReference, TrackedMessage, User, utcnow
from mailcrm.services import access, audit, live, paging
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs import queue as jobs
from mailcrm.services.mail.outbox import draft, finish, rows, schedule
from mailcrm.services.mail.outbox.addresses import MAX_RECIPIENTS, ascii_domain, is_address
from mailcrm.services.mail.outbox.html import is_empty
from mailcrm.services.mail.outbox.views import DraftView
from mailcrm.services.mail.thread.assign import lock_user
from mailcrm.services.writing import fill

MAX_UNDO_S = 120.0
MAX_REMIND = 365  # days
LISTED = 200
ALL = ("draft", "queued", "sending", "sent", "failed", "unknown")


def send(
    actor: Actor,
    draft_id: int,
    *,
    delay_s: float | None = None,
    send_at: datetime | None = None,
    send_local: str = "",
    send_zone: str = "",
    remind_days: int | None = None,
    idempotency_key: str | None = None,
    idempotency_digest: str = "",
    send_anyway: bool = False,
) -> DraftView:
    """Queue a draft; it leaves after `delay_s` seconds (None: the user's undo window), or when it was said.

    Later is a moment (`send_at`), or a local time in an IANA zone: "2026-11-30T09:00", by the rules that hold when it
    comes due (schedule.py). `remind_days`: remind the user when nobody answered for so long (B13).
    Raises UserError: "outbox.not_draft", "outbox.no_recipients", "outbox.bad_address", "outbox.too_many",
    "outbox.empty", "outbox.not_alias", "outbox.in_past", "outbox.too_far", "outbox.bad_time", "outbox.bad_zone".
    Idempotent for the same `idempotency_key`. A merge field without a value stops it with "outbox.empty_fields", unless
    `send_anyway` (M06).
    """
    now = utcnow()
    when = _when(now, send_at, send_local, send_zone)
    if remind_days is not None and not 1 <= remind_days <= MAX_REMIND:
        raise UserError("input.invalid", value=str(remind_days)[:20], field="remind_days")
    with transaction(durable=True) as session:
        row = rows.own(session, actor, draft_id)
        if row.state != "draft":
            if idempotency_key and row.idempotency_key == idempotency_key:
                return rows.view(session, actor, row)
            raise UserError("outbox.not_draft")
        mailbox = access.load(session, Mailbox, row.mailbox_id, access.own_mailbox(actor))
        _check_sendable(session, row)
        fill.resolve(session, actor, row, send_anyway=send_anyway)
        row.from_address = draft.alias_of(session, mailbox, row.from_address)
        row.state = "queued"
        row.rfc_message_id = new_message_id(row.from_address or mailbox.address)
        _keep_in_thread(session, row)
        row.send_at = when.at or now + _undo_window(session, actor, delay_s)
        row.send_local, row.send_zone = when.local, when.zone
        row.remind_days = remind_days
        row.dated_at = row.send_at.replace(microsecond=0)
        if idempotency_key:
            row.idempotency_key, row.idempotency_digest = idempotency_key, idempotency_digest
        row.tries, row.next_try_at = 0, row.send_at
        # How each recipient is tracked is decided anew when it leaves (consent.py).
        mine = col(OutboxRecipient.outbox_id) == row.id
        session.exec(update(OutboxRecipient).where(mine).values(tracking="", handed_over_at=None))  # type: ignore[call-overload]
        made = update(TrackedMessage).where(col(TrackedMessage.outbox_id) == row.id)
        session.exec(made.values(outbox_id=None, message_id=None))  # type: ignore[call-overload]  of a try that failed
        row.error_code, row.error_params = "", {}
        row.updated_at = now
        audit.record(session, actor, "send", "outbox", row.id)
        live.hint(session, actor.user_id, "outbox", row.id)
        view = rows.view(session, actor, row)
    if view.send_at is not None and view.send_at <= now:
        jobs.enqueue("deliver")  # later ones are found by the sweep
    return view


def reschedule(
    actor: Actor, outbox_id: int, *, send_at: datetime | None = None, send_local: str = "", send_zone: str = ""
) -> DraftView:
    """Let a message that waits leave at another time; without one, now.

    Raises UserError as `send` does, and "outbox.too_late" once it is on its way.
    """
    now = utcnow()
    when = _when(now, send_at, send_local, send_zone)
    at = when.at or now
    with transaction(durable=True) as session:
        row = access.load(session, Outbox, outbox_id, access.own_outbox(actor))
        change = (
            update(Outbox)
            .where(col(Outbox.id) == row.id, col(Outbox.state) == "queued", col(Outbox.sent_at).is_(None))
            .values(send_at=at, send_local=when.local, send_zone=when.zone, next_try_at=at, updated_at=now)
        )
        if row.tries == 0:  # a server has not seen its Date yet
            change = change.values(dated_at=at.replace(microsecond=0))
        if session.exec(change).rowcount != 1:  # type: ignore[call-overload]
            raise UserError("outbox.too_late")
        session.refresh(row)
        audit.record(session, actor, "reschedule", "outbox", row.id)
        live.hint(session, actor.user_id, "outbox", row.id)
        view = rows.view(session, actor, row)
    if at <= now:
        jobs.enqueue("deliver")
    return view


@dataclass(frozen=True)
class _When:
    """A checked moment to leave at, None for at once, and how it was said."""

    at: datetime | None = None
    local: str = ""
    zone: str = ""


def _when(now: datetime, send_at: datetime | None, local: str, zone: str) -> _When:
    if local:
        return _When(schedule.leaves_at(now, schedule.moment_of(local, zone)), local, zone)
    return _When(schedule.leaves_at(now, send_at)) if send_at is not None else _When()


def _undo_window(session: Session, actor: Actor, delay_s: float | None) -> timedelta:
    if delay_s is None:
        user = session.get(User, actor.user_id)
        delay_s = user.undo_seconds if user is not None else 0
    return timedelta(seconds=min(max(delay_s, 0.0), MAX_UNDO_S))


def _keep_in_thread(session: Session, row: Outbox) -> None:
    """Let the thread of a parent without Message-ID know the reply's: no header of the reply can name that parent."""
    parent = session.get(Message, row.reply_to_message_id) if row.reply_to_message_id else None
    if parent is None or parent.rfc_message_id or parent.user_id != row.user_id or row.rfc_message_id is None:
        return
    lock_user(session, row.user_id)  # a merge moves the parent
    session.refresh(parent)
    session.add(ThreadReference(user_id=row.user_id, rfc_message_id=row.rfc_message_id, thread_id=parent.thread_id))


def undo(actor: Actor, outbox_id: int) -> DraftView:
    """Take a message that waits, or that failed, back to a draft. Raises UserError("outbox.too_late") once it is on its way."""
    with transaction() as session:
        row = access.load(session, Outbox, outbox_id, access.own_outbox(actor))
        taken = session.exec(  # type: ignore[call-overload]
            update(Outbox)
            .where(
                col(Outbox.id) == row.id,
                col(Outbox.state).in_(("queued", "failed")),
                col(Outbox.sent_at).is_(None),
                ~exists().where(  # somebody may have it already
                    col(OutboxRecipient.outbox_id) == row.id, col(OutboxRecipient.handed_over_at).is_not(None)
                ),
            )
            .values(
                state="draft", rfc_message_id=None, dated_at=None, send_at=None, next_try_at=None,
                send_local="", send_zone="",
                tries=0, error_code="", error_params={}, updated_at=utcnow(),  # its key stays: a retry must not send
            )
        )  # fmt: skip
        if taken.rowcount != 1:
            raise UserError("outbox.too_late")
        session.refresh(row)
        fill.restore(row)
        audit.record(session, actor, "undo_send", "outbox", row.id)
        live.hint(session, actor.user_id, "outbox", row.id)
        return rows.view(session, actor, row)


def retry(actor: Actor, outbox_id: int) -> DraftView:
    """Send a failed message, or one whose delivery stayed unknown, once more, to those who did not get it.

    Message-ID and Date stay: a recipient's server may still recognise the second copy.
    """
    now = utcnow()
    with transaction() as session:
        row = rows.own(session, actor, outbox_id)
        if row.state not in ("failed", "unknown"):
            raise UserError("outbox.not_failed")
        session.exec(  # type: ignore[call-overload]
            update(OutboxRecipient)
            .where(col(OutboxRecipient.outbox_id) == row.id, col(OutboxRecipient.state).in_(("refused", "waiting")))
            .values(state="waiting", reply_code=None, reply_text="", handed_over_at=None)
        )
        row.state, row.tries, row.next_try_at = "queued", 0, now
        row.handed_over_at = None
        row.error_code, row.error_params = "", {}
        row.updated_at = now
        audit.record(session, actor, "retry_send", "outbox", row.id)
        live.hint(session, actor.user_id, "outbox", row.id)
        view = rows.view(session, actor, row)
    jobs.enqueue("deliver")
    return view


def confirm(actor: Actor, outbox_id: int, addresses: Sequence[str] | None = None) -> DraftView:
    """Settle a message of which nobody knew whether it was sent: the user found that it arrived.

    `addresses`: it arrived at these only; whoever else is in doubt stays so. Those who were not sent to yet are now.
    Raises UserError("outbox.not_failed") in any other state. Sends nothing; the copy goes to Sent as ever.
    """
    with reading() as session:
        row = access.load(session, Outbox, outbox_id, access.own_outbox(actor))
        if row.state != "unknown" or row.sent_blob_sha is None:
            raise UserError("outbox.not_failed")
        sha = row.sent_blob_sha
    prepared = finish.load(sha)
    with transaction() as session:
        row = access.load(session, Outbox, outbox_id, access.own_outbox(actor))
        session.refresh(row, with_for_update=True)
        if row.state != "unknown":
            raise UserError("outbox.not_failed")
        finish.arrived(session, row, prepared, addresses)
        row.updated_at = utcnow()
        audit.record(session, actor, "confirm_sent", "outbox", row.id)
        live.hint(session, actor.user_id, "outbox", row.id)
        view = rows.view(session, actor, row)
    jobs.enqueue("sent_copy")
    jobs.enqueue("link_pending")
    if view.state == "queued":  # for those who were not sent to yet
        jobs.enqueue("deliver")
    return view


def list_drafts(actor: Actor) -> tuple[DraftView, ...]:
    """Return the actor's drafts, newest first, at most 200."""
    return _listed(actor, ("draft",))


def list_outbox(actor: Actor) -> tuple[DraftView, ...]:
    """Return what waits, is being sent, failed or is unknown, newest first, at most 200."""
    return _listed(actor, ("queued", "sending", "failed", "unknown"))


def page_of_outbox(
    actor: Actor, states: tuple[str, ...] = ALL, cursor: str | None = None, limit: int = 50
) -> paging.Page[DraftView]:
    """Return one page of the actor's drafts and outgoing messages in these states, the last changed first."""
    size = paging.page_size(limit)
    with reading() as session:
        query = select(Outbox).where(access.own_outbox(actor), col(Outbox.state).in_(states))
        if cursor:
            query = query.where(paging.older(cursor, col(Outbox.updated_at), col(Outbox.id)))
        query = query.order_by(col(Outbox.updated_at).desc(), col(Outbox.id).desc())
        found = [rows.view(session, actor, row) for row in session.exec(query.limit(size + 1)).all()]
    return paging.cut(found, size, lambda row: paging.cursor_at(row.updated_at, row.id))


def _listed(actor: Actor, states: tuple[str, ...]) -> tuple[DraftView, ...]:
    with reading() as session:
        found = session.exec(
            select(Outbox)
            .where(access.own_outbox(actor), col(Outbox.state).in_(states))
            .order_by(col(Outbox.updated_at).desc(), col(Outbox.id).desc())
            .limit(LISTED)
        ).all()
        return tuple(rows.view(session, actor, row) for row in found)


def _check_sendable(session: Session, row: Outbox) -> None:
    people = rows.recipients(session, row.id or 0)
    if not people:
        raise UserError("outbox.no_recipients")
    if len(people) > MAX_RECIPIENTS:
        raise UserError("outbox.too_many", most=MAX_RECIPIENTS)
    for each in people:
        if not is_address(each.address):
            raise UserError("outbox.bad_address", address=each.address or each.name)
    has_file = any(True for _ in rows.files(session, row.id or 0))
    if not row.subject and is_empty(row.html) and not has_file:
        raise UserError("outbox.empty")


def new_message_id(address: str) -> str:
    """Make a Message-ID without angle brackets, of the sender's domain (RFC 5322 3.6.4): 160 random bits."""
    domain = ascii_domain(address.rpartition("@")[2]) or "mailcrm.invalid"
    return f"{secrets.token_hex(20)}@{domain}"
