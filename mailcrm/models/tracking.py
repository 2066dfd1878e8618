"""Tracked messages, their links, and the events that were recorded: claims, not facts.

Tracked rows outlive the message and the events (T10): a link works for ever.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field

from mailcrm.models.base import Table, json_column, key, moment, one_of

CLASSES = ("person", "proxy", "scanner", "own", "unknown")


class TrackedMessage(Table, table=True):
    """What a sent message tracks, with counts of the events that may be a person's (class person or unknown)."""

    __tablename__ = "tracked_messages"
    __table_args__ = (
        Index("ix_tracked_messages_sent", "sent_at"),  # the report's period
        Index(
            "ix_tracked_messages_opened",
            "last_opened_at",
            sqlite_where=text("last_opened_at IS NOT NULL"),
            postgresql_where=text("last_opened_at IS NOT NULL"),
        ),
        Index(
            "ix_tracked_messages_clicked",
            "last_clicked_at",
            sqlite_where=text("last_clicked_at IS NOT NULL"),
            postgresql_where=text("last_clicked_at IS NOT NULL"),
        ),
        # What lists of what was opened or clicked begin with (services/mail/thread_pick.py).
        *(
            Index(
                f"ix_tracked_messages_{what}",
                "user_id",
                "message_id",
                sqlite_where=text(f"{what} > 0"),
                postgresql_where=text(f"{what} > 0"),
            )
            for what in ("opens", "clicks")
        ),
    )

    id: int | None = key()
    #: Who sent it; None once that user is gone, because the links live on (T10).
    user_id: int | None = key(foreign="users.id", nullable=True, ondelete="SET NULL")
    message_id: int | None = key(foreign="messages.id", nullable=True, ondelete="SET NULL")
    outbox_id: int | None = key(foreign="outbox.id", nullable=True, ondelete="SET NULL")
    #: Random part of the tokens (services/tracking/tokens.py); never shown.
    nonce: str = Field(unique=True)
    opens_on: bool
    clicks_on: bool
    notify: bool = False
    recipients: int = 1
    #: Whose copy it is, in lower case (B04); "" when one copy went to everyone it names.
    recipient: str = ""
    opens: int = 0
    clicks: int = 0
    #: How many of these are of events that were purged since (Workspace.tracking_days).
    purged_opens: int = 0
    purged_clicks: int = 0
    first_opened_at: datetime | None = moment(nullable=True)
    last_opened_at: datetime | None = moment(nullable=True)
    last_clicked_at: datetime | None = moment(nullable=True)
    #: When the first answer came: it implies an open (B05).
    replied_at: datetime | None = moment(nullable=True)
    sent_at: datetime | None = moment(nullable=True)
    created_at: datetime = moment(now=True)


class TrackedLink(Table, table=True):
    """A link's real destination. The redirect looks it up here, never in the token."""

    __tablename__ = "tracked_links"
    __table_args__ = (UniqueConstraint("tracked_id", "position"),)

    id: int | None = key()
    tracked_id: int = key(foreign="tracked_messages.id", index=False)
    position: int
    url: str
    text: str = ""


class TrackingEvent(Table, table=True):
    """One fetch of a pixel or a link. Append-only; `kind`, `reasons` and `rules_version` explain it (B03)."""

    __tablename__ = "tracking_events"
    __table_args__ = (
        one_of("action", "open", "click"),
        one_of("kind", *CLASSES),
        Index("ix_tracking_events_tracked_at", "tracked_id", "at"),
        Index("ix_tracking_events_at", "at"),
        Index(
            "ix_tracking_events_network",
            "at",
            sqlite_where=text("network <> ''"),
            postgresql_where=text("network <> ''"),
        ),
    )

    id: int | None = key()
    tracked_id: int = key(foreign="tracked_messages.id", index=False)
    link_id: int | None = key(foreign="tracked_links.id", nullable=True, index=False)
    action: str
    at: datetime = moment(now=True)
    kind: str = "unknown"
    reasons: dict[str, Any] = json_column()
    rules_version: int = 1
    user_agent: str = ""
    #: What else the rules look at, where it is not the usual: {"method": "HEAD", "prefetch": true, "opted_out": true,
    #: "own": true}. With it they can be run again over what is stored (B03).
    facts: dict[str, Any] = json_column()
    #: Salted hash of the network, blank after Workspace.network_days (B15).
    network: str = ""


class AddressConsent(Table, table=True):
    """What somebody chose on the opt-out page for an address (T09); it holds also when no person has that address.

    The address itself is not kept: a keyed hash finds it again (services/mail/outbox/consent.py).
    """

    __tablename__ = "address_consents"
    __table_args__ = (one_of("consent", "granted", "refused"),)

    id: int | None = key()
    address_hash: str = Field(unique=True)
    consent: str
    at: datetime = moment(now=True)
    #: The email whose opt-out page was used: the proof.
    message_id: int | None = key(foreign="messages.id", nullable=True, ondelete="SET NULL")
