"""The one answer to "which messages belong to this person, deal or lead": through the thread or of their own.

Returns statements, so that callers add who may see them (access.visible_message). Trashed messages are the
callers' matter too; unlinked rows never count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import CompoundSelect, union
from sqlalchemy.orm import InstrumentedAttribute
from sqlmodel import col

from mailcrm.models import Link, Message
from mailcrm.services.rows import pick

TARGETS: dict[str, Any] = {"person": Link.person_id, "deal": Link.deal_id, "lead": Link.lead_id}


def messages(kind: str, target_ids: Sequence[int]) -> CompoundSelect[Any]:
    """Select (target_id, message_id), each pair once, of the messages linked to these targets."""
    target: InstrumentedAttribute[int] = TARGETS[kind]
    standing = (target.in_(target_ids), col(Link.unlinked_at).is_(None))
    by_thread = (
        pick(target.label("target_id"), col(Message.id).label("message_id"))
        .join(Message, col(Message.thread_id) == col(Link.thread_id))
        .where(*standing)
    )
    by_message = pick(target.label("target_id"), col(Link.message_id).label("message_id")).where(
        *standing, col(Link.message_id).is_not(None)
    )
    return union(by_thread, by_message)
