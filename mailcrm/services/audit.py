"""Writes the audit trail. Never message text, never secrets."""

from __future__ import annotations

from typing import Any

from sqlmodel import Session

from mailcrm.models import AuditEntry
from mailcrm.services.access import Actor


def record(session: Session, actor: Actor | None, verb: str, kind: str, row_id: int | None, **detail: Any) -> None:
    """Add an entry in the caller's transaction; `actor` None is the system itself."""
    session.add(
        AuditEntry(
            actor_id=actor.user_id if actor else None, verb=verb, object_kind=kind, object_id=row_id, detail=detail
        )
    )
