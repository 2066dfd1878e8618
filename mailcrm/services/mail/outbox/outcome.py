"""Writes what came of an attempt into the rows, only while the lease is held (lease.py). Sends nothing.

A message may leave in several SMTP transactions, one for each *part*: the recipients that get the same bytes (B04, T09).
Recipients' rows say how far it is, whenever the process dies:

    waiting, no mark          not sent to: safe to send
    waiting, handed_over_at   the dot was sent and nobody knows the answer: never blindly sent again
    accepted | refused        the server's word

The message is `unknown` while it has doubtful recipients and no others to send to: those go first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel import Session, select

from mailcrm.errors import MailcrmError, NeedsReconnect, TransientError
from mailcrm.models import Mailbox, Outbox, OutboxRecipient, TrackedMessage, utcnow
from mailcrm.services import live, notifications
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import outages
from mailcrm.services.mail.outbox import attempts, finish, lease, outgoing, rows, smtp

MAX_TRIES = 10
MAX_AGE = timedelta(hours=24)
REFUSALS = 6  # of the sign-in to send, in a row: by then the sync knows whether it is the mailbox's (outages.py)
FIRST_BACKOFF_S = 60.0  # doubles each time: ten tries take 17 hours
SEARCH_EVERY = timedelta(seconds=20)
SEARCH_FOR = timedelta(minutes=5)


def taken(
    outbox_id: int,
    owner: str,
    made: outgoing.Outgoing,
    part: outgoing.Part,
    result: smtp.Delivery,
    progress: smtp.Progress,
    *,
    last: bool,
) -> None:
    """Write who took a part; those deferred with 4xx wait for another attempt."""
    prepared = finish.load(made.kept_sha)
    with transaction(durable=True) as session:
        row = held(session, outbox_id, owner)
        if row is None:
            raise lease.LeaseLost
        attempts.end(session, outbox_id, progress, "sent")
        have_it = _together_before(session, row)
        for each in _waiting(session, row, part.rcpt_to):
            each.handed_over_at = None
            if each.address in result.accepted:
                each.state = "accepted"
            elif each.address in result.refused:
                _answered(each, result.refused[each.address])
            session.add(each)
        finish.sent(session, row, prepared)
        tracked = session.get(TrackedMessage, part.tracked_id) if part.tracked_id else None
        if tracked is not None:  # its own hour: a copy may leave long after the others
            tracked.message_id = row.message_id
            if tracked.recipient or not have_it:  # what the first of several did since then was after it was sent
                tracked.sent_at = utcnow()
            session.add(tracked)
        _go_on(session, row, last=last)


def _together_before(session: Session, row: Outbox) -> bool:
    """Whether others have the one copy that is for several already."""
    people = rows.recipients(session, row.id or 0)
    return any(each.tracking == "together" and each.state in ("accepted", "bounced") for each in people)


def turned_down(
    outbox_id: int, owner: str, part: outgoing.Part, error: MailcrmError, progress: smtp.Progress, *, last: bool
) -> None:
    """Write that the server took a part for nobody; the other parts are tried all the same."""
    outcome = "later" if isinstance(error, TransientError) else "failed"
    with transaction(durable=True) as session:
        row = held(session, outbox_id, owner)
        if row is None:
            raise lease.LeaseLost
        attempts.end(session, outbox_id, progress, outcome, error.code)
        for each in _waiting(session, row, part.rcpt_to):
            each.handed_over_at = None
            _answered(each, progress.refused.get(each.address, (progress.code or 0, progress.text)))
            session.add(each)
        row.error_code, row.error_params = error.code, _params(error)
        _go_on(session, row, last=last)


def nobody_waits(outbox_id: int, owner: str, progress: smtp.Progress) -> None:
    """End an attempt that found nobody to send to: they bounced, or were settled, since it was queued."""
    with transaction() as session:
        row = held(session, outbox_id, owner)
        if row is not None:
            attempts.end(session, outbox_id, progress, "sent")
            _go_on(session, row, last=True)


def unknown(outbox_id: int, owner: str, progress: smtp.Progress) -> None:
    """Write that nobody knows whether it was delivered to those marked."""
    with transaction() as session:
        row = held(session, outbox_id, owner)
        if row is not None:
            attempts.end(session, outbox_id, progress, "unknown", "smtp.unknown")
            row.state, row.next_try_at = "unknown", utcnow()
            row.handed_over_at = row.handed_over_at or utcnow()
            row.error_code, row.error_params = "smtp.unknown", {}
            release(session, row)


def later(outbox_id: int, owner: str, error: TransientError, progress: smtp.Progress) -> None:
    """Write that an attempt ended before a dot, and when the next one is."""
    with transaction() as session:
        row = held(session, outbox_id, owner)
        if row is None:
            return
        now = utcnow()
        attempts.end(session, outbox_id, progress, "later", error.code)
        _not_delivered(session, row, progress)  # a reply or a break before the dot: certainly not delivered
        row.error_code, row.error_params = error.code, dict(error.params)
        if _may_wait(row, now):
            wait = max(_backoff(row.tries), timedelta(seconds=error.retry_after or 0))
            row.state, row.next_try_at = "queued", now + wait
        else:
            _give_up(session, row)
            if row.state == "sent":
                row.error_code, row.error_params = "outbox.some_refused", {"host": finish.smtp_host(session, row)}
            tell(session, row)
        release(session, row)


def refused(outbox_id: int, owner: str, error: NeedsReconnect, progress: smtp.Progress) -> None:
    """Write that the server did not let the mailbox in: another try soon; later, when it is connected again (M10).

    Whether the mailbox is out is the sync's to find, which is asked for. Where it gets in all the same, only sending is
    refused, and the message fails with the server's reason.
    """
    with transaction() as session:
        row = held(session, outbox_id, owner)
        if row is None:
            return
        attempts.end(session, outbox_id, progress, "later", error.code)
        _not_delivered(session, row, progress)
        strikes = int(row.error_params.get("strikes", 0)) + 1
        row.error_code, row.error_params = error.code, _shown(error.params) | {"strikes": strikes}
        mailbox = session.get_one(Mailbox, row.mailbox_id)
        now = utcnow()
        if mailbox.status == "needs_reconnect":
            row.state, row.next_try_at, row.tries = "queued", None, 0
        elif strikes < REFUSALS:
            row.state, row.next_try_at = "queued", now + timedelta(seconds=outages.STRIKE_S)
            if mailbox.status == "active" and mailbox.next_try_at is None:
                mailbox.sync_requested_at = now
                session.add(mailbox)
        else:
            _give_up(session, row)
            tell(session, row)
        release(session, row)


def failed(outbox_id: int, owner: str, code: str, params: dict[str, object], progress: smtp.Progress) -> None:
    """Write that it can't be sent as it is."""
    with transaction() as session:
        row = held(session, outbox_id, owner)
        if row is None:
            return
        attempts.end(session, outbox_id, progress, "failed", code)
        _not_delivered(session, row, progress)
        row.error_code, row.error_params = code, _shown(params)
        _give_up(session, row)
        tell(session, row)
        release(session, row)


