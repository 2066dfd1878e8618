"""Messages, where they sit on servers, who took part, their threads and attachments.

A message is one mailbox's copy of an RFC 5322 message: its content is shared (blob), its visibility is its own
(decision 11). It outlives its UIDs (rule 6).
"""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlmodel import Field

from mailcrm.models.base import BigId, Table, key, moment, one_of


class Thread(Table, table=True):
    """A conversation of one user. The summary columns are rewritten from its messages, never the truth."""

    __tablename__ = "threads"
    __table_args__ = (
        UniqueConstraint("id", "user_id"),
        Index("ix_threads_user_last", "user_id", "last_at", "id"),
        Index(
            "ix_threads_unread",
            "user_id",
            "last_at",
            "id",
            sqlite_where=text("unread_count > 0"),
            postgresql_where=text("unread_count > 0"),
        ),
    )

    id: int | None = key()
    user_id: int = key(foreign="users.id", index=False)
    subject: str = ""
    last_at: datetime = moment()
    message_count: int = 0
    unread_count: int = 0


class ThreadReference(Table, table=True):
    """A Message-ID that belongs to a thread: of a stored message, or named by one (late arrivals join by it)."""

    __tablename__ = "thread_references"
    __table_args__ = (
        ForeignKeyConstraint(["thread_id", "user_id"], ["threads.id", "threads.user_id"], ondelete="CASCADE"),
        Index("ix_thread_references_thread", "thread_id"),
    )

    user_id: int = Field(primary_key=True, sa_type=BigId)
    rfc_message_id: str = Field(primary_key=True)
    thread_id: int = Field(sa_type=BigId)
    #: A person split or merged here: automation never joins two such threads.
    pinned: bool = False


