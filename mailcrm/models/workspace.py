"""Texts and addresses a user keeps, notifications, live events and the audit trail."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from mailcrm.models.base import Table, json_column, key, moment, one_of


class Template(Table, table=True):
    """A message to start from (M07); `shared` ones are seen by all colleagues."""

    __tablename__ = "templates"

    id: int | None = key()
    user_id: int = key(foreign="users.id")
    shared: bool = False
    folder: str = ""
    position: int = 0
    name: str
    subject: str = ""
    html: str = ""
    created_at: datetime = moment(now=True)
    deleted_at: datetime | None = moment(nullable=True)


class Signature(Table, table=True):
    """A block below one's mail (M08); `mailbox_id` makes it that mailbox's default."""

    __tablename__ = "signatures"

    id: int | None = key()
    user_id: int = key(foreign="users.id")
    mailbox_id: int | None = key(foreign="mailboxes.id", nullable=True, ondelete="SET NULL")
    name: str
    html: str = ""
    created_at: datetime = moment(now=True)


class BlockedAddress(Table, table=True):
    """An address or a domain whose mail the user does not want to see (M19, M20)."""

    __tablename__ = "blocked_addresses"
    __table_args__ = (
        UniqueConstraint("user_id", "pattern", "scope"),
        one_of("scope", "address", "domain", "subdomains"),
    )

    id: int | None = key()
    user_id: int = key(foreign="users.id")
    scope: str
    pattern: str
    created_at: datetime = moment(now=True)


class AlternativeAddress(Table, table=True):
    """Another address of a user, usable once its confirmation link was followed (M22)."""

    __tablename__ = "alternative_addresses"
    __table_args__ = (UniqueConstraint("user_id", "address"),)

    id: int | None = key()
    user_id: int = key(foreign="users.id")
    address: str = Field(index=True)
    token_hash: str = ""
    sent_at: datetime | None = moment(nullable=True)
    confirmed_at: datetime | None = moment(nullable=True)


class Notification(Table, table=True):
    """What the bell shows. `group_key` joins repeats ("5 opens") while unread."""

    __tablename__ = "notifications"
    __table_args__ = (
        one_of("kind", "open", "click", "send_failed", "sync_failed", "reconnect", "info"),
        Index("ix_notifications_user_at", "user_id", "at"),
        UniqueConstraint("user_id", "group_key"),
    )

    id: int | None = key()
    user_id: int = key(foreign="users.id", index=False)
    kind: str
    #: NULL once it was read: the next event starts a new line.
    group_key: str | None = None
    count: int = 1
    message_id: int | None = key(foreign="messages.id", nullable=True, index=False)
    thread_id: int | None = key(foreign="threads.id", nullable=True, index=False)
    mailbox_id: int | None = key(foreign="mailboxes.id", nullable=True, index=False)
    deal_id: int | None = key(foreign="deals.id", nullable=True, index=False)
    params: dict[str, Any] = json_column()
    at: datetime = moment(now=True)
    read_at: datetime | None = moment(nullable=True)


class LiveEvent(Table, table=True):
    """A hint for open browser tabs that something changed; carries ids only and is swept after minutes."""

    __tablename__ = "live_events"

    id: int | None = key()
    user_id: int | None = key(foreign="users.id", nullable=True)  # None: every user
    topic: str  # "mail", "sync", "outbox", "tracking", "notifications", "crm"
    ref: int | None = None
    at: datetime = moment(now=True, index=True)


class AuditEntry(Table, table=True):
    """Who did what to which row. Never holds message text or secrets."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_object", "object_kind", "object_id"),)

    id: int | None = key()
    at: datetime = moment(now=True)
    actor_id: int | None = key(foreign="users.id", nullable=True, ondelete="SET NULL", index=False)
    verb: str
    object_kind: str
    object_id: int | None = None
    detail: dict[str, Any] = json_column()
