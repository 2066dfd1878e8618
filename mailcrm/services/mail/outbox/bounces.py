"""Matches a notice that mail was not delivered with the message it is about, and tells its sender (B10).

The Message-ID of what came back must be one of ours, of the user whom the notice reached: it is 160 random bits, so a
notice that somebody made up names none and changes nothing. Only recipients of that very message are marked. Delays
change nothing either: the server is still trying. Helpers: they take a session and never commit. Idempotent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import structlog
from sqlmodel import Session, col, or_, select

from mailcrm.models import Message, Outbox, OutboxRecipient, utcnow
from mailcrm.services import live, notifications
from mailcrm.services.mail import blobs
from mailcrm.services.mail.outbox import rows
from mailcrm.services.mail.parse.bounce import Bounce, parse_bounce

MAX_SIZE = 20_000_000  # octets of a notice that is read: a returned message with its files

log = structlog.get_logger()


def settle(session: Session, user_id: int, message_ids: Sequence[int]) -> int:
    """Look at what arrived for notices; return how many recipients were marked as not reached."""
    if not message_ids or session.exec(select(Outbox.id).where(Outbox.user_id == user_id).limit(1)).first() is None:
        return 0
    sender = col(Message.from_address)
    candidates = session.exec(
        select(Message.id, Message.blob_sha).where(
            col(Message.id).in_(message_ids),
            Message.direction == "in",
            Message.size <= MAX_SIZE,
            or_(col(Message.auto_submitted).is_(True), sender.like("mailer-daemon@%"), sender.like("postmaster@%")),
        )
    ).all()
    return sum(_settle_one(session, user_id, message_id or 0, sha) for message_id, sha in candidates)


def _settle_one(session: Session, user_id: int, message_id: int, sha: str) -> int:
    try:
        bounce = parse_bounce(blobs.get(sha))
    except blobs.BlobLost:
        return 0
    row = _original(session, user_id, bounce) if bounce is not None else None
    if bounce is None or row is None:
        return 0
    # Who was not sent to yet can't have bounced: a notice made up by another recipient must not stop what waits.
    people = rows.recipients(session, row.id or 0)
    unsent = rows.unsent(row, people)
    marked: list[OutboxRecipient] = []
    for each in people:
        said = _said_of(bounce, each.address)
        if said is None or each in unsent or each.state not in ("accepted", "waiting"):
            continue
        each.state, each.bounced_at, each.bounce_message_id = "bounced", utcnow(), message_id
        each.reply_code, each.reply_text = said
        session.add(each)
        marked.append(each)
    if marked:
        _tell(session, row, marked)
    return len(marked)


def _original(session: Session, user_id: int, bounce: Bounce) -> Outbox | None:
    found = session.exec(
        select(Outbox).where(
            Outbox.user_id == user_id,
            col(Outbox.rfc_message_id).in_(bounce.original_ids),
            col(Outbox.state).in_(("sent", "queued", "sending", "unknown")),  # some may have it while others wait
        )
    ).all()
    by_id = {row.rfc_message_id: row for row in found}
    return next((by_id[name] for name in bounce.original_ids if name in by_id), None)


def _said_of(bounce: Bounce, address: str) -> tuple[int | None, str] | None:
    """What a notice says of a recipient, None when it does not say that the recipient was not reached."""
    wanted = address.lower()
    if wanted in bounce.failed:
        return bounce.failed[wanted]
    return (None, "") if bounce.text and _names(bounce.text.lower(), wanted) else None


def _names(text: str, address: str) -> bool:
    """True where an address stands by itself: "bo@x.test" is not in "jobo@x.test", nor in "bo@x.testing.test"."""
    return re.search(rf"(?<![\w.+'-]){re.escape(address)}(?![\w-]|\.\w)", text) is not None


def _tell(session: Session, row: Outbox, marked: list[OutboxRecipient]) -> None:
    row.updated_at = utcnow()
    session.add(row)
    notifications.notify(
        session, row.user_id, "bounced", group_key=f"bounced:{row.id}", count=len(marked), message_id=row.message_id,
        mailbox_id=row.mailbox_id,
        params={
            "outbox_id": row.id,
            "title": ", ".join(each.name or each.address for each in marked[:3]),
            "detail": row.subject,
            "reason": marked[0].reply_text,
        },
    )  # fmt: skip
    live.hint(session, row.user_id, "outbox", row.id)
    live.hint(session, row.user_id, "mail", row.message_id)
