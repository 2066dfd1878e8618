"""Figures of the whole installation for monitoring: how much waits, how much failed. Counts only, no content."""

from __future__ import annotations

from typing import Any

from sqlmodel import col, func, select

from mailcrm.models import Mailbox, Message, Outbox, PendingUid, Quarantined, SkippedUid
from mailcrm.services.db import reading
from mailcrm.services.jobs import queue

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
            ("jobs_waiting", "Jobs in the queue by lane.", {lane: float(n) for lane, n in queue.waiting().items()}),
        ]
