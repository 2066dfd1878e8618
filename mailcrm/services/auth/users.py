"""Users: the first administrator, colleagues by invitation, roles, disabling; and API tokens.

Creating the first administrator closes set-up for ever: the check and the insert are one transaction.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import available_timezones

from sqlmodel import Session, col, select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import ApiToken, Invite, User, Workspace, utcnow
from mailcrm.services import access, audit, crypto, telling
from mailcrm.services.access import Actor
from mailcrm.services.auth import passwords, sessions
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import own_changes

INVITE_LIFETIME = timedelta(days=7)
UNDO_CHOICES = (0, 5, 10, 20, 30)  # seconds (B10)
_EMAIL = re.compile(r"[^\s@<>\"',;:\\()\[\]\x00-\x1f\x7f]{1,64}@[^\s@<>\"',;:\\()\[\]\x00-\x1f\x7f]{1,253}")


@dataclass(frozen=True)
class UserView:
    """A user as colleagues see them."""

    id: int
    email: str
    name: str
    role: str
    disabled: bool
    language: str
    time_zone: str
    theme: str
    created_at: datetime
    undo_seconds: int = 10
    mail_links: str = "mailcrm"


@dataclass(frozen=True)
class WorkspaceView:
    """The workspace's name and defaults."""

    name: str
    language: str
    time_zone: str
    currency: str
    demo: bool


def is_set_up() -> bool:
    """True once a user exists; the set-up page is closed then."""
    with reading() as session:
        return session.exec(select(User.id).limit(1)).first() is not None


def workspace() -> WorkspaceView:
    """Return the workspace; neutral defaults before set-up."""
    with reading() as session:
        row = session.get(Workspace, 1) or Workspace(name="mailcrm")
        return WorkspaceView(row.name, row.language, row.time_zone, row.currency, row.demo)


def set_up(
    *,
    name: str,
    email: str,
    password: str,
    workspace_name: str = "",
    language: str = "en",
    time_zone: str = "UTC",
    currency: str = "EUR",
    demo: bool = False,
) -> tuple[Actor, str]:
    """Make the workspace and its first administrator; return the actor and a session secret.

    Raises UserError("auth.setup_done") when a user exists already.
    """
    passwords.check_strength(password)
    hashed = passwords.hash_password(password)
    with transaction() as session:
        if session.exec(select(User.id).limit(1)).first() is not None:
            raise UserError("auth.setup_done")
        title = workspace_name.strip() or name.strip()
        session.add(Workspace(name=title, language=language, time_zone=time_zone, currency=currency, demo=demo))
        user = _add(session, name, email, hashed, "admin", language, time_zone)
        actor = access.actor_for(session, user.id or 0)
        audit.record(session, actor, "set_up", "workspace", 1)
        return actor, sessions.start(session, actor.user_id)


def create(*, name: str, email: str, password: str, admin: bool = False) -> UserView:
    """Make a user from the command line, and the workspace if this is the first one."""
    passwords.check_strength(password)
    hashed = passwords.hash_password(password)
    with transaction() as session:
        if session.get(Workspace, 1) is None:
            session.add(Workspace(name=name.strip() or "mailcrm"))
        user = _add(session, name, email, hashed, "admin" if admin else "member")
        audit.record(session, None, "create", "user", user.id)
        return _view(user)


def all_users(actor: Actor) -> Sequence[UserView]:
    """List the workspace's users by name."""
    del actor  # everybody may know their colleagues
    with reading() as session:
        return [_view(user) for user in session.exec(select(User).order_by(col(User.name), col(User.id)))]


def by_email(email: str) -> Actor:
    """Return the actor of an address (command line); NotFound when there is none."""
    with reading() as session:
        user = session.exec(select(User).where(User.email == email.strip().lower())).first()
        if user is None or user.id is None:
            raise NotFound
        return access.actor_for(session, user.id)


def me(actor: Actor) -> UserView:
    """Return the actor's own user."""
    with reading() as session:
        return _view(_own(session, actor))


def change_profile(actor: Actor, *, name: str, language: str, time_zone: str, theme: str) -> UserView:
    """Change one's own name and preferences."""
    if theme not in ("system", "light", "dark"):
        raise UserError("input.invalid", value=theme[:40], field="Theme")
    if not re.fullmatch(r"[a-z]{2,3}", language):
        raise UserError("input.invalid", value=language[:40], field="Language")
    with transaction() as session:
        user = _own(session, actor)
        user.name, user.language, user.theme = _name(name), language, theme
        zone = _zone(time_zone)
        if zone != user.time_zone:
            user.time_zone = zone
            telling.hold_again(session, user)
        session.add(user)
        return _view(user)


def change_writing(actor: Actor, *, undo_seconds: int | None = None, mail_links: str | None = None) -> UserView:
    """Choose how long a send can be taken back (0, 5, 10, 20 or 30 s), and what addresses open (M18); None leaves it."""
    if undo_seconds is not None and undo_seconds not in UNDO_CHOICES:
        raise UserError("input.invalid", value=str(undo_seconds)[:40], field="Undo")
    if mail_links is not None and mail_links not in ("mailcrm", "system"):
        raise UserError("input.invalid", value=mail_links[:40], field="Email links")
    with transaction() as session:
        user = _own(session, actor)
        user.undo_seconds = user.undo_seconds if undo_seconds is None else undo_seconds
        user.mail_links = user.mail_links if mail_links is None else mail_links
        session.add(user)
        return _view(user)


