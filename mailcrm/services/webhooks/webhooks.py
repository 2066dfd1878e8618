"""Webhooks as their user sees them: made, changed, tested, deleted, and what was delivered. Nobody else's, for anybody.

The secret leaves once, when it is made (or made anew). Does not send (deliver.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from mailcrm.config import config
from mailcrm.errors import UserError
from mailcrm.models import Webhook, WebhookDelivery, utcnow
from mailcrm.services import access, audit, crypto, live, paging
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.webhooks import deliver, events, post, signing

MOST = 20  # of one user


@dataclass(frozen=True)
class WebhookView:
    """A webhook; `failures` counts deliveries given up in a row, `last_delivery_at` is None before the first."""

    id: int
    url: str
    events: tuple[str, ...]
    active: bool
    failures: int
    created_at: datetime
    last_delivery_at: datetime | None


@dataclass(frozen=True)
class WebhookMade:
    """A webhook with its secret, which is never shown again."""

    card: WebhookView
    secret: str


@dataclass(frozen=True)
class DeliveryView:
    """One event for a webhook: queued (with its next try), delivered or failed; `status` is the last HTTP answer."""

    id: int
    event_id: str
    kind: str
    message_id: int | None
    state: str
    tries: int
    status: int | None
    error_code: str
    created_at: datetime
    next_try_at: datetime | None
    delivered_at: datetime | None


def list_webhooks(actor: Actor) -> tuple[WebhookView, ...]:
    """Return the actor's webhooks, oldest first."""
    with reading() as session:
        found = session.exec(select(Webhook).where(_own(actor)).order_by(col(Webhook.id))).all()
        return tuple(_view(session, each) for each in found)


def get_webhook(actor: Actor, webhook_id: int) -> WebhookView:
    """Return one of the actor's."""
    with reading() as session:
        return _view(session, access.load(session, Webhook, webhook_id, _own(actor)))


def create_webhook(actor: Actor, url: str, kinds: Sequence[str]) -> WebhookMade:
    """Make a webhook. Raises UserError: "webhook.url", "webhook.https", "webhook.private", "webhook.events", "webhook.too_many"."""
    url, wanted = _url(url), _kinds(kinds)
    secret = signing.new_secret()
    with transaction() as session:
        if session.exec(select(func.count()).select_from(Webhook).where(_own(actor))).one() >= MOST:
            raise UserError("webhook.too_many", most=MOST)
        row = Webhook(user_id=actor.user_id, url=url, events={"kinds": wanted}, secret=b"")
        session.add(row)
        session.flush()
        row.secret = crypto.seal(secret, context=f"webhook:{row.id}")
        session.add(row)
        _changed(session, actor, "create", row)
        return WebhookMade(_view(session, row), secret)


def change_webhook(
    actor: Actor,
    webhook_id: int,
    *,
    url: str | None = None,
    kinds: Sequence[str] | None = None,
    active: bool | None = None,
) -> WebhookView:
    """Change what is given; switching it on again forgets its failures."""
    new_url = _url(url) if url is not None else None
    wanted = _kinds(kinds) if kinds is not None else None
    with transaction() as session:
        row = access.load(session, Webhook, webhook_id, _own(actor))
        row.url = new_url or row.url
        if wanted is not None:
            row.events = {"kinds": wanted}
        if active is not None:
            row.active, row.failures = active, 0 if active else row.failures
        session.add(row)
        _changed(session, actor, "change", row)
        return _view(session, row)


def new_secret(actor: Actor, webhook_id: int) -> WebhookMade:
    """Replace the secret; deliveries from now on are signed with the new one."""
    secret = signing.new_secret()
    with transaction() as session:
        row = access.load(session, Webhook, webhook_id, _own(actor))
        row.secret = crypto.seal(secret, context=f"webhook:{row.id}")
        session.add(row)
        _changed(session, actor, "new_secret", row)
        return WebhookMade(_view(session, row), secret)