def broke(outbox_id: int, owner: str, progress: smtp.Progress, *, no_room: bool = False) -> None:
    """Write that a defect of ours ended an attempt, or a full disk, which is waited for.

    Never sent twice for it, never lost for it.
    """
    with reading() as session:
        row = session.get(Outbox, outbox_id)
        handed_over = row is not None and row.handed_over_at is not None
    if handed_over:
        unknown(outbox_id, owner, progress)
    elif no_room:
        later(outbox_id, owner, TransientError("outbox.disk_full"), progress)
    else:
        failed(outbox_id, owner, "internal", {}, progress)


def settled(outbox_id: int, owner: str, prepared: finish.Kept | None, *, searchable: bool) -> bool:
    """Write what a search for an unknown message came to: found (`prepared`), look again later, or ask the user."""
    with transaction() as session:
        row = held(session, outbox_id, owner)
        if row is None or row.state != "unknown":
            return False
        if row.sent_at is not None:  # the user told some apart meanwhile: the copy says nothing of the others
            prepared, searchable = None, False
        recent = row.handed_over_at is not None and utcnow() - row.handed_over_at < SEARCH_FOR
        if prepared is not None:
            finish.arrived(session, row, prepared)
        elif searchable and recent:
            row.next_try_at = utcnow() + SEARCH_EVERY
        elif rows.unsent(row, rows.recipients(session, outbox_id)):
            # The others need not wait for the user's word. The marks stay, so it comes back to `unknown`.
            row.state, row.next_try_at, row.handed_over_at = "queued", utcnow(), None
        else:
            row.next_try_at = None
            tell(session, row)
        release(session, row)
    return True


