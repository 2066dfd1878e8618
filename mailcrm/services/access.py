"""Who sees what: the one place that knows (rule 1, settled questions 1 and 2).

A message is visible to its mailbox's user; and to a colleague only when it is shared *and* linked to a person, deal
or lead that they may see (M24). There is no administrator bypass (M25). What the mailbox's user blocked (M20), hid or
deleted is absent for everybody.
CRM rows (persons, organizations, deals, leads) are visible as `RoleAccess` says for the actor's role: one's own, one's
team's or everyone's; rows without an owner are everyone's.
Every predicate is SQL, so counts, pages and searches can't differ from what is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, and_, exists, or_, true
from sqlalchemy.orm import aliased
from sqlmodel import Session, SQLModel, col, select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import (
    Deal,
    Import,
    Lead,
    Link,
    Mailbox,
    Message,
    Notification,
    Organization,
    Outbox,
    Participant,
    Person,
    RoleAccess,
    SavedView,
    Signature,
    TeamMember,
    Template,
    Thread,
    User,
)

Row = TypeVar("Row", bound=SQLModel)
CrmModel = type[Person] | type[Organization] | type[Deal] | type[Lead]


@dataclass(frozen=True)
class Actor:
    """The user on whose behalf code runs, for one request or event.

    `scopes`: what RoleAccess holds for the role, by kind; `mates`: who shares a team with the actor. `actor_for` reads
    both; an actor made by hand has none and sees its own rows of the CRM only.
    """

    user_id: int
    admin: bool = False
    language: str = "en"
    time_zone: str = "UTC"
    scopes: Mapping[str, str] | None = field(default=None, compare=False, repr=False)
    mates: frozenset[int] = field(default=frozenset(), compare=False, repr=False)


def actor_for(session: Session, user_id: int) -> Actor:
    """Return the actor of an enabled user; NotFound otherwise."""
    user = session.get(User, user_id)
    if user is None or user.id is None or user.disabled_at:
        raise NotFound
    scopes = dict(session.exec(select(RoleAccess.kind, RoleAccess.scope).where(RoleAccess.role == user.role)).all())
    mates: frozenset[int] = frozenset()
    if "team" in scopes.values():
        teams = select(TeamMember.team_id).where(TeamMember.user_id == user_id)
        mates = frozenset(session.exec(select(TeamMember.user_id).where(col(TeamMember.team_id).in_(teams))))
    return Actor(user.id, user.role == "admin", user.language, user.time_zone, scopes, mates)


def require_admin(actor: Actor) -> None:
    """Raise UserError("auth.admin_only") for a member."""
    if not actor.admin:
        raise UserError("auth.admin_only")


def own_mailbox(actor: Actor) -> ColumnElement[bool]:
    """Mailboxes of the actor; nobody else's, for anybody. Not the hidden one that holds their Smart Bcc mail."""
    return and_(col(Mailbox.user_id) == actor.user_id, col(Mailbox.kind) != "bcc")


def own_thread(actor: Actor) -> ColumnElement[bool]:
    """Threads of the actor's own mail."""
    return col(Thread.user_id) == actor.user_id


def standing() -> ColumnElement[bool]:
    """Messages that are shown at all.

    Not in the trash, not only in folders that are not synced any more (M14), and
    not with blocked people only (M20).
    """
    return and_(col(Message.deleted_at).is_(None), col(Message.hidden).is_(False), col(Message.blocked).is_(False))


def own_message(actor: Actor) -> ColumnElement[bool]:
    """Messages of the actor's own mailboxes that stand."""
    return and_(col(Message.user_id) == actor.user_id, standing())


def visible_message(actor: Actor) -> ColumnElement[bool]:
    """Messages the actor may read: own ones, and shared ones with a standing link (M24, M25)."""
    shared = and_(col(Message.visibility) == "shared", standing(), has_standing_link(actor))
    return or_(own_message(actor), shared)


def has_standing_link(actor: Actor) -> ColumnElement[bool]:
    """The message, or its thread, is linked to a person, deal or lead that the actor may see (M24)."""
    target_stands = or_(
        exists().where(col(Person.id) == col(Link.person_id), visible_crm(actor, Person)),
        exists().where(col(Deal.id) == col(Link.deal_id), visible_crm(actor, Deal)),
        exists().where(col(Lead.id) == col(Link.lead_id), visible_crm(actor, Lead)),
    )
    stands = (col(Link.unlinked_at).is_(None), target_stands)
    of_thread = exists().where(col(Link.thread_id) == col(Message.thread_id), *stands)
    # One of each: with both in one OR, SQLite's statistics (hardly any link has a message) led it to read all links.
    of_message = exists().where(col(Link.message_id) == col(Message.id), *stands)
    return or_(of_thread.correlate(Message), of_message.correlate(Message))


