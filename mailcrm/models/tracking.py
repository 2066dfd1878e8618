"""Tracked messages, their links, and the events that were recorded: claims, not facts.

Tracked rows outlive the message and the events (T10): a link works for ever.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from mailcrm.models.base import Table, json_column, key, moment, one_of

CLASSES = ("person", "proxy", "scanner", "own", "unknown")


class TrackedMessage(Table, table=True):
    """What a sent message tracks, with counts of the events that may be a person's (class person or unknown)."""

    __tablename__ = "tracked_messages"

    id: int | None = key()
    user_id: int = key(foreign="users.id")
    message_id: int | None = key(foreign="messages.id", nullable=True, ondelete="SET NULL")
    outbox_id: int | None = key(foreign="outbox.id", nullable=True, ondelete="SET NULL")
    #: Random part of the tokens (services/tracking/tokens.py); never shown.
    nonce: str = Field(unique=True)
    opens_on: bool
    clicks_on: bool
    notify: bool = False
    recipients: int = 1
    opens: int = 0
    clicks: int = 0
    first_opened_at: datetime | None = moment(nullable=True)
    last_opened_at: datetime | None = moment(nullable=True)
    last_clicked_at: datetime | None = moment(nullable=True)
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
    #: Salted hash of the network, dropped after a day (B15).
    network: str = ""
