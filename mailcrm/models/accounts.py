"""Who may use mailcrm: the workspace, its users, their sessions, invitations and API tokens.

Secrets are stored as hashes (sessions, invitations, tokens: SHA-256 of random values; passwords: argon2id).
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, UniqueConstraint
from sqlmodel import Field

from mailcrm.models.base import BigId, Table, json_column, key, moment, one_of


class Workspace(Table, table=True):
    """The one workspace of this server; its row is made by the set-up page."""

    __tablename__ = "workspace"
    __table_args__ = (
        CheckConstraint("id = 1", name="single"),
        one_of("tracking_policy", "unless_refused", "only_granted"),
    )

    id: int = Field(default=1, primary_key=True)
    name: str
    language: str = "en"
    time_zone: str = "UTC"
    currency: str = Field(default="EUR", max_length=3)
    tracking_policy: str = "unless_refused"
    #: Whether tracked mail ends with a line that leads to the opt-out page (T09).
    tracking_footer: bool = False
    #: Events older than this are purged, their links live on (T10); None keeps them.
    tracking_days: int | None = None
    #: How long the salted hash of a fetch's network is kept (B15).
    network_days: int = 1
    #: Whether unknown counterparties of Smart Bcc mail become persons by themselves; else they are suggested (M21).
    bcc_makes_people: bool = False
    demo: bool = False
    created_at: datetime = moment(now=True)


class User(Table, table=True):
    """A person who signs in. The address is kept in lower case."""

    __tablename__ = "users"
    __table_args__ = (
        one_of("role", "admin", "member"),
        one_of("mail_links", "mailcrm", "system"),
        CheckConstraint("email = lower(email)", name="email_lower"),
    )

    id: int | None = key()
    email: str = Field(unique=True)
    name: str
    password_hash: str
    role: str = "member"
    language: str = "en"
    time_zone: str = "UTC"
    theme: str = "system"
    #: Seconds a sent email waits for Undo; 0 sends at once.
    undo_seconds: int = 10
    #: What addresses and mailto: links open: mailcrm's composer, or the system's mail program (M18).
    mail_links: str = "mailcrm"
    #: Which kinds of notification the user does not want, and what comes as a digest: {"open": "off" | "digest" | "bell"}.
    notify: dict[str, Any] = json_column()
    #: Quiet hours in the user's zone, "22:00"; both "" are none. What comes meanwhile is told when they end.
    quiet_from: str = ""
    quiet_until: str = ""
    #: Saved views in the order this user keeps them; those that are not named come behind.
    view_order: list[int] = Field(default_factory=list, sa_type=JSON, nullable=False)
    disabled_at: datetime | None = moment(nullable=True)
    created_at: datetime = moment(now=True)


class UserSession(Table, table=True):
    """A signed-in browser. The cookie holds the random id, this row only its SHA-256."""

    __tablename__ = "sessions"

    id_hash: str = Field(primary_key=True)
    user_id: int = key(foreign="users.id")
    created_at: datetime = moment(now=True)
    seen_at: datetime = moment(now=True)
    expires_at: datetime = moment(index=True)
    user_agent: str = ""
    #: Salted hash of the address it was last seen from, with the day's salt: own views never count (B03).
    address: str = ""
    #: The network it was last seen from, cut to 24 or 48 bits, "local" for this machine: shown to its user alone.
    network: str = ""


class AccountTicket(Table, table=True):
    """A secret that stands for an account for a while: a link to set a new password, or a password that was right."""

    __tablename__ = "account_tickets"
    __table_args__ = (one_of("kind", "reset", "code"),)

    id: int | None = key()
    kind: str
    user_id: int = key(foreign="users.id")
    token_hash: str = Field(unique=True)
    #: The administrator who made the link; None when its user asked for it by mail.
    created_at: datetime = moment(now=True)
    expires_at: datetime = moment(index=True)
    used_at: datetime | None = moment(nullable=True)


class AccountLetter(Table, table=True):
    """A letter about an account that is still to be sent; the row goes with the letter.

    "reset" is written for every address that somebody typed, with an account or without: the page does the same work
    and tells nobody which (services/auth/reset.py).
    """

    __tablename__ = "account_letters"
    __table_args__ = (one_of("kind", "reset", "password", "link", "second_on", "second_off", "second_reset"),)

    id: int | None = key()
    kind: str
    email: str
    created_at: datetime = moment(now=True)
    next_try_at: datetime | None = moment(nullable=True)


class SecondFactor(Table, table=True):
    """A user's authenticator app (RFC 6238). Counts only once `confirmed_at` is set."""

    __tablename__ = "second_factors"

    user_id: int = Field(primary_key=True, foreign_key="users.id", ondelete="CASCADE", sa_type=BigId)
    #: Sealed by services/crypto.py for this user.
    secret: bytes
    #: The time step of the last code that was taken: no code works twice.
    last_step: int = 0
    created_at: datetime = moment(now=True)
    confirmed_at: datetime | None = moment(nullable=True)


class RecoveryCode(Table, table=True):
    """A code that stands for the authenticator app once; only its SHA-256 is kept."""

    __tablename__ = "recovery_codes"

    id: int | None = key()
    user_id: int = key(foreign="users.id")
    code_hash: str = Field(unique=True)
    used_at: datetime | None = moment(nullable=True)


class LoginAttempt(Table, table=True):
    """A failed sign-in, for the rate limit; `subject` is an address or a network, hashed."""

    __tablename__ = "login_attempts"

    id: int | None = key()
    subject: str = Field(index=True)
    at: datetime = moment(now=True, index=True)


class Invite(Table, table=True):
    """A link that lets one colleague make an account."""

    __tablename__ = "invites"
    __table_args__ = (one_of("role", "admin", "member"),)

    id: int | None = key()
    token_hash: str = Field(unique=True)
    email: str = ""
    role: str = "member"
    created_by: int = key(foreign="users.id")
    created_at: datetime = moment(now=True)
    expires_at: datetime = moment()
    used_at: datetime | None = moment(nullable=True)


class ApiToken(Table, table=True):
    """A bearer token of the REST interface; sees exactly what its user sees."""

    __tablename__ = "api_tokens"
    __table_args__ = (UniqueConstraint("token_hash"),)

    id: int | None = key()
    user_id: int = key(foreign="users.id")
    name: str = ""
    token_hash: str
    created_at: datetime = moment(now=True)
    used_at: datetime | None = moment(nullable=True)
    revoked_at: datetime | None = moment(nullable=True)


class Team(Table, table=True):
    """Users who work together; "team" in `RoleAccess` means everyone who shares a team with the actor."""

    __tablename__ = "teams"

    id: int | None = key()
    name: str
    created_at: datetime = moment(now=True)


class TeamMember(Table, table=True):
    """A user in a team."""

    __tablename__ = "team_members"

    team_id: int = Field(primary_key=True, foreign_key="teams.id", ondelete="CASCADE", sa_type=BigId)
    user_id: int = Field(primary_key=True, foreign_key="users.id", ondelete="CASCADE", sa_type=BigId)


class RoleAccess(Table, table=True):
    """Whose rows of a kind a role may see: one's own, one's team's, everyone's. No row means everyone's.

    Rows without an owner are everyone's. It says nothing about mail (settled question 1).
    """

    __tablename__ = "role_access"
    __table_args__ = (
        one_of("role", "admin", "member"),
        one_of("kind", "person", "organization", "deal", "lead"),
        one_of("scope", "own", "team", "everyone"),
    )

    role: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    scope: str = "everyone"
