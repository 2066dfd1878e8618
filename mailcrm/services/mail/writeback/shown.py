"""What waits to be done in a mailbox, and what could not be: for its user to see, try again or let go.

Does not do it (apply.py). Another user's mailbox or action is NotFound.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col

from mailcrm.errors import NotFound
from mailcrm.models import Mailbox, Message, ServerAction
from mailcrm.models.base import utcnow
from mailcrm.services import access, audit, i18n, live
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs import queue as jobs
from mailcrm.services.rows import pick, rows


@dataclass(frozen=True, slots=True)
class ActionView:
    """One thing to do in the mailbox: `kind` "read", "unread", "archive", "unarchive", "delete" or "undelete".

    `state`: "queued" or "failed"; `sentence` says what went wrong the last time, "" when nothing did.
    """

    id: int
    mailbox_id: int
    message_id: int
    thread_id: int
    subject: str
    kind: str
    state: str
    sentence: str
    created_at: datetime
    next_try_at: datetime | None


def pending_actions(actor: Actor, mailbox_id: int, limit: int = 100) -> tuple[ActionView, ...]:
    """Return what waits to be done in one of the actor's mailboxes, oldest first."""
    return _list(actor, mailbox_id, "queued", limit)


def failed(actor: Actor, mailbox_id: int, limit: int = 100) -> tuple[ActionView, ...]:
    """Return what could not be done in one of the actor's mailboxes, oldest first."""
    return _list(actor, mailbox_id, "failed", limit)


def mailbox_of(actor: Actor, action_id: int) -> int:
    """Return which of the actor's mailboxes an action is for; NotFound for anybody else's."""
    with reading() as session:
        return _own(session, actor, action_id).mailbox_id


def retry(actor: Actor, action_id: int) -> None:
    """Try a failed action again now, or one that waits for its next try."""
    with transaction() as session:
        action = _own(session, actor, action_id)
        if action.state in ("failed", "queued"):
            action.state, action.next_try_at, action.not_before, action.done_at = "queued", None, utcnow(), None
            action.tries = min(action.tries, 1)  # whether it began is still to be known; refusals count anew
            session.add(action)
            live.hint(session, actor.user_id, "sync", action.mailbox_id)
        mailbox_id = action.mailbox_id
    jobs.enqueue("write_back", mailbox_id=mailbox_id)


def dismiss(actor: Actor, action_id: int) -> None:
    """Let a failed action go: nothing more is tried on the server, and nothing changes here."""
    with transaction() as session:
        action = _own(session, actor, action_id)
        if action.state == "failed":
            action.state, action.outcome, action.done_at = "obsolete", "dismissed", utcnow()
            session.add(action)
            audit.record(session, actor, "dismiss", "server_action", action_id, action=action.kind)
            live.hint(session, actor.user_id, "sync", action.mailbox_id)


def _own(session: Session, actor: Actor, action_id: int) -> ServerAction:
    of_mailbox = pick(Mailbox.id).where(access.own_mailbox(actor), col(Mailbox.id) == col(ServerAction.mailbox_id))
    action = access.load(session, ServerAction, action_id, of_mailbox.correlate(ServerAction).exists())
    if action.id is None:
        raise NotFound
    return action


def _list(actor: Actor, mailbox_id: int, state: str, limit: int) -> tuple[ActionView, ...]:
    with reading() as session:
        access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor))
        found = rows(
            session,
            pick(
                ServerAction.id,
                ServerAction.mailbox_id,
                ServerAction.message_id,
                Message.thread_id,
                Message.subject,
                ServerAction.kind,
                ServerAction.state,
                ServerAction.error_code,
                ServerAction.error_params,
                ServerAction.created_at,
                ServerAction.next_try_at,
            )
            .join(Message, col(Message.id) == col(ServerAction.message_id))
            .where(col(ServerAction.mailbox_id) == mailbox_id, col(ServerAction.state) == state)
            .order_by(col(ServerAction.id))
            .limit(min(max(limit, 1), 500)),
        )
        return tuple(
            ActionView(
                id=row.id,
                mailbox_id=row.mailbox_id,
                message_id=row.message_id,
                thread_id=row.thread_id,
                subject=row.subject,
                kind=row.kind,
                state=row.state,
                sentence=i18n.kept_sentence(row.error_code, row.error_params, actor.language),
                created_at=row.created_at,
                next_try_at=row.next_try_at,
            )
            for row in found
        )
