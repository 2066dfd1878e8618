"""An answer to a tracked message: noted once, tells its sender's other services, and implies an open (B05).

Called with the messages that arrived, in the transaction of the linking rules. An answer names the sent message in
In-Reply-To or References; automatic ones and junk are none. Never commits, and looking twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlmodel import Session, col, select

from mailcrm.models import Message, TrackedMessage, utcnow
from mailcrm.services import access, telling
from mailcrm.services.given import dialect_of, one_of
from mailcrm.services.mail import blobs
from mailcrm.services.mail.packs import Place
from mailcrm.services.mail.thread.ancestors import ancestors
from mailcrm.services.rows import chunks, pick, rows
from mailcrm.services.tracking import again, happened, viewers

CLOCKS = timedelta(days=1)  # two servers' clocks may differ by


class _Waiting(NamedTuple):
    """A tracked message: its row, its Message-ID, when it was sent, and by whom."""

    id: int
    rfc_id: str
    sent_at: datetime
    user_id: int


def settle(session: Session, message_ids: Sequence[int]) -> None:
    """Look at incoming messages: which of them answer a tracked message of their user's? Mostly two queries."""
    # Whose a row is, is asked of the row that was read: asked in SQL, SQLite walks all mail of the user instead.
    for part in chunks(message_ids):
        these = one_of(col(Message.id), part, dialect_of(session))
        threads = pick(Message.thread_id).where(these).distinct()
        waiting = _waiting(session, {row[0] for row in rows(session, threads)})
        if not waiting:
            continue
        arrived = rows(
            session,
            pick(
                Message.id,
                Message.user_id,
                Message.thread_id,
                Message.in_reply_to,
                Message.blob_sha,
                Message.from_address,
                Message.sort_at,
            )
            .where(
                these,
                col(Message.direction) == "in",
                col(Message.auto_submitted).is_(False),
                col(Message.junk).is_(False),
                access.standing(),
            )
            .order_by(col(Message.sort_at), col(Message.id)),
        )
        asked = [(each, found) for each in arrived if (found := _before(waiting.get(each.thread_id, ()), each))]
        places = blobs.places(message.blob_sha for message, found in asked if not _names_one(message, found))
        for message, found in asked:
            _settle_one(session, found, message, places)


def _waiting(session: Session, thread_ids: set[int]) -> dict[int, list[_Waiting]]:
    """Tracked messages that nobody has answered, by conversation."""
    found: dict[int, list[_Waiting]] = {}
    for part in chunks(sorted(thread_ids)):
        query = (
            pick(
                Message.thread_id,
                TrackedMessage.id,
                Message.rfc_message_id,
                Message.sort_at,
                Message.user_id,
                TrackedMessage.user_id,
            )
            .join(TrackedMessage, col(TrackedMessage.message_id) == col(Message.id))
            .where(one_of(col(Message.thread_id), part, dialect_of(session)), col(TrackedMessage.replied_at).is_(None))
        )
        for thread_id, tracked_id, rfc_message_id, sent_at, user_id, by in rows(session, query):
            if rfc_message_id and user_id == by:
                found.setdefault(thread_id, []).append(_Waiting(tracked_id, rfc_message_id, sent_at, user_id))
    return found


def _before(waiting: Sequence[_Waiting], message: Any) -> list[_Waiting]:
    """Those of the tracked messages that its user sent before this one came: it is no answer to another."""
    return [each for each in waiting if each.user_id == message.user_id and each.sent_at - CLOCKS <= message.sort_at]


def _names_one(message: Any, waiting: Sequence[_Waiting]) -> bool:
    return any(each.rfc_id == message.in_reply_to for each in waiting)


def _settle_one(session: Session, waiting: Sequence[_Waiting], message: Any, places: Mapping[str, Place]) -> None:
    named = {message.in_reply_to}
    if not _names_one(message, waiting):
        named |= {*ancestors(message.blob_sha, message.in_reply_to, places)}
    ids = [each.id for each in waiting if each.rfc_id in named]
    if not ids:
        return
    # Locked in the order of their ids, like events.write does.
    found = session.exec(
        select(TrackedMessage)
        .where(col(TrackedMessage.id).in_(ids), col(TrackedMessage.replied_at).is_(None))
        .order_by(col(TrackedMessage.id))
        .with_for_update()
    ).all()
    for tracked in _whose(found, message.from_address.lower()):
        _answered(session, tracked, message)


def _whose(found: Sequence[TrackedMessage], address: str) -> list[TrackedMessage]:
    """The copy of the one who answers (B04); without copies, or from an address that has none, the one for everybody."""
    own = [row for row in found if row.recipient == address]
    return own or [row for row in found if not row.recipient] or (list(found) if len(found) == 1 else [])


def _answered(session: Session, tracked: TrackedMessage, message: Any) -> None:
    at: datetime = min(message.sort_at, utcnow())
    tracked.replied_at = at
    session.add(tracked)
    again.judge_answered(session, tracked)
    session.flush()
    if tracked.user_id is None:
        return
    viewers.hint(session, tracked.user_id, [tracked.message_id])
    if tracked.notify:
        telling.notify(
            session,
            tracked.user_id,
            "replied",
            group_key=f"replied:{tracked.message_id}",
            at=at,
            message_id=tracked.message_id,
            thread_id=message.thread_id,
        )
    told = happened.Happening("replied", tracked.id or 0, tracked.message_id, tracked.user_id, "", at)
    happened.tell(session, [told])
