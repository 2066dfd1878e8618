"""Who sees what: the one place that knows (rule 1, settled questions 1 and 2).

A message is visible to its mailbox's user; and to a colleague only when it is shared *and* linked to a person, deal
or lead (M24). There is no administrator bypass (M25).
CRM rows (persons, organizations, deals, leads) are visible to every user of the workspace unless in the trash.
Every predicate is SQL, so counts, pages and searches can't differ from what is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, and_, exists, or_
from sqlmodel import Session, SQLModel, col, select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Deal, Lead, Link, Mailbox, Message, Notification, Organization, Outbox, Person, Thread, User

Row = TypeVar("Row", bound=SQLModel)


@dataclass(frozen=True)
class Actor:
    """The user on whose behalf code runs."""

    user_id: int
    admin: bool = False
    language: str = "en"
    time_zone: str = "UTC"


def actor_for(session: Session, user_id: int) -> Actor:
    """Return the actor of an enabled user; NotFound otherwise."""
    user = session.get(User, user_id)
    if user is None or user.id is None or user.disabled_at:
        raise NotFound
    return Actor(user.id, user.role == "admin", user.language, user.time_zone)


def require_admin(actor: Actor) -> None:
    """Raise UserError("auth.admin_only") for a member."""
    if not actor.admin:
        raise UserError("auth.admin_only")


def own_mailbox(actor: Actor) -> ColumnElement[bool]:
    """Mailboxes of the actor; nobody else's, for anybody."""
    return col(Mailbox.user_id) == actor.user_id


def own_thread(actor: Actor) -> ColumnElement[bool]:
    """Threads of the actor's own mail."""
    return col(Thread.user_id) == actor.user_id


def standing() -> ColumnElement[bool]:
    """Messages that are shown at all: not in the trash, and not only in folders that are not synced any more (M14)."""
    return and_(col(Message.deleted_at).is_(None), col(Message.hidden).is_(False))


def own_message(actor: Actor) -> ColumnElement[bool]:
    """Messages of the actor's own mailboxes that stand."""
    return and_(col(Message.user_id) == actor.user_id, standing())


def visible_message(actor: Actor) -> ColumnElement[bool]:
    """Messages the actor may read: own ones, and shared ones with a standing link (M24, M25)."""
    shared = and_(col(Message.visibility) == "shared", standing(), has_standing_link())
    return or_(own_message(actor), shared)


def has_standing_link() -> ColumnElement[bool]:
    """The message, or its thread, is linked to a row of the CRM that is not in the trash."""
    of_message = or_(
        col(Link.message_id) == col(Message.id),
        col(Link.thread_id) == col(Message.thread_id),
    )
    target_stands = or_(
        exists().where(col(Person.id) == col(Link.person_id), col(Person.deleted_at).is_(None)),
        exists().where(col(Deal.id) == col(Link.deal_id), col(Deal.deleted_at).is_(None)),
        exists().where(col(Lead.id) == col(Link.lead_id), col(Lead.deleted_at).is_(None)),
    )
    return exists().where(of_message, col(Link.unlinked_at).is_(None), target_stands).correlate(Message)


def own_notification(actor: Actor) -> ColumnElement[bool]:
    """Notifications of the actor, but none about a message that is hidden (M14)."""
    hidden = exists().where(col(Message.id) == col(Notification.message_id), col(Message.hidden).is_(True))
    return and_(col(Notification.user_id) == actor.user_id, ~hidden.correlate(Notification))


def own_outbox(actor: Actor) -> ColumnElement[bool]:
    """Drafts and outgoing mail of the actor."""
    return col(Outbox.user_id) == actor.user_id


def visible_crm(actor: Actor, model: type[Person | Organization | Deal | Lead]) -> ColumnElement[bool]:
    """CRM rows that the actor may see."""
    del actor  # every user sees every row; kept so that roles can narrow it here alone
    return col(model.deleted_at).is_(None)


def load(session: Session, model: type[Row], row_id: Any, allowed: ColumnElement[bool]) -> Row:
    """Load one row by id when `allowed` holds, else raise NotFound.

    `row_id` may come straight from a browser: anything but a positive integer of 63 bits is NotFound.
    """
    if not isinstance(row_id, int) or isinstance(row_id, bool) or not 0 < row_id < 2**63:
        raise NotFound
    row = session.exec(select(model).where(model.id == row_id, allowed)).first()  # type: ignore[attr-defined]
    if row is None:
        raise NotFound
    return row
