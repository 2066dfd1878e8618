"""What is told to other programs: where to, and each delivery with its tries."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field

from mailcrm.models.base import Table, json_column, key, moment, one_of


class Webhook(Table, table=True):
    """An address of a user's program that is told of events of mail this user may see."""

    __tablename__ = "webhooks"

    id: int | None = key()
    user_id: int = key(foreign="users.id")
    url: str
    #: {"kinds": ["message.opened", …]}
    events: dict[str, Any] = json_column()
    #: AES-GCM box of the secret that signs deliveries, bound to this row's id (services/crypto.py).
    secret: bytes
    active: bool = True
    #: Deliveries that failed one after the other; too many switch it off, and say so.
    failures: int = 0
    created_at: datetime = moment(now=True)


class WebhookDelivery(Table, table=True):
    """One event for one webhook: a to-do until it is delivered, then its log. Holds ids and times, no text of mail."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        one_of("state", "queued", "delivered", "failed"),
        Index("ix_webhook_deliveries_due", "state", "next_try_at"),
        Index("ix_webhook_deliveries_log", "webhook_id", "id"),
    )

    id: int | None = key()
    webhook_id: int = key(foreign="webhooks.id", index=False)
    #: The same for every try, so that receivers can tell repeats.
    event_id: str = Field(unique=True)
    kind: str
    payload: dict[str, Any] = json_column()
    state: str = "queued"
    tries: int = 0
    next_try_at: datetime | None = moment(nullable=True)
    status: int | None = None
    error_code: str = ""
    created_at: datetime = moment(now=True)
    delivered_at: datetime | None = moment(nullable=True)
