"""Delivers what is due: one attempt at a time, exactly once as far as SMTP lets it be known (sync.md A8, B10).

    queued -> sending -> sent                     taken for everybody, or refused for some
                      -> queued                   4xx or network before the final dot: again after 2^n minutes
                      -> failed                   5xx, credentials, or ten tries in a day
                      -> unknown -> sent          lost from the final dot on: found in Sent by its Message-ID
                                 -> unknown       not found in five minutes: the user decides

Those who accepted are never sent to again. Every outcome is written only while the lease is held (lease.py).
Builds no MIME (build.py), knows no SMTP replies (smtp.py) and stores no copy on the server (sent_copy.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy import and_, or_
from sqlmodel import Session, col, select

from mailcrm.config import config
from mailcrm.errors import DeliveryUnknown, MailcrmError, NotFound, TransientError
from mailcrm.models import Outbox, OutboxRecipient, utcnow
from mailcrm.services import live, notifications
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs import queue
from mailcrm.services.mail import mailboxes
from mailcrm.services.mail.outbox import build, finish, lease, outgoing, rows, sent_copy, smtp

MAX_TRIES = 10
MAX_AGE = timedelta(hours=24)
FIRST_BACKOFF_S = 60.0  # doubles each time: ten tries take 17 hours
SEARCH_EVERY = timedelta(seconds=20)
SEARCH_FOR = timedelta(minutes=5)

log = structlog.get_logger()


def deliver_due(limit: int = 50, *, track: outgoing.Track) -> int:
    """Work on what is due; return how many messages were looked at. Idempotent; any number may run at once."""
    done = 0
    for outbox_id, state, handed_over in _due(limit):
        if state == "sending" and handed_over:
            done += lease.give_up_lost(outbox_id)
        elif state == "unknown":
            done += _settle(outbox_id)
        else:
            done += _attempt(outbox_id, track)
    return done


def _due(limit: int) -> list[tuple[int, str, bool]]:
    now = utcnow()
    ready = or_(col(Outbox.next_try_at).is_(None), col(Outbox.next_try_at) <= now)
    arrived = or_(col(Outbox.send_at).is_(None), col(Outbox.send_at) <= now)
    lost = or_(col(Outbox.lease_until).is_(None), col(Outbox.lease_until) <= now)
    wanted = or_(
        and_(col(Outbox.state) == "queued", ready, arrived),
        and_(col(Outbox.state) == "sending", lost),
        and_(col(Outbox.state) == "unknown", col(Outbox.next_try_at) <= now, lost),
    )
    with reading() as session:
        query = select(Outbox.id, Outbox.state, Outbox.handed_over_at).where(wanted)
        found = session.exec(query.order_by(col(Outbox.send_at), col(Outbox.id)).limit(limit)).all()
        return [(row[0] or 0, row[1], row[2] is not None) for row in found]


def _attempt(outbox_id: int, track: outgoing.Track) -> bool:
    owner = lease.new_owner()
    if not lease.take(outbox_id, owner):
        return False
    try:
        with lease.kept(outbox_id, owner):
            made = outgoing.prepare(outbox_id, track)
            access = mailboxes.credentials(made.mailbox_id)
            result = smtp.deliver(
                access.smtp,
                access.smtp_password,
                mail_from=made.mail_from,
                rcpt_to=made.waiting,
                message=made.raw,
                allow_private=config().allow_private_hosts,
                before_dot=lambda: lease.mark_handed_over(outbox_id, owner),
            )
    except lease.LeaseLost:
        log.warning("another process took the message over", outbox_id=outbox_id)
    except DeliveryUnknown:
        _unknown(outbox_id, owner)
    except TransientError as error:
        _later(outbox_id, owner, error)
    except MailcrmError as error:
        _failed(outbox_id, owner, error.code, error.params)
    except build.Unbuildable as error:
        log.warning("a message can't be built", outbox_id=outbox_id, reason=str(error))
        _failed(outbox_id, owner, "outbox.unbuildable", {})
    except Exception:
        # a defect: never sent twice for it, never lost for it
        log.exception("an attempt broke", outbox_id=outbox_id)
        _broke(outbox_id, owner)
    else:
        _accepted(outbox_id, owner, made, result)
    return True


def _accepted(outbox_id: int, owner: str, made: outgoing.Outgoing, result: smtp.Delivery) -> None:
    """Write who took it; those deferred with 4xx wait for another attempt, alone."""
    prepared = finish.load(made.kept_sha)
    with transaction() as session:
        row = _held(session, outbox_id, owner)
        if row is None:
            return
        now = utcnow()
        may_wait = row.tries < MAX_TRIES and _age(row, now) < MAX_AGE
        deferred = 0
        for each in rows.recipients(session, outbox_id):
            if each.state != "waiting":
                continue
            if each.address in result.accepted:
                each.state = "accepted"
            elif each.address in result.refused:
                each.reply_code, each.reply_text = result.refused[each.address]
                wait = may_wait and 400 <= (each.reply_code or 0) < 500
                each.state = "waiting" if wait else "refused"
                deferred += wait
            session.add(each)
        finish.sent(session, row, prepared)
        row.handed_over_at = None
        if deferred:
            row.state, row.next_try_at = "queued", now + _backoff(row.tries)
        if any(each.state == "refused" for each in rows.recipients(session, outbox_id)):
            host = _host(session, row)
            row.error_code, row.error_params = "outbox.some_refused", {"host": host}
            _tell(session, row)
        _release(session, row)
    queue.enqueue("sent_copy")
    queue.enqueue("link_pending")


def _unknown(outbox_id: int, owner: str) -> None:
    with transaction() as session:
        row = _held(session, outbox_id, owner)
        if row is not None:
            row.state, row.next_try_at = "unknown", utcnow()
            row.handed_over_at = row.handed_over_at or utcnow()
            row.error_code, row.error_params = "smtp.unknown", {}
            _release(session, row)


def _later(outbox_id: int, owner: str, error: TransientError) -> None:
    with transaction() as session:
        row = _held(session, outbox_id, owner)
        if row is None:
            return
        now = utcnow()
        row.handed_over_at = None  # a reply or a break before the dot: certainly not delivered
        row.error_code, row.error_params = error.code, dict(error.params)
        if row.tries >= MAX_TRIES or _age(row, now) > MAX_AGE:
            row.state, row.next_try_at = "failed", None
            if row.sent_at is not None:
                finish.refuse_waiting(session, row)
                row.state, row.error_code = "sent", "outbox.some_refused"
                row.error_params = {"host": _host(session, row)}
            _tell(session, row)
        else:
            wait = max(_backoff(row.tries), timedelta(seconds=error.retry_after or 0))
            row.state, row.next_try_at = "queued", now + wait
        _release(session, row)


def _failed(outbox_id: int, owner: str, code: str, params: dict[str, object]) -> None:
    with transaction() as session:
        row = _held(session, outbox_id, owner)
        if row is None:
            return
        row.handed_over_at, row.next_try_at = None, None
        row.state, row.error_code = "failed", code
        row.error_params = {name: value if isinstance(value, int) else str(value) for name, value in params.items()}
        if row.sent_at is not None:  # a second attempt for those who were deferred: the others have it
            finish.refuse_waiting(session, row)
            row.state = "sent"
        _tell(session, row)
        _release(session, row)


def _broke(outbox_id: int, owner: str) -> None:
    with reading() as session:
        row = session.get(Outbox, outbox_id)
        handed_over = row is not None and row.handed_over_at is not None
    if handed_over:
        _unknown(outbox_id, owner)
    else:
        _failed(outbox_id, owner, "internal", {})


def _settle(outbox_id: int) -> bool:
    """Look for an unknown message among ours and in the server's Sent folder; decide, or look again later."""
    owner = lease.new_owner()
    if not lease.take_for(outbox_id, owner, col(Outbox.state) == "unknown"):
        return False
    with lease.kept(outbox_id, owner):
        try:
            found = sent_copy.is_on_server(outbox_id)
        except (MailcrmError, NotFound) as error:
            log.info("Sent can't be searched", outbox_id=outbox_id, code=error.code)
            found = False
    with reading() as session:
        row = session.get(Outbox, outbox_id)
        sha = row.sent_blob_sha if row is not None else None
    prepared = finish.load(sha) if found and sha else None
    with transaction() as session:
        row = _held(session, outbox_id, owner)
        if row is None or row.state != "unknown":
            return False
        if prepared is not None:
            for each in session.exec(
                select(OutboxRecipient).where(
                    OutboxRecipient.outbox_id == outbox_id, OutboxRecipient.state == "waiting"
                )
            ):
                each.state = "accepted"
                session.add(each)
            finish.sent(session, row, prepared)
            row.error_code, row.error_params, row.handed_over_at = "", {}, None
        elif row.handed_over_at is not None and utcnow() - row.handed_over_at < SEARCH_FOR:
            row.next_try_at = utcnow() + SEARCH_EVERY
        else:
            row.next_try_at = None
            _tell(session, row)
        _release(session, row)
    return True