def disable(actor: Actor | None, user_id: int) -> None:
    """Switch an account off and end its sessions; `actor` None is the command line."""
    if actor is not None:
        access.require_admin(actor)
    with transaction() as session:
        # Locked, so that two of them can't switch each other off at once.
        able = select(User).where(User.role == "admin", col(User.disabled_at).is_(None)).order_by(col(User.id))
        admins = {admin.id for admin in session.exec(able.with_for_update())}
        user = session.get(User, user_id)
        if user is None:
            raise NotFound
        if user.role == "admin" and not admins - {user_id}:
            raise UserError("auth.last_admin")
        user.disabled_at = utcnow()
        sessions.end_all(session, user_id)
        audit.record(session, actor, "disable", "user", user_id)


def invite(actor: Actor, *, email: str = "", admin: bool = False) -> str:
    """Make an invitation and return its secret for the link; it works once, for a week."""
    access.require_admin(actor)
    secret = crypto.token()
    with transaction() as session:
        row = Invite(
            token_hash=crypto.digest(secret),
            email=checked_email(email) if email.strip() else "",
            role="admin" if admin else "member",
            created_by=actor.user_id,
            expires_at=utcnow() + INVITE_LIFETIME,
        )
        session.add(row)
        session.flush()
        audit.record(session, actor, "invite", "invite", row.id)
    return secret


def invited_email(secret: str) -> str:
    """Return the address an invitation was made for ("" for any); UserError when it no longer works."""
    with reading() as session:
        return _standing_invite(session, secret).email


def accept_invite(secret: str, *, name: str, email: str, password: str) -> tuple[Actor, str]:
    """Make the invited colleague's account; return the actor and a session secret."""
    passwords.check_strength(password)
    hashed = passwords.hash_password(password)
    with transaction() as session:
        row = _standing_invite(session, secret, alone=True)
        row.used_at = utcnow()
        session.add(row)
        space = session.get(Workspace, 1)
        language, zone = (space.language, space.time_zone) if space else ("en", "UTC")
        user = _add(session, name, row.email or email, hashed, row.role, language, zone)
        actor = access.actor_for(session, user.id or 0)
        audit.record(session, actor, "accept", "invite", row.id)
        return actor, sessions.start(session, actor.user_id)


def create_token(actor: Actor, name: str = "") -> str:
    """Make an API token; its secret is shown this once."""
    secret = f"mcrm_{crypto.token()}"
    with transaction() as session:
        row = ApiToken(user_id=actor.user_id, name=name[:80], token_hash=crypto.digest(secret))
        session.add(row)
        session.flush()
        audit.record(session, actor, "create", "api_token", row.id)
    return secret


def actor_of_token(secret: str) -> Actor | None:
    """Return whose bearer token this is; None when unknown or revoked."""
    with reading() as session:
        query = select(ApiToken).where(ApiToken.token_hash == crypto.digest(secret), col(ApiToken.revoked_at).is_(None))
        row = session.exec(query).first()
        if row is None:
            return None
        try:
            return access.actor_for(session, row.user_id)
        except NotFound:
            return None


def _add(
    session: Session, name: str, email: str, hashed: str, role: str, language: str = "en", time_zone: str = "UTC"
) -> User:
    address = checked_email(email)
    if session.exec(select(User.id).where(User.email == address)).first() is not None:
        raise UserError("auth.email_taken", email=address)
    user = User(
        name=_name(name),
        email=address,
        password_hash=hashed,
        role=role,
        language=language,
        time_zone=_zone(time_zone),
    )
    session.add(user)
    session.flush()
    own_changes.settle(session, gained=(address,))
    return user


def _standing_invite(session: Session, secret: str, *, alone: bool = False) -> Invite:
    query = select(Invite).where(Invite.token_hash == crypto.digest(secret))
    row = session.exec(query.with_for_update() if alone else query).first()
    if row is None or row.used_at is not None or row.expires_at <= utcnow():
        raise UserError("auth.invite_invalid")
    return row


def _own(session: Session, actor: Actor) -> User:
    user = session.get(User, actor.user_id)
    if user is None:
        raise NotFound
    return user


def checked_email(value: str) -> str:
    """Return an address as it is kept; UserError("auth.email_invalid") for what is none."""
    address = value.strip().lower()
    if not _EMAIL.fullmatch(address) or len(address) > 254:
        raise UserError("auth.email_invalid", email=value.strip()[:80])
    return address


def _name(value: str) -> str:
    name = " ".join(value.split())
    if not name:
        raise UserError("auth.name_missing")
    if len(name) > 120:
        raise UserError("input.too_long", field="Name", most=120)
    return name


def _zone(value: str) -> str:
    return value if value in available_timezones() else "UTC"


def _view(user: User) -> UserView:
    return UserView(
        id=user.id or 0,
        email=user.email,
        name=user.name,
        role=user.role,
        disabled=user.disabled_at is not None,
        language=user.language,
        time_zone=user.time_zone,
        theme=user.theme,
        created_at=user.created_at,
        undo_seconds=user.undo_seconds,
        mail_links=user.mail_links,
    )