def delete_webhook(actor: Actor, webhook_id: int) -> None:
    """Delete a webhook with its log."""
    with transaction() as session:
        row = access.load(session, Webhook, webhook_id, _own(actor))
        _changed(session, actor, "delete", row)
        session.delete(row)


def test_webhook(actor: Actor, webhook_id: int) -> DeliveryView:
    """Send an event of kind "webhook.test" now, once, and return what came of it; also while it is switched off."""
    with transaction() as session:
        row = access.load(session, Webhook, webhook_id, _own(actor))
        made = events.queue_event(session, row, events.TEST, {})
        delivery_id = made.id or 0
    if deliver.take(delivery_id):
        deliver.attempt(delivery_id)
    with reading() as session:
        return _delivery(session.get_one(WebhookDelivery, delivery_id))


def retry_delivery(actor: Actor, webhook_id: int, delivery_id: int) -> DeliveryView:
    """Queue a delivery that failed once more, from its first try."""
    with transaction() as session:
        hook = access.load(session, Webhook, webhook_id, _own(actor))
        mine = col(WebhookDelivery.webhook_id) == hook.id
        row = access.load(session, WebhookDelivery, delivery_id, mine)
        if row.state == "failed":
            row.state, row.tries, row.next_try_at, row.error_code = "queued", 0, utcnow(), ""
            session.add(row)
            live.hint(session, actor.user_id, "webhooks", hook.id)
        return _delivery(row)


def page_of_deliveries(
    actor: Actor, webhook_id: int, cursor: str | None = None, limit: int = 50
) -> paging.Page[DeliveryView]:
    """Return the log of a webhook, newest first; kept for 30 days."""
    size = paging.page_size(limit)
    with reading() as session:
        hook = access.load(session, Webhook, webhook_id, _own(actor))
        query = select(WebhookDelivery).where(WebhookDelivery.webhook_id == hook.id)
        if cursor:
            query = query.where(paging.older(cursor, col(WebhookDelivery.created_at), col(WebhookDelivery.id)))
        query = query.order_by(col(WebhookDelivery.created_at).desc(), col(WebhookDelivery.id).desc())
        found = [_delivery(row) for row in session.exec(query.limit(size + 1)).all()]
    return paging.cut(found, size, lambda row: paging.cursor_at(row.created_at, row.id))


def _own(actor: Actor) -> ColumnElement[bool]:
    return col(Webhook.user_id) == actor.user_id


def _url(url: str) -> str:
    post.target(url.strip(), allow_private=config().allow_private_hosts)
    return url.strip()


def _kinds(kinds: Sequence[str]) -> list[str]:
    wanted = [kind for kind in events.KINDS if kind in kinds]
    if not wanted or any(kind not in events.KINDS for kind in kinds):
        raise UserError("webhook.events")
    return wanted


def _changed(session: Session, actor: Actor, verb: str, row: Webhook) -> None:
    audit.record(session, actor, verb, "webhook", row.id, host=urlsplit(row.url).hostname or "")
    live.hint(session, actor.user_id, "webhooks", row.id)


def _view(session: Session, row: Webhook) -> WebhookView:
    last = select(func.max(WebhookDelivery.delivered_at)).where(WebhookDelivery.webhook_id == row.id)
    return WebhookView(
        id=row.id or 0,
        url=row.url,
        events=tuple(str(each) for each in row.events.get("kinds", ())),
        active=row.active,
        failures=row.failures,
        created_at=row.created_at,
        last_delivery_at=session.exec(last).one(),
    )


def _delivery(row: WebhookDelivery) -> DeliveryView:
    message_id = row.payload.get("data", {}).get("message_id")
    return DeliveryView(
        id=row.id or 0,
        event_id=row.event_id,
        kind=row.kind,
        message_id=message_id if isinstance(message_id, int) else None,
        state=row.state,
        tries=row.tries,
        status=row.status,
        error_code=row.error_code,
        created_at=row.created_at,
        next_try_at=row.next_try_at,
        delivered_at=row.delivered_at,
    )