def _held(session: Session, outbox_id: int, owner: str) -> Outbox | None:
    """Load the row for writing while the lease is ours; None when another process has it."""
    query = select(Outbox).where(col(Outbox.id) == outbox_id, lease.held(owner)).with_for_update()
    return session.exec(query).first()


def _release(session: Session, row: Outbox) -> None:
    row.lease_owner, row.lease_until = "", None
    row.updated_at = utcnow()
    session.add(row)
    live.hint(session, row.user_id, "outbox", row.id)


def _tell(session: Session, row: Outbox) -> None:
    people = rows.recipients(session, row.id or 0)
    notifications.notify(
        session, row.user_id, "send_failed", group_key=f"send_failed:{row.id}", message_id=row.message_id,
        mailbox_id=row.mailbox_id,
        params={
            "code": row.error_code,
            "error_params": dict(row.error_params),
            "outbox_id": row.id,
            "title": ", ".join(each.name or each.address for each in people[:3]),
            "detail": row.subject,
        },
    )  # fmt: skip


def _host(session: Session, row: Outbox) -> str:
    return finish.smtp_host(session, row)


def _age(row: Outbox, now: datetime) -> timedelta:
    return now - (row.send_at or row.created_at)


def _backoff(tries: int) -> timedelta:
    return timedelta(seconds=FIRST_BACKOFF_S * 2 ** max(tries - 1, 0))
