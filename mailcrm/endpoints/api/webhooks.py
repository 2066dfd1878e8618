"""`/webhooks`: programs that are told when a tracked email is opened, clicked or answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field

from mailcrm.endpoints.api.common import Answer, Cursor, Input, Limit, Page, RowId, Who, page, plain
from mailcrm.services.webhooks import webhooks

router = APIRouter(prefix="/webhooks", tags=["webhooks"])
Url = Annotated[str, Field(min_length=1, max_length=1000)]
Kind = Literal["message.opened", "message.clicked", "message.replied"]
Kinds = Annotated[list[Kind], Field(min_length=1, max_length=10)]


class WebhookNew(Input):
    """Where to, and which events; https and a public address, unless the server allows private ones."""

    url: Url
    events: Kinds


class WebhookChange(Input):
    """What is given is changed; `active: true` switches on what was switched off for its failures."""

    url: Url | None = None
    events: Kinds | None = None
    active: bool | None = None


class Webhook(Answer):
    """`failures`: deliveries given up one after the other; ten switch it off."""

    id: int
    url: str
    events: list[str]
    active: bool
    failures: int
    created_at: datetime
    last_delivery_at: datetime | None


class WebhookMade(Webhook):
    """`secret` is shown this once. Each delivery is signed with it.

    Headers `webhook-id`, `webhook-timestamp` and `webhook-signature: v1,<base64>`: HMAC-SHA256 over
    `{id}.{timestamp}.{body}` with the base64-decoded part after `whsec_` (standardwebhooks.com).
    """

    secret: str


class Delivery(Answer):
    """One event; tried again after 1 min, 5 min, 30 min, 2 h, 8 h and a day, then failed."""

    id: int
    event_id: str
    kind: str
    message_id: int | None
    state: Literal["queued", "delivered", "failed"]
    tries: int
    status: int | None
    error_code: str
    created_at: datetime
    next_try_at: datetime | None
    delivered_at: datetime | None


@router.get("", response_model=Page[Webhook])
def listing(who: Who) -> Any:
    """Your webhooks, oldest first; all of them."""
    return page(webhooks.list_webhooks(who))


@router.post("", status_code=201, response_model=WebhookMade)
def create(body: WebhookNew, who: Who) -> Any:
    """Make one; it is told of events of email that you may see."""
    return plain(webhooks.create_webhook(who, body.url, body.events))


@router.get("/{webhook_id}", response_model=Webhook)
def one(webhook_id: RowId, who: Who) -> Any:
    """One of them."""
    return plain(webhooks.get_webhook(who, webhook_id))


@router.patch("/{webhook_id}", response_model=Webhook)
def change(webhook_id: RowId, body: WebhookChange, who: Who) -> Any:
    """Change it."""
    return plain(webhooks.change_webhook(who, webhook_id, url=body.url, kinds=body.events, active=body.active))


@router.delete("/{webhook_id}", status_code=204)
def remove(webhook_id: RowId, who: Who) -> None:
    """Delete it with its log."""
    webhooks.delete_webhook(who, webhook_id)


@router.post("/{webhook_id}/secret", response_model=WebhookMade)
def new_secret(webhook_id: RowId, who: Who) -> Any:
    """Replace its secret."""
    return plain(webhooks.new_secret(who, webhook_id))


@router.post("/{webhook_id}/test", response_model=Delivery)
def test(webhook_id: RowId, who: Who) -> Any:
    """Send it an event of kind `webhook.test` now; answers with what came of it."""
    return plain(webhooks.test_webhook(who, webhook_id))


@router.get("/{webhook_id}/deliveries", response_model=Page[Delivery])
def deliveries(webhook_id: RowId, who: Who, limit: Limit = 50, cursor: Cursor = None) -> Any:
    """What it was sent in the last 30 days, newest first."""
    found = webhooks.page_of_deliveries(who, webhook_id, cursor=cursor, limit=limit)
    return page(found.rows, found.next_cursor)


@router.post("/{webhook_id}/deliveries/{delivery_id}/retry", response_model=Delivery)
def retry(webhook_id: RowId, delivery_id: RowId, who: Who) -> Any:
    """Send a failed one again."""
    return plain(webhooks.retry_delivery(who, webhook_id, delivery_id))
