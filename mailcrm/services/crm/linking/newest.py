"""The newest email of each of many persons, deals or leads that the actor may read.

For lists: linked messages are put in order from indexes alone, and only the newest few of each target are asked who may
see them; the rest only where these are all out of the actor's reach. Two statements at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, union_all
from sqlmodel import Session, col

from mailcrm.models import Link, Message, TrackedMessage
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.crm.linking import linked
from mailcrm.services.crm.linking.linked import TARGETS
from mailcrm.services.given import Kept, among, dialect_of
from mailcrm.services.rows import pick, rows

_KEPT = Kept()
FIRST = 8  # of each target that are asked in the first round


def of_each(
    session: Session, actor: Actor, kind: str, target_ids: Sequence[int], *, tracked: bool = False
) -> dict[int, Any]:
    """Return (target_id, id, sort_at, direction) of each target's newest visible email; the newest tracked, if so."""
    found: dict[int, Any] = {}
    for first, last in ((1, FIRST), (FIRST + 1, None)):
        wanted = [each for each in target_ids if each not in found]
        if not wanted:
            break
        key = (dialect := dialect_of(session), kind, tracked, first, access.view_of(actor))
        statement = _KEPT.get(key, lambda f=first, n=last: _statement(actor, kind, tracked, f, n, dialect))
        found.update({row[0]: row for row in rows(session, statement, {"ids": wanted})})  # the newest comes last
    return found


def _statement(actor: Actor, kind: str, tracked: bool, first: int, last: int | None, dialect: str) -> Select[Any]:
    placed = _placed(kind, tracked, dialect)
    statement = (
        pick(placed.c.target_id, Message.id, Message.sort_at, Message.direction)
        .join(Message, col(Message.id) == placed.c.message_id)
        .where(placed.c.place >= first, linked.shown(actor), _told(actor, placed))
        .order_by(placed.c.place.desc())
    )
    return statement if last is None else statement.where(placed.c.place <= last)


def _told(actor: Actor, placed: Any) -> ColumnElement[bool]:
    """linked.told of the link beside the message, asked of one row at a time: joined, PostgreSQL read all links for it."""
    of_link = pick(Link.id).where(col(Link.id) == placed.c.link_id, linked.told(actor)).correlate(Message, placed)
    return or_(col(Message.user_id) == actor.user_id, of_link.offset(0).exists())


def _placed(kind: str, tracked: bool, dialect: str) -> Any:
    """(target_id, message_id, place) of all linked messages, 1 being the target's newest."""
    target = TARGETS[kind]
    parts: list[Any] = []
    for source in (
        col(Link.thread_id) == col(Message.thread_id),
        (col(Link.message_id) == col(Message.id)) & col(Link.thread_id).is_(None),
    ):
        part = (
            pick(
                target.label("target_id"),
                col(Message.id).label("message_id"),
                col(Message.sort_at).label("at"),
                col(Link.id).label("link_id"),
            )
            .select_from(Link)
            .join(Message, source)
            .where(among(target, "ids", dialect), col(Link.unlinked_at).is_(None))
        )
        if tracked:
            part = part.join(TrackedMessage, col(TrackedMessage.message_id) == col(Message.id))
        parts.append(part)
    both = union_all(*parts).subquery()
    place = func.row_number().over(partition_by=both.c.target_id, order_by=(both.c.at.desc(), both.c.message_id.desc()))
    return pick(both.c.target_id, both.c.message_id, both.c.link_id, place.label("place")).subquery()
