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
        # A draft's number is never given to another: text that is still under way, in a browser or on its way from
        # one, would end up in the next email that somebody writes.
        {"sqlite_autoincrement": True},
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
    lead_id: int | None = key(foreign="leads.id", nullable=True, ondelete="SET NULL")
    #: The alias it goes out from; "" is the mailbox's own address.
    from_address: str = ""
    signature_id: int | None = key(foreign="signatures.id", nullable=True, ondelete="SET NULL", index=False)
    template_id: int | None = key(foreign="templates.id", nullable=True, ondelete="SET NULL")
    #: Subject and text as they were written, kept while merge fields are filled in (M06); None without any.
    written_subject: str | None = None
    written_html: str | None = None
    #: Written in plain text mode: goes out without an HTML part.
    plain: bool = False
    #: Raised with every save; a tab that saves over a newer one is told.
    revision: int = 0
    visibility: str = "private"
    track_opens: bool = False
    track_clicks: bool = False
    track_copies: bool = False
    send_at: datetime | None = moment(nullable=True)
    #: Send later as the user said it, "2026-11-30T09:00" in an IANA zone; "" is at once. `send_at` follows from it.
    send_local: str = ""
    send_zone: str = ""
    #: Remind the user when nobody answered for so many days (B13).
    remind_days: int | None = None
    idempotency_key: str | None = None
    #: SHA-256 of the request that came with the key: the same key with another request is refused.
    idempotency_digest: str = ""

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
        one_of("state", "waiting", "accepted", "refused", "bounced"),
        one_of("tracking", "", "together", "copy", "refused", "not_granted"),
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
    #: How this address is tracked, decided once when it is sent (T09, B04): with the others, by a copy of its own, or
    #: not at all, because the person refused or the policy wants a consent that is not there; "" without tracking.
    tracking: str = ""
    #: As the message's `handed_over_at`, for the transaction in which this address stands.
    handed_over_at: datetime | None = moment(nullable=True)
    #: When a notice came back that it was not delivered (B10); its reason is in `reply_text`.
    bounced_at: datetime | None = moment(nullable=True)
    bounce_message_id: int | None = key(foreign="messages.id", nullable=True, ondelete="SET NULL", index=False)


class DraftCopy(Table, table=True):
    """A draft's copy in the server's Drafts folder. Without its draft it is still to be removed there."""

    __tablename__ = "draft_copies"
    __table_args__ = (UniqueConstraint("outbox_id", "mailbox_id"),)

    id: int | None = key()
    outbox_id: int | None = key(foreign="outbox.id", nullable=True, ondelete="SET NULL", index=False)
    mailbox_id: int = key(foreign="mailboxes.id")
    #: Its Message-ID, also in a header of ours: nothing else in the folder is ever removed.
    rfc_message_id: str
    #: Where it was put; "" before the first time.
    folder: str = ""
    #: The draft's `updated_at` when this text was put there.
    copied_at: datetime | None = moment(nullable=True)
    lease_until: datetime | None = moment(nullable=True)
    tries: int = 0
    next_try_at: datetime | None = moment(nullable=True)
    error_code: str = ""


class OutboxAttempt(Table, table=True):
    """One try to hand a message over, and how far it came."""

    __tablename__ = "outbox_attempts"
    __table_args__ = (
        one_of("step", "connect", "sign_in", "mail", "rcpt", "data", "dot", "done"),
        one_of("outcome", "running", "sent", "later", "failed", "unknown"),
        UniqueConstraint("outbox_id", "n"),
    )

    id: int | None = key()
    outbox_id: int = key(foreign="outbox.id")
    n: int
    step: str = "connect"
    outcome: str = "running"
    reply_code: int | None = None
    reply_text: str = ""
    error_code: str = ""
    started_at: datetime = moment(now=True)
    ended_at: datetime | None = moment(nullable=True)


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
