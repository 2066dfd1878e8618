"""Figures of the whole installation for monitoring: how much waits, how much failed. Counts only, no content."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from sqlmodel import Session, col, func, select

from mailcrm.models import AuditEntry, Mailbox, Message, Outbox, PendingUid, Quarantined, SkippedUid, utcnow
from mailcrm.services.db import reading
from mailcrm.services.jobs import queue
from mailcrm.services.rows import pick, rows
from mailcrm.services.tracking import intake

Figure = tuple[str, str, dict[str, float]]


def collect() -> list[Figure]:
    """Return (name, help, {label: value}) of each figure; one grouped query each."""
    with reading() as session:

        def by(column: Any) -> dict[str, float]:
            return {
                str(kind): float(count) for kind, count in session.exec(select(column, func.count()).group_by(column))
            }

        def total(model: Any) -> dict[str, float]:
            return {"all": float(session.exec(select(func.count()).select_from(model)).one())}

        return [
            ("mailboxes", "Connected mailboxes by status.", by(col(Mailbox.status))),
            ("mailbox_errors", "Mailboxes by the code of their last failure.", by(col(Mailbox.error_code))),
            ("messages", "Stored messages by direction.", by(col(Message.direction))),
            ("messages_pending", "Messages on servers that are not stored yet.", total(PendingUid)),
            ("messages_skipped", "Messages left on servers, by reason.", by(col(SkippedUid.reason))),
            ("messages_quarantined", "Messages that could not be read.", total(Quarantined)),
            ("outbox", "Outgoing mail by state.", by(col(Outbox.state))),
            ("tracking_dropped", "Opens and clicks of the last day that could not be recorded.", _dropped(session)),
            ("jobs_waiting", "Jobs in the queue by lane.", {lane: float(n) for lane, n in queue.waiting().items()}),
        ]


def _dropped(session: Session) -> dict[str, float]:
    query = pick(AuditEntry.detail).where(
        col(AuditEntry.object_kind) == "tracking",
        col(AuditEntry.verb) == intake.DROPPED,
        col(AuditEntry.at) > utcnow() - timedelta(days=1),
    )
    found: Counter[str] = Counter()
    for (detail,) in rows(session, query):
        found.update({reason: int(count) for reason, count in detail.items()})
    return {reason: float(count) for reason, count in found.items()}
