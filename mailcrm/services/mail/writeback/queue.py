"""What is to be done in a mailbox because its user did it here: rows of `server_actions`, written in the user's own transaction.

    nothing ──asked──▶ queued ──(undo window over)──▶ begun (tries > 0) ──▶ done | obsolete | failed
                         │ the opposite act: obsolete       │ the opposite act: queued after it
                         └ its setting off:  obsolete       └ its setting off: settled by the truth table

Only the mailbox's own user causes a row, and only where the setting of its kind is on (M15, M16, settled question 5).
An act of a kind that waits already adds nothing; its opposite takes back what has not begun. Does not talk to a
server (apply.py) and does not decide what an action means there (plan.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_, update
from sqlmodel import Session, col, select

from mailcrm.models import Folder, Mailbox, Message, MessageLocation, ServerAction
from mailcrm.models.base import utcnow
from mailcrm.services.access import Actor
from mailcrm.services.mail.writeback.plan import BACK, FLAGS, OPPOSITE, Kind, is_gmail
from mailcrm.services.rows import chunks, pick, rows, run

UNDO = timedelta(seconds=10)  # as long as the interface offers to undo (DESIGN §5)
SETTLE = timedelta(seconds=2)  # reads and unreads in quick succession become one

#: The setting that a kind needs, a column of `mailboxes`.
SETTING: dict[Kind, str] = {
    "read": "write_read",
    "unread": "write_read",
    "archive": "write_archive",
    "unarchive": "write_archive",
    "delete": "write_delete",
    "undelete": "write_delete",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message lies on its server, as far as rows say; `seen` None: not known."""

    folder_id: int
    role: str
    uidvalidity: int | None
    uid: int | None
    seen: bool | None = None


def asked(session: Session, actor: Actor, kind: Kind, message_ids: Iterable[int]) -> None:
    """Queue, in the caller's transaction, what an act on these messages means for their mailboxes.

    Messages of other users, and of mailboxes whose setting for `kind` is off, are left alone.
    """
    for part in chunks(sorted(set(message_ids))):
        found = rows(
            session,
            pick(Message.id, Mailbox.id, Mailbox.capabilities, Mailbox.provider)
            .join(Mailbox, col(Mailbox.id) == col(Message.mailbox_id))
            .where(
                col(Message.id).in_(part),
                col(Message.user_id) == actor.user_id,
                col(Mailbox.user_id) == actor.user_id,
                getattr(Mailbox, SETTING[kind]).is_(True),
            ),
        )
        for message_id, mailbox_id, capabilities, provider in found:
            if kind in FLAGS:
                _flag(session, mailbox_id, message_id, kind)
            else:
                _place(session, mailbox_id, message_id, kind, gmail=is_gmail(capabilities, provider))


def cancel_switched_off(session: Session, mailbox: Mailbox) -> None:
    """Take back what waits of the kinds that the mailbox's settings do not allow; what has begun is settled first."""
    off = [kind for kind, setting in SETTING.items() if not getattr(mailbox, setting)]
    if off:
        run(
            session,
            update(ServerAction)
            .where(
                col(ServerAction.mailbox_id) == mailbox.id,
                col(ServerAction.state) == "queued",
                col(ServerAction.tries) == 0,
                col(ServerAction.kind).in_(off),
            )
            .values(state="obsolete", outcome="switched_off", done_at=utcnow()),
        )


def due(now: datetime) -> ColumnElement[bool]:
    """Actions whose time has come."""
    return and_(
        col(ServerAction.state) == "queued",
        col(ServerAction.not_before) <= now,
        or_(col(ServerAction.next_try_at).is_(None), col(ServerAction.next_try_at) <= now),
    )


def is_due(session: Session, mailbox_id: int, now: datetime) -> bool:
    """Whether something waits to be done in a mailbox now: one look into an index."""
    query = select(ServerAction.id).where(ServerAction.mailbox_id == mailbox_id, due(now)).limit(1)
    return session.exec(query).first() is not None


def due_mailboxes(session: Session, now: datetime) -> list[int]:
    """Ids of the mailboxes in which something is to be done and nobody works now."""
    free = or_(col(Mailbox.lease_until).is_(None), col(Mailbox.lease_until) <= now)
    ready = or_(col(Mailbox.next_try_at).is_(None), col(Mailbox.next_try_at) <= now)
    query = (
        select(ServerAction.mailbox_id)
        .join(Mailbox, col(Mailbox.id) == col(ServerAction.mailbox_id))
        .where(due(now), Mailbox.status == "active", free, ready)
        .distinct()
    )
    return list(session.exec(query))


def waits_for(session: Session, message_ids: Sequence[int], kinds: Iterable[Kind]) -> set[int]:
    """Return which of these messages have an action of `kinds` that is not done yet: what was done here holds for them."""
    out: set[int] = set()
    for part in chunks(sorted(message_ids)):
        out.update(
            row[0]
            for row in rows(
                session,
                pick(ServerAction.message_id).where(
                    col(ServerAction.message_id).in_(part),
                    col(ServerAction.state) == "queued",
                    col(ServerAction.kind).in_(list(kinds)),
                ),
            )
        )
    return out


def _flag(session: Session, mailbox_id: int, message_id: int, kind: Kind) -> None:
    waiting = _live(session, message_id, FLAGS)
    for action in waiting:
        if not action.tries:
            _cancel(session, action, "replaced")
    begun = any(action.tries for action in waiting)
    for place in places(session, message_id):
        if begun or place.seen != (kind == "read"):
            _add(session, mailbox_id, message_id, kind, place, None, SETTLE)


