"""A mailbox that the server lets in no longer: when that is believed, what stops, and how it goes on (M10).

    active ──a refusal──▶ active, strike 1 ──▶ strike 2 ──▶ needs_reconnect ──the user signs in again──▶ active
       ▲                     │ twenty seconds apart           ▲
       └──── a pass goes well ┘            a refusal that is sure (refusals.py), or a grant that was taken back

sync.md A4: servers that lost their directory refuse everybody, so a plain "wrong password" counts only three times in a
row; any other outcome in between begins the count anew. What waits (mail to send, copies, acts) stays in its rows: who
looks for due rows leaves out mailboxes that need their user (`is_out`), and `restored` wakes everything.
Helpers take a session and never commit. Letters are in outage_letters.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, event, update
from sqlmodel import Session, col, select

from mailcrm.errors import GrantLost, MailcrmError, NeedsReconnect
from mailcrm.models import Mailbox, Notification, Outbox, utcnow
from mailcrm.services import live
from mailcrm.services.jobs import queue
from mailcrm.services.mail.providers import refusals
from mailcrm.services.notifications import notify
from mailcrm.services.rows import run

STRIKES = 3  # plain refusals in a row before the user is asked
STRIKE_S = 20.0  # between two of them: the user is to know within a minute
#: Codes of a sign-in that was refused; one of another kind in between begins the count anew.
_REFUSED = refusals.REFUSED | {"oauth.token_refused"}


def is_out(mailbox_id: Any) -> ColumnElement[bool]:
    """The mailbox in this column waits for its user."""
    return mailbox_id.in_(select(Mailbox.id).where(Mailbox.status == "needs_reconnect"))


def is_sure(error: MailcrmError) -> bool:
    """Whether one answer is enough: no outage of a server explains it."""
    return isinstance(error, GrantLost) or error.code in refusals.SURE_CODES


def refused(session: Session, mailbox: Mailbox, error: NeedsReconnect, now: datetime) -> None:
    """Note a refusal in a mailbox's row: another try soon, or the end until its user signs in again."""
    mailbox.failures = mailbox.failures + 1 if mailbox.error_code in _REFUSED else 1
    mailbox.error_code, mailbox.error_params = error.code, _plain(error.params)
    mailbox.next_try_at = now + timedelta(seconds=STRIKE_S)
    session.add(mailbox)
    if is_sure(error) or mailbox.failures >= STRIKES:
        lost(session, mailbox, error)


def lost(session: Session, mailbox: Mailbox, error: MailcrmError) -> None:
    """Stop a mailbox until its user signs in again, and tell them: at once in the app, by letter within seconds."""
    mailbox.error_code, mailbox.error_params = error.code, _plain(error.params)
    mailbox.next_try_at = None
    if mailbox.status != "paused":
        mailbox.status = "needs_reconnect"
        notify(session, mailbox.user_id, "reconnect", group_key=_key(mailbox), mailbox_id=mailbox.id)
        event.listen(session, "after_commit", _tell, once=True)
    session.add(mailbox)
    live.hint(session, mailbox.user_id, "sync", mailbox.id)


def restored(session: Session, mailbox: Mailbox) -> None:
    """Let a mailbox go on where it was: it signs in again. What waited in the outbox is due now."""
    mailbox.status, mailbox.failures, mailbox.error_code, mailbox.error_params = "active", 0, "", {}
    mailbox.next_try_at, mailbox.sync_requested_at, mailbox.reconnect_told_at = None, utcnow(), None
    session.add(mailbox)
    waiting = col(Outbox.mailbox_id) == mailbox.id
    run(session, update(Outbox).where(waiting, col(Outbox.state) == "queued").values(tries=0, next_try_at=None))
    copies = update(Outbox).where(waiting, col(Outbox.sent_copy) == "pending", col(Outbox.state) == "sent")
    run(session, copies.values(next_try_at=None))
    told = update(Notification).where(
        col(Notification.user_id) == mailbox.user_id, col(Notification.group_key) == _key(mailbox)
    )
    run(session, told.values(read_at=utcnow(), group_key=None))
    live.hint(session, mailbox.user_id, "sync", mailbox.id)
    live.hint(session, mailbox.user_id, "notifications")
    event.listen(session, "after_commit", _deliver, once=True)


def _key(mailbox: Mailbox) -> str:
    return f"reconnect:{mailbox.id}"


def _plain(params: Mapping[str, object]) -> dict[str, Any]:
    return {name: str(value) for name, value in params.items()}


def _tell(_session: Any) -> None:
    queue.enqueue("tell_outage")


def _deliver(_session: Any) -> None:
    queue.enqueue("deliver")
    queue.enqueue("sent_copy")