def told_link(actor: Actor, owner_id: Any) -> ColumnElement[bool]:
    """Links that tell no colleague who was written to in secret; `owner_id` is the column of the mail's user (M25).

    A rule's link by an address that stands in Bcc alone, in all of the conversation, is its owner's secret: wherever
    shared email is listed by its links, a colleague would read the blind recipient from it.
    """
    return or_(owner_id == actor.user_id, col(Link.origin) != "rule", _NOT_BLIND, _ALSO_OPEN)


def _among(role: ColumnElement[bool]) -> ColumnElement[bool]:
    """The address of a rule's link stands in such a role of a message of the conversation, or of the message itself."""
    one = aliased(Message)
    of_link = or_(col(one.thread_id) == col(Link.thread_id), col(one.id) == col(Link.message_id))
    by = col(Link.reason)["address"].as_string()
    found = exists().where(col(Participant.message_id) == one.id, of_link, col(Participant.address) == by, role)
    return found.correlate(Link)


#: Made once: an alias of messages takes a millisecond to make, and a page asks for these a dozen times.
_NOT_BLIND = ~_among(col(Participant.role) == "bcc")
_ALSO_OPEN = _among(col(Participant.role) != "bcc")


def own_notification(actor: Actor) -> ColumnElement[bool]:
    """Notifications of the actor, but none about a message that the actor may not see, or not any more (M19, M25)."""
    seen = exists().where(col(Message.id) == col(Notification.message_id), visible_message(actor))
    about_none = col(Notification.message_id).is_(None)
    return and_(col(Notification.user_id) == actor.user_id, or_(about_none, seen.correlate(Notification)))


def own_import(actor: Actor) -> ColumnElement[bool]:
    """Imports that the actor began; nobody else's files, for anybody."""
    return col(Import.user_id) == actor.user_id


def own_outbox(actor: Actor) -> ColumnElement[bool]:
    """Drafts and outgoing mail of the actor."""
    return col(Outbox.user_id) == actor.user_id


def own_signature(actor: Actor) -> ColumnElement[bool]:
    """Signatures of the actor; nobody else's, for anybody."""
    return and_(col(Signature.user_id) == actor.user_id, col(Signature.deleted_at).is_(None))


def visible_template(actor: Actor) -> ColumnElement[bool]:
    """Templates that the actor may read and use: own ones and shared ones (M07)."""
    mine = or_(col(Template.user_id) == actor.user_id, col(Template.shared).is_(True))
    return and_(mine, col(Template.deleted_at).is_(None))


def changeable_template(actor: Actor) -> ColumnElement[bool]:
    """Templates that the actor may change, in the trash or not: own ones; an administrator's the shared ones too."""
    own = col(Template.user_id) == actor.user_id
    return or_(own, col(Template.shared).is_(True)) if actor.admin else own


def visible_view(actor: Actor) -> ColumnElement[bool]:
    """Saved views that the actor may open: own ones and shared ones; what they find is the actor's own mail."""
    mine = or_(col(SavedView.user_id) == actor.user_id, col(SavedView.shared).is_(True))
    return and_(mine, col(SavedView.deleted_at).is_(None))


def changeable_view(actor: Actor) -> ColumnElement[bool]:
    """Saved views that the actor may rename, share or delete, in the trash or not: own ones only."""
    return col(SavedView.user_id) == actor.user_id


def visible_crm(actor: Actor, model: CrmModel) -> ColumnElement[bool]:
    """CRM rows that the actor may see."""
    return and_(col(model.deleted_at).is_(None), within_reach(actor, model))


def trashed_crm(actor: Actor, model: CrmModel) -> ColumnElement[bool]:
    """CRM rows in the trash that the actor may bring back."""
    return and_(col(model.deleted_at).is_not(None), within_reach(actor, model))


def within_reach(actor: Actor, model: CrmModel) -> ColumnElement[bool]:
    """CRM rows whose owner the actor's role reaches, in the trash or not; rows without an owner are everyone's.

    Plain comparisons without subqueries: where everyone's are reached nothing is asked, so plans stay as they are
    without roles, and callers may use it in the ON of a join.
    """
    scope = actor.scopes.get(model.__name__.lower(), "everyone") if actor.scopes is not None else "own"
    if scope == "everyone":
        return true()
    owners = {actor.user_id, *(actor.mates if scope == "team" else ())}
    return or_(col(model.owner_id).is_(None), col(model.owner_id).in_(sorted(owners)))


def view_of(actor: Actor) -> tuple[object, ...]:
    """What the predicates of an actor depend on: who asks, and how far the role reaches. For statements that are kept."""
    scopes = None if actor.scopes is None else tuple(sorted(actor.scopes.items()))
    return actor.user_id, scopes, actor.mates


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
