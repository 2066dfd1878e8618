"""The one answer to "which messages belong to this person, deal or lead": through the thread or of their own.

Returns statements, so that callers add what of them the viewer sees (`shown`). Trashed messages are the
callers' matter too; unlinked rows never count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, and_, or_, union
from sqlalchemy.orm import InstrumentedAttribute
from sqlmodel import col

from mailcrm.models import Link, Message
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.given import among
from mailcrm.services.rows import pick

TARGETS: dict[str, Any] = {"person": Link.person_id, "deal": Link.deal_id, "lead": Link.lead_id}
Targets = Mapping[str, Sequence[int]]  # ids by kind, of at least one kind


def shown(actor: Actor) -> ColumnElement[bool]:
    """Hold for what stands in histories and is counted there: emails that the actor may read, and no junk."""
    return and_(access.visible_message(actor), col(Message.junk).is_(False))


def told(actor: Actor) -> ColumnElement[bool]:
    """Hold for a link beside its message where it does not give a blind recipient away (access.told_link)."""
    return access.told_link(actor, col(Message.user_id))


def messages(kind: str, target_ids: Sequence[int], actor: Actor) -> CompoundSelect[Any]:
    """Select (target_id, message_id), each pair once, of the messages linked to these targets as the actor is told."""
    target: InstrumentedAttribute[int] = TARGETS[kind]
    standing = (target.in_(target_ids), col(Link.unlinked_at).is_(None), told(actor))
    by_thread = (
        pick(target.label("target_id"), col(Message.id).label("message_id"))
        .join(Message, col(Message.thread_id) == col(Link.thread_id))
        .where(*standing)
    )
    by_message = (
        pick(target.label("target_id"), col(Link.message_id).label("message_id"))
        .join(Message, col(Message.id) == col(Link.message_id))
        .where(*standing)
    )
    return union(by_thread, by_message)


def conditions(targets: Targets) -> list[ColumnElement[bool]]:
    """Messages linked to any of these targets, a condition for each way: each is read by an index of its own."""
    return _ways({kind: TARGETS[kind].in_(row_ids) for kind, row_ids in targets.items()})


def conditions_given(kinds: Sequence[str], dialect: str) -> list[ColumnElement[bool]]:
    """The same with the targets' ids given when it runs (`values`)."""
    return _ways({kind: among(TARGETS[kind], f"{kind}_ids", dialect) for kind in kinds})


def _ways(which: Mapping[str, ColumnElement[bool]]) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    for is_target in which.values():
        standing = (is_target, col(Link.unlinked_at).is_(None))
        threads = pick(Link.thread_id).where(*standing, col(Link.thread_id).is_not(None))
        # One of the two is always empty; this one is in the index beside the target.
        own = pick(Link.message_id).where(*standing, col(Link.thread_id).is_(None))
        found += [col(Message.thread_id).in_(threads), col(Message.id).in_(own)]
    return found


def ids(targets: Targets) -> CompoundSelect[Any]:
    """Select the ids of the messages linked to any of these targets."""
    return union(*(pick(Message.id).where(condition) for condition in conditions(targets)))


def holds(targets: Targets, actor: Actor) -> ColumnElement[bool]:
    """Hold for a message that is linked to any of these targets as the actor is told; for few messages, each is asked."""
    return _holds({kind: TARGETS[kind].in_(row_ids) for kind, row_ids in targets.items()}, actor)


def holds_given(kinds: Sequence[str], actor: Actor, dialect: str) -> ColumnElement[bool]:
    """The same with the targets' ids given when it runs, as `deal_ids` and so on (`values`)."""
    return _holds({kind: among(TARGETS[kind], f"{kind}_ids", dialect) for kind in kinds}, actor)


def values(targets: Targets) -> dict[str, list[int]]:
    """Return the values for `holds_given`."""
    return {f"{kind}_ids": list(row_ids) for kind, row_ids in targets.items()}


def _holds(which: Mapping[str, ColumnElement[bool]], actor: Actor) -> ColumnElement[bool]:
    sources = (col(Link.thread_id) == col(Message.thread_id), col(Link.message_id) == col(Message.id))
    asked = (
        pick(Link.id).where(source, is_target, col(Link.unlinked_at).is_(None), told(actor))
        for is_target in which.values()
        for source in sources
    )
    return or_(*(each.correlate(Message).exists() for each in asked))
