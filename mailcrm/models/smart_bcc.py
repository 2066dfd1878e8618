"""Smart Bcc: the addresses that take mail into the CRM, what came to them, and the mailbox it may be fetched from."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field

from mailcrm.models.base import BigId, Table, json_column, key, moment, one_of


class BccAddress(Table, table=True):
    """An unguessable local part: the workspace's, a deal's or a lead's. A new one takes an old one's place."""

    __tablename__ = "bcc_addresses"
    __table_args__ = (
        CheckConstraint("deal_id IS NULL OR lead_id IS NULL", name="one_object"),
        Index(
            "ix_bcc_addresses_deal",
            "deal_id",
            unique=True,
            sqlite_where=text("revoked_at IS NULL"),
            postgresql_where=text("revoked_at IS NULL"),
        ),
        Index(
            "ix_bcc_addresses_lead",
            "lead_id",
            unique=True,
            sqlite_where=text("revoked_at IS NULL"),
            postgresql_where=text("revoked_at IS NULL"),
        ),
    )

    id: int | None = key()
    local_part: str = Field(unique=True)
    #: Both NULL: the workspace's own.
    deal_id: int | None = key(foreign="deals.id", nullable=True, index=False)
    lead_id: int | None = key(foreign="leads.id", nullable=True, index=False)
    created_at: datetime = moment(now=True)
    revoked_at: datetime | None = moment(nullable=True)


class BccArrival(Table, table=True):
    """A message that came to a Smart Bcc address, with its bytes and what became of it. Nothing is lost silently."""

    __tablename__ = "bcc_arrivals"
    __table_args__ = (
        one_of("way", "smtp", "lmtp", "imap"),
        one_of("state", "waiting", "stored", "duplicate", "quarantined", "ignored", "refused", "failed"),
        Index("ix_bcc_arrivals_state", "state", "next_try_at"),
        Index("ix_bcc_arrivals_at", "received_at", "id"),
        Index("ix_bcc_arrivals_blob", "blob_sha"),
    )

    id: int | None = key()
    received_at: datetime = moment(now=True)
    way: str
    envelope_from: str = ""
    envelope_to: str = ""
    #: The host that handed it over, for SPF, and the name it gave.
    client_address: str = ""
    client_name: str = ""
    header_from: str = ""
    subject: str = ""
    size: int = Field(default=0, sa_type=BigId)
    blob_sha: str | None = Field(default=None, foreign_key="blobs.sha256", max_length=64)
    address_id: int | None = key(foreign="bcc_addresses.id", nullable=True, ondelete="SET NULL")
    #: Whose it is, once the sender is known.
    user_id: int | None = key(foreign="users.id", nullable=True, ondelete="SET NULL")
    state: str = "waiting"
    #: A code of `sentences.SENTENCES` with its parameters.
    reason: str = ""
    reason_params: dict[str, Any] = json_column()
    #: What SPF, DKIM and ARC said: {"spf": "pass", "dkim": [...], "arc": "none"}.
    checks: dict[str, Any] = json_column()
    message_id: int | None = key(foreign="messages.id", nullable=True, ondelete="SET NULL")
    #: What the user wrote above a message they forwarded; shown with that message.
    words: str = ""
    tries: int = 0
    next_try_at: datetime | None = moment(nullable=True)


class DropMailbox(Table, table=True):
    """The one mailbox that Smart Bcc mail may be fetched from over IMAP, with its cursor."""

    __tablename__ = "drop_mailbox"
    __table_args__ = (
        CheckConstraint("id = 1", name="single"),
        one_of("security", "ssl", "starttls", "none"),
    )

    id: int = Field(default=1, primary_key=True)
    #: The address whose plus-addresses or domain lead here.
    address: str
    catch_all: bool = False
    host: str
    port: int
    security: str
    username: str
    secret: bytes
    folder: str = "INBOX"
    uidvalidity: int | None = Field(default=None, sa_type=BigId)
    uidnext: int = Field(default=1, sa_type=BigId)
    lease_owner: str = ""
    lease_until: datetime | None = moment(nullable=True)
    next_try_at: datetime | None = moment(nullable=True)
    last_success_at: datetime | None = moment(nullable=True)
    error_code: str = ""
    error_params: dict[str, Any] = json_column()