class Message(Table, table=True):
    """One copy of a message in one mailbox. `sort_at` is the moment lists are ordered by (sync.md A5)."""

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("mailbox_id", "blob_sha"),
        ForeignKeyConstraint(["mailbox_id", "user_id"], ["mailboxes.id", "mailboxes.user_id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["thread_id", "user_id"], ["threads.id", "threads.user_id"]),
        one_of("direction", "in", "out"),
        one_of("visibility", "private", "shared"),
        Index("ix_messages_user_sort", "user_id", "sort_at", "id"),
        Index("ix_messages_thread_sort", "thread_id", "sort_at", "id"),
        Index("ix_messages_mailbox_rfc", "mailbox_id", "rfc_message_id"),
        Index("ix_messages_rfc", "rfc_message_id"),
        Index(
            "ix_messages_link_pending",
            "id",
            sqlite_where=text("link_pending IS 1"),
            postgresql_where=text("link_pending IS TRUE"),
        ),
        Index("ix_messages_mailbox_remote", "mailbox_id", "remote_id"),
        Index("ix_messages_mailbox_received", "mailbox_id", "received_at"),
        Index(
            "ix_messages_lost",
            "mailbox_id",
            "size",
            sqlite_where=text("lost_at IS NOT NULL"),
            postgresql_where=text("lost_at IS NOT NULL"),
        ),
        Index("ix_messages_blob", "blob_sha"),
        Index(
            "ix_messages_blocked",
            "user_id",
            sqlite_where=text("blocked IS 1"),
            postgresql_where=text("blocked IS TRUE"),
        ),
        # What lists of rare things begin with (services/mail/thread_pick.py).
        Index(
            "ix_messages_out",
            "user_id",
            "thread_id",
            sqlite_where=text("direction = 'out'"),
            postgresql_where=text("direction = 'out'"),
        ),
        Index(
            "ix_messages_archived",
            "user_id",
            "thread_id",
            sqlite_where=text("archived IS 1"),
            postgresql_where=text("archived IS TRUE"),
        ),
        Index(
            "ix_messages_shared",
            "user_id",
            "thread_id",
            sqlite_where=text("visibility = 'shared'"),
            postgresql_where=text("visibility = 'shared'"),
        ),
    )

    id: int | None = key()
    mailbox_id: int = Field(sa_type=BigId)
    user_id: int = Field(sa_type=BigId)
    thread_id: int = Field(sa_type=BigId)
    blob_sha: str = Field(foreign_key="blobs.sha256", max_length=64)
    size: int = Field(sa_type=BigId)
    rfc_message_id: str | None = None
    #: The server's own name for the message: "emailid:…" (RFC 8474) or "gm:…" (X-GM-MSGID).
    remote_id: str | None = None
    in_reply_to: str | None = None
    direction: str
    subject: str = ""
    snippet: str = ""
    from_name: str = ""
    from_address: str = ""
    sent_at: datetime | None = moment(nullable=True)
    received_at: datetime | None = moment(nullable=True)
    sort_at: datetime = moment()
    read: bool = False
    archived: bool = False
    has_attachments: bool = False
    auto_submitted: bool = False
    #: The raw message lacks the content of large attachments; each is fetched when it is opened.
    partial: bool = False
    #: It sits only in folders that are not synced any more (M14): kept, and not shown.
    hidden: bool = False
    #: Every counterparty is blocked by the mailbox's user (M20): kept, and not shown, to anybody.
    blocked: bool = False
    #: It stands in a Junk folder, and in no other that counts: timelines leave it out.
    junk: bool = False
    visibility: str
    #: When its last location vanished; `gone_at` follows when the pass ends without finding it in another folder.
    lost_at: datetime | None = moment(nullable=True)
    #: Set when the last location vanished from the server; the message stays (settled question 6).
    gone_at: datetime | None = moment(nullable=True)
    deleted_at: datetime | None = moment(nullable=True)
    #: To-do column: linking rules have not looked at this message yet.
    link_pending: bool = True
    created_at: datetime = moment(now=True)


class ThreadLabel(Table, table=True):
    """A label on a conversation: the words are the workspace's (work.Label of kind "thread"), what wears them is not."""

    __tablename__ = "thread_labels"
    __table_args__ = (
        UniqueConstraint("label_id", "user_id", "thread_id"),
        ForeignKeyConstraint(["thread_id", "user_id"], ["threads.id", "threads.user_id"], ondelete="CASCADE"),
        Index("ix_thread_labels_thread", "thread_id"),
    )

    id: int | None = key()
    label_id: int = key(foreign="labels.id", index=False)
    user_id: int = Field(sa_type=BigId)
    thread_id: int = Field(sa_type=BigId)


class SearchPending(Table, table=True):
    """A to-do: a message whose words are not in the search index (stored before there was one)."""

    __tablename__ = "search_pending"

    message_id: int = Field(primary_key=True, foreign_key="messages.id", ondelete="CASCADE", sa_type=BigId)


class MessageLocation(Table, table=True):
    """Where a message sits on a server: disposable, re-made after a UIDVALIDITY change."""

    __tablename__ = "message_locations"
    __table_args__ = (UniqueConstraint("folder_id", "uid"),)

    id: int | None = key()
    folder_id: int = key(foreign="folders.id", index=False)
    uid: int = Field(sa_type=BigId)
    message_id: int = key(foreign="messages.id")
    seen: bool = False
    flags: str = ""  # space-separated, as the server spells them
    labels: str = ""  # Gmail's X-GM-LABELS, decoded, one a line


class Participant(Table, table=True):
    """An address in a role on a message. `address` is in lower case."""

    __tablename__ = "participants"
    __table_args__ = (
        one_of("role", "from", "sender", "reply_to", "to", "cc", "bcc"),
        CheckConstraint("address = lower(address)", name="address_lower"),
        Index("ix_participants_address_message", "address", "message_id"),
    )

    id: int | None = key()
    message_id: int = key(foreign="messages.id")
    role: str
    position: int
    name: str = ""
    address: str


class Attachment(Table, table=True):
    """A file of a message; its bytes are read from the raw message by `n`."""

    __tablename__ = "attachments"
    __table_args__ = (
        UniqueConstraint("message_id", "n"),
        Index(
            "ix_attachments_blob",
            "blob_sha",
            sqlite_where=text("blob_sha IS NOT NULL"),
            postgresql_where=text("blob_sha IS NOT NULL"),
        ),
    )

    id: int | None = key()
    message_id: int = key(foreign="messages.id", index=False)
    n: int
    filename: str = ""
    content_type: str = "application/octet-stream"
    size: int = Field(default=0, sa_type=BigId)
    inline: bool = False
    content_id: str = ""
    #: Of a partial message: the IMAP section of this part ("2.1"), and its bytes once they were fetched.
    section: str = ""
    blob_sha: str | None = Field(default=None, foreign_key="blobs.sha256", max_length=64)