def held(session: Session, outbox_id: int, owner: str) -> Outbox | None:
    """Load the row for writing while the lease is ours; None when another process has it."""
    return session.exec(select(Outbox).where(Outbox.id == outbox_id, lease.held(owner)).with_for_update()).first()


def release(session: Session, row: Outbox) -> None:
    """Let go of the lease."""
    row.lease_owner, row.lease_until = "", None
    row.updated_at = utcnow()
    session.add(row)
    live.hint(session, row.user_id, "outbox", row.id)


def tell(session: Session, row: Outbox) -> None:
    """Tell the user of what failed, or of what they have to decide."""
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


def _go_on(session: Session, row: Outbox, *, last: bool) -> None:
    """After a part: on to the next one under the same lease, or the end of the attempt."""
    row.handed_over_at = None
    if not last:
        row.state = "sending"
        session.add(row)
        attempts.begin(session, row.id or 0)
        return
    _conclude(session, row)
    release(session, row)


def _conclude(session: Session, row: Outbox) -> None:
    now = utcnow()
    people = rows.recipients(session, row.id or 0)
    code, params = row.error_code, dict(row.error_params)
    if rows.unsent(row, people) and _may_wait(row, now):
        row.state, row.next_try_at = "queued", now + _backoff(row.tries)
        return
    _give_up(session, row)
    if row.state == "sent":
        refused = any(each.state == "refused" for each in people)
        row.error_code = "outbox.some_refused" if refused else ""
        row.error_params = {"host": finish.smtp_host(session, row)} if refused else {}
    elif row.state == "failed":
        row.error_code, row.error_params = code, params
    if row.error_code:
        tell(session, row)


def _give_up(session: Session, row: Outbox) -> None:
    """No attempt follows by itself: `unknown` where somebody may have it, `sent` where somebody has, else `failed`."""
    people = rows.recipients(session, row.id or 0)
    doubtful = [each for each in people if each.state == "waiting" and each.handed_over_at is not None]
    row.handed_over_at, row.next_try_at = None, None
    if row.sent_at is not None or doubtful:
        finish.refuse_unsent(session, row)
        row.state = "sent"
    else:
        row.state = "failed"
        for each in people:  # nobody has it: sent again, or put right in the composer, it is for all of them
            each.state = "waiting" if each.state == "refused" else each.state
            session.add(each)
    if doubtful:
        row.state, row.error_code, row.error_params = "unknown", "smtp.unknown", {}
        row.handed_over_at = max(each.handed_over_at or utcnow() for each in doubtful)
    session.add(row)


def _not_delivered(session: Session, row: Outbox, progress: smtp.Progress) -> None:
    """Take the marks of the transaction that just failed off; those of doubtful ones before it stay."""
    if row.handed_over_at is None:
        return
    row.handed_over_at = None
    for each in _waiting(session, row, progress.accepted):
        each.handed_over_at = None
        session.add(each)


def _waiting(session: Session, row: Outbox, addresses: Sequence[str]) -> list[OutboxRecipient]:
    people = rows.recipients(session, row.id or 0)
    return [each for each in people if each.state == "waiting" and each.address in addresses]


def _answered(each: OutboxRecipient, reply: tuple[int, str]) -> None:
    """Keep a refusal; one with 4xx waits on."""
    each.reply_code, each.reply_text = reply
    each.state = "waiting" if 400 <= reply[0] < 500 else "refused"


def _may_wait(row: Outbox, now: datetime) -> bool:
    return row.tries < MAX_TRIES and now - (row.send_at or row.created_at) <= MAX_AGE


def _backoff(tries: int) -> timedelta:
    return timedelta(seconds=FIRST_BACKOFF_S * 2 ** max(tries - 1, 0))


def _params(error: MailcrmError) -> dict[str, object]:
    return _shown(dict(error.params))


def _shown(params: dict[str, object]) -> dict[str, object]:
    return {name: value if isinstance(value, int) else str(value) for name, value in params.items()}
