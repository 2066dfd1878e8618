"""Delivers queued events to webhooks, again and again for a day and a half, and switches off what never answers.

    queued --2xx--> delivered          other answers, none: again after 1 min, 5 min, 30 min, 2 h, 8 h, 1 day
           --seventh failure--> failed; OFF_AFTER of those in a row, or one 410 Gone: the webhook is switched off

A delivery is taken by moving its next try, so several workers share the work and a dead one's comes back. After one
failure the webhook's other deliveries wait with it. Order is not promised: receivers go by the event's own time.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, and_, func
from sqlmodel import Session, col, delete, select, update

from mailcrm.config import config
from mailcrm.errors import MailcrmError
from mailcrm.models import Webhook, WebhookDelivery, utcnow
from mailcrm.services import crypto, live, telling
from mailcrm.services.db import reading, transaction
from mailcrm.services.rows import run
from mailcrm.services.webhooks import events, post, signing

WAITS = tuple(timedelta(seconds=s) for s in (60, 300, 1800, 7200, 28_800, 86_400))
OFF_AFTER = 10  # deliveries given up, one after the other
LEASE = timedelta(minutes=2)  # longer than one try
BUDGET_S = 60.0  # of one run; the sweep finds the rest
ONES_BUDGET_S = 15.0  # of that, for one user's webhooks
KEPT = timedelta(days=30)  # of the log

log = structlog.get_logger()


@dataclass(frozen=True)
class _Job:
    url: str
    secret: str
    event_id: str
    payload: dict[str, Any]


def is_due(now: Any) -> ColumnElement[bool]:
    """Deliveries whose time has come (the sweep asks)."""
    return and_(col(WebhookDelivery.state) == "queued", col(WebhookDelivery.next_try_at) <= now)


def deliver_due(limit: int = 50) -> int:
    """Try what is due; return how many were tried. Any number may run at once."""
    ends, tried, failing = time.monotonic() + BUDGET_S, 0, set[int]()
    spent: defaultdict[int, float] = defaultdict(float)  # of each user's webhooks
    for delivery_id, webhook_id, user_id in _due(limit):
        began = time.monotonic()
        if began > ends:
            break
        if webhook_id in failing or spent[user_id] > ONES_BUDGET_S:
            continue
        if take(delivery_id):
            tried += 1
            if not attempt(delivery_id):
                failing.add(webhook_id)
            spent[user_id] += time.monotonic() - began
    for webhook_id in failing:
        _wait_with(webhook_id)
    return tried


def _due(limit: int) -> list[tuple[int, int, int]]:
    """(delivery, webhook, user), users by turns: nobody's slow or many deliveries stand before another's."""
    times = (col(WebhookDelivery.next_try_at), col(WebhookDelivery.id))
    turn = func.row_number().over(partition_by=col(Webhook.user_id), order_by=times)
    query = (
        select(WebhookDelivery.id, WebhookDelivery.webhook_id, Webhook.user_id)
        .join(Webhook, col(Webhook.id) == col(WebhookDelivery.webhook_id))
        .where(is_due(utcnow()))
        .order_by(turn, *times)
        .limit(limit)
    )
    with reading() as session:
        return [(row[0] or 0, row[1], row[2]) for row in session.exec(query)]


def take(delivery_id: int) -> bool:
    """Take a queued delivery for one try; False when another process has it."""
    now = utcnow()
    with transaction() as session:
        mine = and_(col(WebhookDelivery.id) == delivery_id, is_due(now))
        return run(session, update(WebhookDelivery).where(mine).values(next_try_at=now + LEASE)).rowcount == 1


def attempt(delivery_id: int) -> bool:
    """Make one try and write what came of it; True when it was delivered, or need not be any more."""
    job, code = _load(delivery_id)
    if job is None:
        _end(delivery_id, None, code, final=True)
        return True
    status: int | None = None
    try:
        allow_private = config().allow_private_hosts
        body = json.dumps({"id": job.event_id, **job.payload}, separators=(",", ":"), ensure_ascii=False).encode()
        headers = signing.headers(job.secret, job.event_id, int(time.time()), body)
        status = post.post(
            post.target(job.url, allow_private=allow_private), body, headers, allow_private=allow_private
        )
        code = "" if 200 <= status < 300 else "webhook.redirect" if 300 <= status < 400 else "webhook.status"
    except MailcrmError as error:
        code = error.code
    except Exception:
        log.exception("a webhook's delivery broke", delivery_id=delivery_id)
        code = "internal"
    _end(delivery_id, status, code)
    return not code


def forget_old() -> None:
    """Delete the log of deliveries that ended long ago (the worker's "tidy")."""
    with transaction() as session:
        old = and_(col(WebhookDelivery.state) != "queued", col(WebhookDelivery.created_at) < utcnow() - KEPT)
        run(session, delete(WebhookDelivery).where(old))


def _load(delivery_id: int) -> tuple[_Job | None, str]:
    """What to send, or why it is not sent: the webhook was switched off, or its user may not see the message now."""
    with reading() as session:
        row = session.get(WebhookDelivery, delivery_id)
        hook = session.get(Webhook, row.webhook_id) if row is not None else None
        if row is None or hook is None:
            return None, "webhook.off"
        if not hook.active and row.kind != events.TEST:
            return None, "webhook.off"
        message_id = row.payload.get("data", {}).get("message_id")
        if message_id is not None and not events.may_see(session, hook.user_id, message_id):
            return None, "webhook.not_visible"
        try:
            secret = str(crypto.unseal(hook.secret, context=f"webhook:{hook.id}"))
        except MailcrmError as error:
            return None, error.code
        return _Job(hook.url, secret, row.event_id, dict(row.payload)), ""


def _end(delivery_id: int, status: int | None, code: str, *, final: bool = False) -> None:
    now = utcnow()
    with transaction() as session:
        row = session.get(WebhookDelivery, delivery_id, with_for_update=True)
        if row is None:
            return
        row.tries += not final
        row.status, row.error_code = status, code
        again = row.tries <= len(WAITS) and not final and status != 410 and row.kind != events.TEST
        if not code:
            row.state, row.delivered_at, row.next_try_at = "delivered", now, None
        elif again:
            row.next_try_at = now + WAITS[row.tries - 1]
        else:
            row.state, row.next_try_at = "failed", None
        session.add(row)
        hook = session.get(Webhook, row.webhook_id, with_for_update=True)
        if hook is not None and row.kind != events.TEST and not final:
            _count(session, hook, row)
        if hook is not None:
            live.hint(session, hook.user_id, "webhooks", hook.id)


def _count(session: Session, hook: Webhook, row: WebhookDelivery) -> None:
    if row.state == "delivered":
        hook.failures = 0
    elif row.state == "failed":
        hook.failures += 1
        if hook.active and (hook.failures >= OFF_AFTER or row.status == 410):
            hook.active = False
            rest = and_(col(WebhookDelivery.webhook_id) == hook.id, col(WebhookDelivery.state) == "queued")
            off = {"state": "failed", "error_code": "webhook.off", "next_try_at": None}
            run(session, update(WebhookDelivery).where(rest).values(**off))
            params = {"code": "webhook.switched_off", "title": hook.url, "webhook_id": hook.id}
            telling.notify(session, hook.user_id, "info", group_key=f"webhook:{hook.id}", params=params)
    session.add(hook)


def _wait_with(webhook_id: int) -> None:
    """Let a failing webhook's other deliveries wait a minute: its server is spared, and the others' get their turn."""
    with transaction() as session:
        mine = and_(col(WebhookDelivery.webhook_id) == webhook_id, is_due(utcnow()))
        run(session, update(WebhookDelivery).where(mine).values(next_try_at=utcnow() + WAITS[0]))
