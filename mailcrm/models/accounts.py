"""Who may use mailcrm: the workspace, its users, their sessions, invitations and API tokens.

Secrets are stored as hashes (sessions, invitations, tokens: SHA-256 of random values; passwords: argon2id).
"""

from datetime import datetime

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import Field

from mailcrm.models.base import Table, key, moment, one_of


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
    demo: bool = False
    created_at: datetime = moment(now=True)


class User(Table, table=True):
    """A person who signs in. The address is kept in lower case."""

    __tablename__ = "users"
    __table_args__ = (one_of("role", "admin", "member"), CheckConstraint("email = lower(email)", name="email_lower"))

    id: int | None = key()
    email: str = Field(unique=True)
    name: str
    password_hash: str
    role: str = "member"
    language: str = "en"
    time_zone: str = "UTC"
    theme: str = "system"
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
