"""The emails of a timeline, and their opens and clicks: a page's worth is read, however much mail there is.

Emails are walked by index, the newest first, a piece at a time, until a page is full; only those of the piece are
asked who may see them (linked.shown) and whether there is a better copy of the same Message-ID (settled
question 2). Opens and clicks are found from the shorter end: what was opened since the page's last email, or what is
tracked among the target's mail. Returns ids and numbers; timeline.py makes items of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, literal, or_, union_all
from sqlmodel import Session, col

from mailcrm.models import Message, TrackedMessage, UtcDateTime
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.crm.linking import linked
from mailcrm.services.crm.linking.linked import Targets
from mailcrm.services.crm.timeline_keys import CLICKED, MESSAGE, OPENED, PLACES, Key, below
from mailcrm.services.given import Kept, among, dialect_of
from mailcrm.services.rows import pick, rows, scalar

PIECE_MOST = 2000  # messages of one piece; the first has two pages
_KEPT = Kept()


@dataclass(frozen=True, slots=True)
class _Allowed:
    """What holds for the mail that an actor sees at a target; `key` tells it from what others see elsewhere."""

    key: Any
    holds: ColumnElement[bool]
    shown: ColumnElement[bool]
    values: dict[str, list[int]]


RECENT_MOST = 1000  # opens of everybody's that are looked at one by one


def page(
    session: Session, actor: Actor, targets: Targets, after: Key | None, limit: int, *, files: bool = False
) -> list[int]:
    """Return the ids of the newest visible emails behind `after`, one copy of each, newest first.

    `files`: only those with attachments.
    """

    def read(position: Key | None, size: int) -> list[Any]:
        kinds, dialect = tuple(targets), dialect_of(session)

        def make() -> Select[Any]:
            walk = _walk(kinds, dialect, position, size)
            known = (Message.rfc_message_id, Message.has_attachments)
            statement = pick(walk.c.id, walk.c.sort_at, *known).join(Message, col(Message.id) == walk.c.id)
            return statement.order_by(walk.c.sort_at.desc(), walk.c.id.desc())

        statement = make() if position else _KEPT.get(("walk", kinds, dialect, size), make)
        return list(rows(session, statement, linked.values(targets)))

    chosen = _shown(session, actor, _allowed(session, actor, targets), read, MESSAGE, after, limit, files=files)
    return [row[0] for row in chosen]


def newest_ids(session: Session, targets: Targets, limit: int) -> list[int]:
    """Return the ids of the newest messages, whoever may see them: callers ask that."""
    walk = _walk(tuple(targets), dialect_of(session), None, limit)
    return list(dict.fromkeys(row[0] for row in rows(session, pick(walk.c.id), linked.values(targets))))


def marks(
    session: Session, actor: Actor, targets: Targets, after: Key | None, limit: int, since: datetime | None
) -> list[tuple[int, int, datetime, str, int]]:
    """Return (place, message, moment, subject, count) of last opens and last clicks, of each place at most `limit`.

    `since`: nothing older is asked for; None when everything is.
    """
    found: list[tuple[int, int, datetime, str, int]] = []
    allowed = _allowed(session, actor, targets)
    for place, moment, count in (
        (OPENED, col(TrackedMessage.last_opened_at), col(TrackedMessage.opens)),
        (CLICKED, col(TrackedMessage.last_clicked_at), col(TrackedMessage.clicks)),
    ):
        counted = (moment.is_not(None), count > 0)
        recent = () if since is None else (moment >= literal(since, UtcDateTime()),)
        marked = _recent(session, moment, since, after) if recent else RECENT_MOST + 1
        if not marked:
            continue  # of nobody's mail
        by_time = marked <= RECENT_MOST

        def read(
            position: Key | None, size: int, place: int = place, moment: Any = moment, count: Any = count,
            where: Any = (*counted, *recent), by_time: bool = by_time,
        ) -> list[Any]:  # fmt: skip
            mine = allowed.holds if by_time else col(Message.id).in_(linked.ids(targets))
            statement = (
                pick(Message.id, moment, Message.rfc_message_id, Message.subject, count)
                .select_from(TrackedMessage)
                .join(Message, col(Message.id) == col(TrackedMessage.message_id))
                .where(*where, mine)
                .order_by(moment.desc(), col(Message.id).desc())
                .limit(size)
            )
            statement = below(statement, moment, col(Message.id), place, position)
            return list(rows(session, statement, allowed.values if by_time else None))

        for message_id, at, _, subject, times in _shown(session, actor, allowed, read, place, after, limit):
            found.append((place, message_id, at, subject, times))
    return found


def _recent(session: Session, moment: Any, since: datetime | None, after: Key | None) -> int:
    """How much was opened, of anybody's mail, up to one more than what is looked at one by one.

    Looking at each of few costs less than the target's mail.
    """
    given = {"since": since} if after is None else {"since": since, "until": after[0]}

    def make() -> Select[Any]:
        these = pick(moment).where(moment >= bindparam("since", type_=UtcDateTime()))
        if after is not None:
            these = these.where(moment <= bindparam("until", type_=UtcDateTime()))
        return pick(func.count()).select_from(these.limit(RECENT_MOST + 1).subquery())

    return scalar(session, _KEPT.get(("recent", moment.key, after is None), make), given)


def _walk(kinds: Sequence[str], dialect: str, after: Key | None, limit: int) -> Any:
    """(id, sort_at) of the newest messages behind `after`, read from indexes alone; one may come twice."""
    parts: list[Any] = []
    order = (col(Message.sort_at).desc(), col(Message.id).desc())
    for condition in linked.conditions_given(kinds, dialect):
        part = pick(col(Message.id).label("id"), col(Message.sort_at).label("sort_at")).where(condition)
        # Each part is cut by itself: a sort of the union as a whole would hold all of it.
        cut = (
            below(part, col(Message.sort_at), col(Message.id), MESSAGE, after).order_by(*order).limit(limit).subquery()
        )
        parts.append(pick(cut.c.id, cut.c.sort_at))
    both = union_all(*parts).subquery()
    return pick(both.c.id, both.c.sort_at).order_by(both.c.sort_at.desc(), both.c.id.desc()).limit(limit).subquery()


def _shown(
    session: Session,
    actor: Actor,
    allowed: _Allowed,
    read: Callable[[Key | None, int], list[Any]],
    place: int,
    after: Key | None,
    limit: int,
    *,
    files: bool = False,
) -> list[Any]:
    """Read pieces of rows (id, moment, Message-ID, …) until `limit` of them are to be shown.

    `files`: only those whose fourth value, whether it has attachments, is true.
    """
    found: dict[int, Any] = {}
    size = 2 * limit
    while len(found) < limit:
        piece = read(after, size)
        best = _best(session, actor, allowed, piece)
        for row in piece:  # of several recipients' copies of one email the newest open stands
            if row[0] in best and (not files or row[3]):
                found.setdefault(row[0], row)
        if len(piece) < size:
            break
        after = (piece[-1][1], piece[-1][0] * PLACES + place)
        size = min(size * 4, PIECE_MOST)
    return list(found.values())[:limit]


def _allowed(session: Session, actor: Actor, targets: Targets) -> _Allowed:
    """What holds for the mail that the actor sees there; large, so it is made once."""
    dialect, kinds = dialect_of(session), tuple(targets)
    key = (dialect, kinds, access.view_of(actor))
    holds, shown = _KEPT.get(key, lambda: (linked.holds_given(kinds, actor, dialect), linked.shown(actor)))
    return _Allowed(key, holds, shown, linked.values(targets))


def _best(session: Session, actor: Actor, allowed: _Allowed, piece: Sequence[Any]) -> set[int]:
    """The ids to be shown: visible, and the best copy of the target's: own before others', then the oldest row (M13)."""
    names = sorted({row[2] for row in piece if row[2] is not None})
    nameless = [row[0] for row in piece if row[2] is None]
    if not piece:
        return set()

    def make() -> Any:
        dialect = dialect_of(session)
        same = among(col(Message.rfc_message_id), "names", dialect, of_text=True)
        if nameless:
            same = or_(same, among(col(Message.id), "nameless", dialect))
        # OFFSET 0: PostgreSQL finds these first; it read the index of all shared mail to narrow a hundred rows.
        these = pick(Message.id).where(same).offset(0).subquery()
        statement = pick(Message.id, Message.rfc_message_id, Message.user_id).join(these, these.c.id == Message.id)
        return statement.where(allowed.holds, allowed.shown)

    statement = _KEPT.get((*allowed.key, "best", bool(nameless)), make)
    given = {"names": names, **({"nameless": nameless} if nameless else {}), **allowed.values}
    best: dict[Any, tuple[bool, int]] = {}
    for message_id, name, user_id in rows(session, statement, given):
        rank = (user_id != actor.user_id, message_id)
        key = (name, None) if name is not None else (None, message_id)
        best[key] = min(best.get(key, rank), rank)
    return {message_id for _, message_id in best.values()}