def _place(session: Session, mailbox_id: int, message_id: int, kind: Kind, *, gmail: bool) -> None:
    waiting = _live(session, message_id, set(OPPOSITE) - FLAGS)
    same = [action for action in waiting if action.kind == kind]
    against = [action for action in waiting if action.kind == OPPOSITE[kind]]
    taken_back = [action for action in against if not action.tries]
    for action in taken_back:
        _cancel(session, action, "undone")
    if taken_back and len(taken_back) == len(against):
        return
    if kind in BACK:
        _put_back(session, mailbox_id, message_id, kind, gmail=gmail)
        return
    here = [place for place in places(session, message_id) if _leaves(kind, place.role)]
    if gmail and len(here) > 1:  # labels of one message: moving it out of one place moves it out of all
        here = sorted(here, key=lambda place: place.role != "inbox")[:1]
    target = target_of(session, mailbox_id, kind, gmail=gmail)
    for place in here:
        if place.folder_id not in {action.from_folder_id for action in same}:
            _add(session, mailbox_id, message_id, kind, place, target, UNDO)


def _leaves(kind: Kind, role: str) -> bool:
    """Archiving takes a message out of the Inbox alone (sent mail stays in Sent); deleting out of every folder."""
    return role == "inbox" if kind == "archive" else role != "trash"


def _put_back(session: Session, mailbox_id: int, message_id: int, kind: Kind, *, gmail: bool) -> None:
    """Queue the way back of what was begun or done; mail that was archived on the server comes back to the Inbox."""
    forth = OPPOSITE[kind]
    before = session.exec(
        select(ServerAction).where(
            ServerAction.message_id == message_id, col(ServerAction.kind).in_((kind, forth))
        ).order_by(col(ServerAction.id))
    ).all()  # fmt: skip
    last_back = max((a.id or 0 for a in before if a.kind == kind and a.state != "obsolete"), default=0)
    went = [
        a
        for a in before
        if a.kind == forth and (a.id or 0) > last_back and (a.state == "done" or (a.state == "queued" and a.tries))
    ]
    for action in went:
        done = action.state == "done"
        if action.to_folder_id is not None:
            source = Place(
                action.to_folder_id, "", action.to_uidvalidity if done else None, action.to_uid if done else None
            )
            _add(session, mailbox_id, message_id, kind, source, action.from_folder_id, SETTLE)
    if kind == "unarchive" and not went and not last_back:
        inbox = _of_role(session, mailbox_id, "inbox")
        for place in places(session, message_id):
            if place.role == "archive" or (gmail and place.role == "all"):
                _add(session, mailbox_id, message_id, kind, place, inbox, SETTLE)


def places(session: Session, message_id: int) -> list[Place]:
    """Return where a message lies: its locations, else where our last finished move put it (a folder not synced)."""
    located = rows(
        session,
        pick(Folder.id, Folder.role, Folder.uidvalidity, MessageLocation.uid, MessageLocation.seen)
        .join(MessageLocation, col(MessageLocation.folder_id) == col(Folder.id))
        .where(col(MessageLocation.message_id) == message_id)
        .order_by(col(Folder.id), col(MessageLocation.uid)),
    )
    if located:
        return [Place(*row) for row in located]
    last = session.exec(
        select(ServerAction)
        .where(
            ServerAction.message_id == message_id,
            ServerAction.state == "done",
            col(ServerAction.kind).not_in(FLAGS),
        )
        .order_by(col(ServerAction.id).desc())
        .limit(1)
    ).first()
    if last is None or last.to_folder_id is None:
        return []
    role = session.get_one(Folder, last.to_folder_id).role
    return [Place(last.to_folder_id, role, last.to_uidvalidity, last.to_uid)]


def target_of(session: Session, mailbox_id: int, kind: Kind, *, gmail: bool) -> int | None:
    """Return the folder that archived or deleted mail goes to; None when the server has none. Creates none."""
    if kind == "archive":
        # Gmail has no archive: out of the Inbox means that only All Mail has it.
        return _of_role(session, mailbox_id, "archive") or (_of_role(session, mailbox_id, "all") if gmail else None)
    if kind == "delete":
        return _of_role(session, mailbox_id, "trash")
    return _of_role(session, mailbox_id, "inbox")


def _of_role(session: Session, mailbox_id: int, role: str) -> int | None:
    return session.exec(
        select(Folder.id)
        .where(
            Folder.mailbox_id == mailbox_id,
            Folder.role == role,
            col(Folder.selectable).is_(True),
            col(Folder.gone_at).is_(None),
        )
        .order_by(col(Folder.id))
        .limit(1)
    ).first()


def _live(session: Session, message_id: int, kinds: Iterable[Kind]) -> list[ServerAction]:
    query = select(ServerAction).where(
        ServerAction.message_id == message_id,
        ServerAction.state == "queued",
        col(ServerAction.kind).in_(list(kinds)),
    )
    return list(session.exec(query.order_by(col(ServerAction.id)).with_for_update()))


def _cancel(session: Session, action: ServerAction, outcome: str) -> None:
    action.state, action.outcome, action.done_at = "obsolete", outcome, utcnow()
    session.add(action)


def _add(
    session: Session,
    mailbox_id: int,
    message_id: int,
    kind: Kind,
    source: Place,
    target: int | None,
    wait: timedelta,
) -> None:
    session.add(
        ServerAction(
            mailbox_id=mailbox_id,
            message_id=message_id,
            kind=kind,
            not_before=utcnow() + wait,
            from_folder_id=source.folder_id,
            from_uidvalidity=source.uidvalidity,
            from_uid=source.uid,
            to_folder_id=target,
        )
    )
