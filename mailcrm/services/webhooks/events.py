"""What happened becomes deliveries, in the transaction that recorded it; nothing is sent here (deliver.py).

A delivery holds ids and times, never text, addresses or links of mail: a program asks `/messages/{id}/tracking` for
those, with its user's token. Only webhooks of users who may see the message get one.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from mailcrm.errors import NotFound
from mailcrm.models import Message, Webhook, WebhookDelivery, utcnow
from mailcrm.services import access
from mailcrm.services.tracking.happened import Happening

#: What a webhook may ask for.
KINDS = ("message.opened", "message.clicked", "message.replied")
TEST = "webhook.test"


def on_happening(session: Session, happenings: Sequence[Happening]) -> None:
    """Queue what happened for the webhooks that want it (a listener of tracking/happened)."""
    hooks = session.exec(select(Webhook).where(col(Webhook.active).is_(True)).order_by(col(Webhook.id))).all()
    for happening in happenings if hooks else ():
        message = session.get(Message, happening.message_id) if happening.message_id else None
        if message is None:
            continue
        kind = f"message.{happening.kind}"
        data = {
            "message_id": message.id,
            "thread_id": message.thread_id,
            "mailbox_id": message.mailbox_id,
            "at": _iso(happening.at),
            "kind": happening.seen_as,
            "count": happening.count,
        }
        for hook in hooks:
            if kind in hook.events.get("kinds", ()) and may_see(session, hook.user_id, message.id):
                queue_event(session, hook, kind, data)


def queue_event(session: Session, hook: Webhook, kind: str, data: dict[str, Any]) -> WebhookDelivery:
    """Add a delivery that is due now, in the caller's transaction."""
    now = utcnow()
    event_id = f"evt_{secrets.token_hex(16)}"
    row = WebhookDelivery(
        webhook_id=hook.id or 0,
        event_id=event_id,
        kind=kind,
        payload={"type": kind, "timestamp": _iso(now), "data": data},
        next_try_at=now,
    )
    session.add(row)
    session.flush()
    return row


def may_see(session: Session, user_id: int, message_id: Any) -> bool:
    """Whether the user may see the message now."""
    try:
        actor = access.actor_for(session, user_id)
    except NotFound:  # disabled
        return False
    seen = select(Message.id).where(Message.id == message_id, access.visible_message(actor))
    return session.exec(seen).first() is not None


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
