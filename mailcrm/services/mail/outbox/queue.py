"""Send, undo, retry, and the lists of drafts and outgoing mail.

`send` fixes Message-ID and Date; the wait before the first attempt (`send_at`) is kept on the server, so closing the
browser neither sends nor loses anything (B10). Does not talk to servers: deliver.py does, in the worker.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlmodel import Session, col, select, update

from mailcrm.errors import UserError
from mailcrm.models import Mailbox, Message, Outbox, OutboxRecipient, ThreadReference, utcnow
from mailcrm.services import access, audit, live
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs import queue as jobs
from mailcrm.services.mail.outbox import rows
from mailcrm.services.mail.outbox.addresses import MAX_RECIPIENTS, ascii_domain, is_address
from mailcrm.services.mail.outbox.html import is_empty
from mailcrm.services.mail.outbox.views import DraftView
from mailcrm.services.mail.thread.assign import lock_user

UNDO_S = 10  # seconds in which a send can be taken back
MAX_UNDO_S = 120.0
MAX_AHEAD = timedelta(days=366)
LISTED = 200


def send(
    actor: Actor,
    draft_id: int,
    *,
    delay_s: float = UNDO_S,
    send_at: datetime | None = None,
    idempotency_key: str | None = None,
) -> DraftView:
    """Queue a draft; it leaves after `delay_s` seconds, or at `send_at`.

    Raises UserError: "outbox.not_draft", "outbox.no_recipients", "outbox.bad_address", "outbox.too_many",
    "outbox.empty", "outbox.mailbox_paused". Idempotent for the same `idempotency_key`.
    """
    now = utcnow()
    with transaction() as session:
        row = access.load(session, Outbox, draft_id, access.own_outbox(actor))
        if row.state != "draft":
            if idempotency_key and row.idempotency_key == idempotency_key:
                return rows.view(session, actor, row)
            raise UserError("outbox.not_draft")
        mailbox = access.load(session, Mailbox, row.mailbox_id, access.own_mailbox(actor))
        _check_sendable(session, row)
        row.state = "queued"
        row.rfc_message_id = _message_id(mailbox.address)
        _keep_in_thread(session, row)
        row.send_at = _leaves_at(now, delay_s, send_at)
        row.dated_at = row.send_at.replace(microsecond=0)
        row.idempotency_key = idempotency_key
        row.tries, row.next_try_at = 0, row.send_at
        row.error_code, row.error_params = "", {}
        row.updated_at = now
        audit.record(session, actor, "send", "outbox", row.id)
        live.hint(session, actor.user_id, "outbox", row.id)
        view = rows.view(session, actor, row)
    if view.send_at is not None and view.send_at <= now:
        jobs.enqueue("deliver")  # later ones are found by the sweep
    return view


def _keep_in_thread(session: Session, row: Outbox) -> None:
    """Let the thread of a parent without Message-ID know the reply's: no header of the reply can name that parent."""
    parent = session.get(Message, row.reply_to_message_id) if row.reply_to_message_id else None
    if parent is None or parent.rfc_message_id or parent.user_id != row.user_id or row.rfc_message_id is None:
        return
    lock_user(session, row.user_id)  # a merge moves the parent
    session.refresh(parent)
    session.add(ThreadReference(user_id=row.user_id, rfc_message_id=row.rfc_message_id, thread_id=parent.thread_id))


def undo(actor: Actor, outbox_id: int) -> DraftView:
    """Take a queued message back to a draft. Raises UserError("outbox.too_late") once it is on its way."""
    with transaction() as session:
        row = access.load(session, Outbox, outbox_id, access.own_outbox(actor))
        taken = session.exec(  # type: ignore[call-overload]
            update(Outbox)
            .where(col(Outbox.id) == row.id, col(Outbox.state) == "queued", col(Outbox.sent_at).is_(None))
            .values(
                state="draft", rfc_message_id=None, dated_at=None, send_at=None, next_try_at=None,
                tries=0, error_code="", error_params={}, idempotency_key=None, updated_at=utcnow(),
            )
        )  # fmt: skip
        if taken.rowcount != 1:
            raise UserError("outbox.too_late")
        session.refresh(row)
        audit.record(session, actor, "undo_send", "outbox", row.id)
        live.hint(session, actor.user_id, "outbox", row.id)
        return rows.view(session, actor, row)


def retry(actor: Actor, outbox_id: int) -> DraftView:
    """Send a failed message, or one whose delivery stayed unknown, once more, to those who did not get it.

    Message-ID and Date stay: a recipient's server may still recognise the second copy.
    """
    now = utcnow()
    with transaction() as session:
        row = access.load(session, Outbox, outbox_id, access.own_outbox(actor))
        if row.state not in ("failed", "unknown"):
            raise UserError("outbox.not_failed")
        session.exec(  # type: ignore[call-overload]
            update(OutboxRecipient)
            .where(col(OutboxRecipient.outbox_id) == row.id, col(OutboxRecipient.state) == "refused")
            .values(state="waiting", reply_code=None, reply_text="")
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


def list_drafts(actor: Actor) -> tuple[DraftView, ...]:
    """Return the actor's drafts, newest first, at most 200."""
    return _listed(actor, ("draft",))


def list_outbox(actor: Actor) -> tuple[DraftView, ...]:
    """Return what waits, is being sent, failed or is unknown, newest first, at most 200."""
    return _listed(actor, ("queued", "sending", "failed", "unknown"))


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


def _leaves_at(now: datetime, delay_s: float, send_at: datetime | None) -> datetime:
    if send_at is None:
        return now + timedelta(seconds=min(max(delay_s, 0.0), MAX_UNDO_S))
    if send_at.tzinfo is None or send_at > now + MAX_AHEAD:
        raise UserError("input.invalid", value=str(send_at)[:40], field="send_at")
    return max(send_at, now)


def _message_id(address: str) -> str:
    """Make a Message-ID without angle brackets, of the sender's domain (RFC 5322 3.6.4): 160 random bits."""
    domain = ascii_domain(address.rpartition("@")[2]) or "mailcrm.invalid"
    return f"{secrets.token_hex(20)}@{domain}"
