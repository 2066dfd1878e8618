"""Texts and addresses a user keeps, notifications, live events and the audit trail."""

from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field

from mailcrm.models.base import BigId, Table, json_column, key, moment, one_of


class Template(Table, table=True):
    """A message to start from (M07); `shared` ones are seen by all colleagues. Folders are names, ordered by hand."""

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
    updated_at: datetime = moment(now=True)
    deleted_at: datetime | None = moment(nullable=True)


class Signature(Table, table=True):
    """A block below one's mail (M08)."""

    __tablename__ = "signatures"

    id: int | None = key()
    user_id: int = key(foreign="users.id")
    name: str
    html: str = ""
    position: int = 0
    created_at: datetime = moment(now=True)
    deleted_at: datetime | None = moment(nullable=True)


class SignatureDefault(Table, table=True):
    """The signature that a mailbox's new mail, or its replies, begin with."""

    __tablename__ = "signature_defaults"
    __table_args__ = (one_of("use", "new", "reply"),)

    mailbox_id: int = Field(
        foreign_key="mailboxes.id",
        primary_key=True,
        ondelete="CASCADE",
        sa_type=BigId,  # pyright: ignore[reportArgumentType]
    )
    use: str = Field(primary_key=True)
    signature_id: int = key(foreign="signatures.id")


class KeptFile(Table, table=True):
    """A file or an inline image of a template or a signature."""

    __tablename__ = "kept_files"
    __table_args__ = (
        CheckConstraint("(template_id IS NULL) <> (signature_id IS NULL)", name="one_owner"),
        UniqueConstraint("template_id", "n"),
        UniqueConstraint("signature_id", "n"),
    )

    id: int | None = key()
    template_id: int | None = key(foreign="templates.id", nullable=True)
    signature_id: int | None = key(foreign="signatures.id", nullable=True)
    n: int
    filename: str
    content_type: str
    size: int = Field(sa_type=BigId)
    blob_sha: str = Field(foreign_key="blobs.sha256")
    inline: bool = False
    content_id: str = ""


class Reminder(Table, table=True):
    """A conversation that comes back to its user (B13): snoozed until `due_at`, or unless somebody answers before."""

    __tablename__ = "reminders"
    __table_args__ = (
        one_of("kind", "snooze", "no_reply"),
        UniqueConstraint("user_id", "thread_id", "kind"),
        Index(
            "ix_reminders_due",
            "due_at",
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: int | None = key()
    user_id: int = key(foreign="users.id", index=False)
    thread_id: int = key(foreign="threads.id")
    kind: str
    #: The message whose answer is awaited; None for a snooze.
    message_id: int | None = key(foreign="messages.id", nullable=True, index=False)
    due_at: datetime = moment()
    created_at: datetime = moment(now=True)
    #: When it was due and shown, answered, or taken back.
    ended_at: datetime | None = moment(nullable=True)


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
    #: An address, or a domain without its "@"; lower case, the domain as A-labels ("xn--…").
    pattern: str
    #: The same as mail programs write it that know Unicode; often equal to `pattern`.
    spelling: str
    created_at: datetime = moment(now=True)


class RemoteImageChoice(Table, table=True):
    """Whose remote images a user sees without being asked: a sender's, a domain's, everybody's (pattern "")."""

    __tablename__ = "remote_image_choices"
    __table_args__ = (
        UniqueConstraint("user_id", "pattern", "scope"),
        one_of("scope", "sender", "domain", "always"),
    )

    id: int | None = key()
    user_id: int = key(foreign="users.id")
    scope: str
    #: An address, or a domain without its "@"; lower case.
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


#: What a line of the bell may tell of.
NotificationKind = Literal[
    "open", "click", "replied", "digest", "send_failed", "bounced", "reminder", "sync_failed", "reconnect", "bcc", "info",
]  # fmt: skip
NOTIFICATION_KINDS: tuple[str, ...] = get_args(NotificationKind)


class Notification(Table, table=True):
    """What the bell shows. `group_key` joins repeats ("5 opens") while unread."""

    __tablename__ = "notifications"
    __table_args__ = (
        one_of("kind", *NOTIFICATION_KINDS),
        Index("ix_notifications_user_at", "user_id", "at"),
        Index(  # what quiet hours hold back: the sweep asks every two seconds
            "ix_notifications_held",
            "held_until",
            sqlite_where=text("held_until IS NOT NULL"),
            postgresql_where=text("held_until IS NOT NULL"),
        ),
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
    #: Quiet hours or a digest hold it back until then.
    held_until: datetime | None = moment(nullable=True)
    read_at: datetime | None = moment(nullable=True)


class SavedView(Table, table=True):
    """A list of conversations with a name: a folder, filters as the address spells them, and words to look for.

    `shared` ones are everybody's to open, each in their own mail. In which order a user has them: User.view_order.
    """

    __tablename__ = "saved_views"

    id: int | None = key()
    user_id: int = key(foreign="users.id")
    name: str
    shared: bool = False
    folder: str = "inbox"
    filters: str = ""
    query: str = ""
    created_at: datetime = moment(now=True)
    deleted_at: datetime | None = moment(nullable=True)


class LiveEvent(Table, table=True):
    """A hint for open browser tabs that something changed; carries ids only and is swept after minutes."""

    __tablename__ = "live_events"

    id: int | None = key()
    user_id: int | None = key(foreign="users.id", nullable=True)  # None: every user
    topic: str  # "mail", "sync", "outbox", "tracking", "notifications", "crm", "writing"
    ref: int | None = None
    at: datetime = moment(now=True, index=True)


class AuditEntry(Table, table=True):
    """Who did what to which row. Never holds message text or secrets."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_object", "object_kind", "object_id"),
        Index("ix_audit_actor", "actor_id", "id"),
    )

    id: int | None = key()
    at: datetime = moment(now=True)
    actor_id: int | None = key(foreign="users.id", nullable=True, ondelete="SET NULL", index=False)
    verb: str
    object_kind: str
    object_id: int | None = None
    detail: dict[str, Any] = json_column()
