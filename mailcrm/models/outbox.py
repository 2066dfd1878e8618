"""Drafts and mail on its way out. An outbox row is the only truth about a send (B10, sync.md A8).

States: draft -> queued -> sending -> sent | failed | unknown; failed and unknown -> queued by the user.
`unknown` is a connection lost after the final dot: it may have been delivered.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint
from sqlmodel import Field

from mailcrm.models.base import BigId, Table, json_column, key, moment, one_of

STATES = ("draft", "queued", "sending", "sent", "failed", "unknown", "cancelled")


class Outbox(Table, table=True):
    """One message being written or sent. Message-ID and Date are fixed when it is queued and never made again."""

    __tablename__ = "outbox"
    __table_args__ = (
        ForeignKeyConstraint(["mailbox_id", "user_id"], ["mailboxes.id", "mailboxes.user_id"], ondelete="CASCADE"),
        one_of("state", *STATES),
        one_of("visibility", "private", "shared"),
        one_of("sent_copy", "none", "pending", "stored", "failed"),
        CheckConstraint("state IN ('draft', 'cancelled') OR rfc_message_id IS NOT NULL", name="queued_has_id"),
        UniqueConstraint("user_id", "idempotency_key"),
        Index("ix_outbox_state_send_at", "state", "send_at"),
    )

    id: int | None = key()
    user_id: int = key(foreign="users.id")
    mailbox_id: int = Field(sa_type=BigId)
    state: str = "draft"
    rfc_message_id: str | None = Field(default=None, unique=True)
    dated_at: datetime | None = moment(nullable=True)
    subject: str = ""
    html: str = ""
    text: str = ""
    reply_to_message_id: int | None = key(foreign="messages.id", nullable=True, ondelete="SET NULL")
    forward_of_message_id: int | None = key(foreign="messages.id", nullable=True, ondelete="SET NULL")
    deal_id: int | None = key(foreign="deals.id", nullable=True, ondelete="SET NULL")
    visibility: str = "private"
    track_opens: bool = False
    track_clicks: bool = False
    send_at: datetime | None = moment(nullable=True)
    idempotency_key: str | None = None

    lease_owner: str = ""
    lease_until: datetime | None = moment(nullable=True)
    #: Written just before the final dot of DATA: from here on it may be delivered, and is never blindly sent again.
    handed_over_at: datetime | None = moment(nullable=True)
    tries: int = 0
    next_try_at: datetime | None = moment(nullable=True)
    error_code: str = ""
    error_params: dict[str, Any] = json_column()
    #: The copy without tracking, for the server's Sent folder and for us (own views never count).
    sent_blob_sha: str | None = Field(default=None, foreign_key="blobs.sha256")
    sent_copy: str = "none"
    sent_at: datetime | None = moment(nullable=True)
    message_id: int | None = key(foreign="messages.id", nullable=True, ondelete="SET NULL")
    created_at: datetime = moment(now=True)
    updated_at: datetime = moment(now=True)


class OutboxRecipient(Table, table=True):
    """An address the message goes to, and what the server said of it."""

    __tablename__ = "outbox_recipients"
    __table_args__ = (
        one_of("role", "to", "cc", "bcc"),
        one_of("state", "waiting", "accepted", "refused"),
        UniqueConstraint("outbox_id", "role", "position"),
    )

    id: int | None = key()
    outbox_id: int = key(foreign="outbox.id")
    role: str
    position: int
    name: str = ""
    address: str
    state: str = "waiting"
    reply_code: int | None = None
    reply_text: str = ""


class OutboxAttachment(Table, table=True):
    """A file that goes along; `content_id` is set for inline images."""

    __tablename__ = "outbox_attachments"
    __table_args__ = (UniqueConstraint("outbox_id", "n"),)

    id: int | None = key()
    outbox_id: int = key(foreign="outbox.id")
    n: int
    filename: str
    content_type: str
    size: int = Field(sa_type=BigId)
    blob_sha: str = Field(foreign_key="blobs.sha256")
    inline: bool = False
    content_id: str = ""
