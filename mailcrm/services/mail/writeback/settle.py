"""Reads the actions that are due and writes what became of them: rows of the queue, and where messages lie now.

Helpers: they take a session and never commit. The ledger's invariant is kept: a UID of a synced folder has exactly one
row, and `server_count` follows each row that a move takes away or brings (B01). No network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import and_, delete, or_, update
from sqlmodel import Session, col, select

from mailcrm.errors import MailcrmError, TransientError
from mailcrm.models import (
    Folder,
    Mailbox,
    Message,
    MessageLocation,
    PendingUid,
    Quarantined,
    ServerAction,
    SkippedUid,
)
from mailcrm.models.base import utcnow
from mailcrm.services import live
from mailcrm.services.db import transaction
from mailcrm.services.mail import junk
from mailcrm.services.mail.writeback import queue
from mailcrm.services.mail.writeback.plan import BACK, FLAGS, MAX_TRIES, End, Found, Kind, is_gmail, retry_after
from mailcrm.services.rows import chunks, rows, run

MOST = 2000  # waiting actions looked at by one wave


@dataclass(frozen=True, slots=True)
class Spot:
    """A folder by its row and its name."""

    id: int
    name: str


@dataclass(slots=True)
class Todo:
    """One action with what its message is known by; `uid`, `found` and `landed` are filled in by looking."""

    id: int
    message_id: int
    kind: Kind
    tries: int
    allowed: bool
    followed: bool
    keeps: bool
    elsewhere: bool
    source: Spot | None
    target: Spot | None
    #: UIDs by UIDVALIDITY: as noted when it was asked for, and as the sync knows it now.
    hints: dict[int, int]
    to_uidvalidity: int | None
    to_uid: int | None
    rfc_message_id: str | None
    remote_id: str | None
    size: int
    uid: int | None = None
    found: Found = field(default_factory=lambda: Found(here=False))
    #: (UIDVALIDITY, UID) in the target.
    landed: tuple[int, int] | None = None

    def hint(self, uidvalidity: int | None) -> int | None:
        """Return the UID of the message at its source, if one is known under this UIDVALIDITY."""
        return self.hints.get(uidvalidity) if uidvalidity is not None else None

    def is_named(self, rfc_message_id: str | None) -> bool:
        """Whether a message on the server is this one by its Message-ID; what has none is told by its UID."""
        return self.rfc_message_id is None or rfc_message_id == self.rfc_message_id


def load(session: Session, mailbox_id: int, now: datetime) -> list[Todo]:
    """Return what can be done now: of each message the first that waits, flags before moves."""
    waiting = session.exec(
        select(ServerAction)
        .where(ServerAction.mailbox_id == mailbox_id, ServerAction.state == "queued")
        .order_by(col(ServerAction.id))
        .limit(MOST)
    ).all()
    first: dict[tuple[int, bool], ServerAction] = {}
    last_flag = {action.message_id: action.id for action in waiting if action.kind in FLAGS}
    ready: list[ServerAction] = []
    for action in waiting:
        flag = action.kind in FLAGS
        before = first.setdefault((action.message_id, flag), action)
        ahead = before.kind == action.kind or flag  # flags of one message say it all; moves keep their order
        ripe = action.not_before <= now and (action.next_try_at is None or action.next_try_at <= now)
        if ahead and ripe:
            ready.append(action)
    if not ready:
        return []
    mailbox = session.get_one(Mailbox, mailbox_id)
    folders = {f.id or 0: f for f in session.exec(select(Folder).where(Folder.mailbox_id == mailbox_id))}
    ids = {action.message_id for action in ready}
    messages = {
        m.id: m for part in chunks(sorted(ids)) for m in session.exec(select(Message).where(col(Message.id).in_(part)))
    }
    located: dict[int, list[MessageLocation]] = {}
    for part in chunks(sorted(ids)):
        for location in session.exec(select(MessageLocation).where(col(MessageLocation.message_id).in_(part))):
            located.setdefault(location.message_id, []).append(location)
    out = [
        _todo(
            session, mailbox, folders, action, messages[action.message_id], located.get(action.message_id, []),
            followed=action.kind in FLAGS and (last := last_flag[action.message_id]) != action.id
            and any(a.id == last and a.kind != action.kind for a in waiting),
        )
        for action in ready
    ]  # fmt: skip
    return sorted(out, key=lambda todo: (todo.kind not in FLAGS, todo.id))


def _todo(
    session: Session,
    mailbox: Mailbox,
    folders: dict[int, Folder],
    action: ServerAction,
    message: Message,
    located: Sequence[MessageLocation],
    *,
    followed: bool,
) -> Todo:
    gmail = is_gmail(mailbox.capabilities, mailbox.provider)
    kind: Kind = action.kind  # type: ignore[assignment]  # a check constraint holds the kinds
    source_id = action.from_folder_id
    if kind in FLAGS and located and source_id not in {location.folder_id for location in located}:
        source_id = located[0].folder_id  # it was moved: the flag follows it
    source = folders.get(source_id or 0)
    target_id = action.to_folder_id
    if kind not in FLAGS and (target_id is None or not _usable(folders.get(target_id))):
        target_id = queue.target_of(session, mailbox.id or 0, kind, gmail=gmail) if kind not in BACK else None
    target = folders.get(target_id or 0)
    hints: dict[int, int] = {}
    for location in located:
        if source is not None and location.folder_id == source.id and source.uidvalidity is not None:
            hints.setdefault(source.uidvalidity, location.uid)
    if source_id == action.from_folder_id and action.from_uidvalidity is not None and action.from_uid is not None:
        hints[action.from_uidvalidity] = action.from_uid
    others = {location.folder_id for location in located} - {source_id, target_id}
    return Todo(
        id=action.id or 0,
        message_id=action.message_id,
        kind=kind,
        tries=action.tries,
        allowed=bool(getattr(mailbox, queue.SETTING[kind])),
        followed=followed,
        keeps=gmail and source is not None and source.role == "all" and target is not None and target.role == "inbox",
        elsewhere=bool(others),
        source=Spot(source.id or 0, source.name) if source is not None and source.gone_at is None else None,
        target=Spot(target.id or 0, target.name) if target is not None and _usable(target) else None,
        hints=hints,
        to_uidvalidity=action.to_uidvalidity,
        to_uid=action.to_uid,
        rfc_message_id=message.rfc_message_id,
        remote_id=message.remote_id,
        size=message.size,
    )


def _usable(folder: Folder | None) -> bool:
    return folder is not None and folder.selectable and folder.gone_at is None


def begin(session: Session, todos: Sequence[Todo], target: Spot | None, bound: tuple[int, int] | None) -> set[int]:
    """Note that a command is about to be sent, and the target's UIDNEXT; return which actions still stand.

    Until an action is done its `to_uid` is that bound: a copy of ours has this UID or a higher one.
    """
    noted: set[int] = set()
    for todo in todos:
        values: dict[str, object] = {"tries": ServerAction.tries + 1}
        if target is not None and bound is not None and (not todo.tries or todo.to_uidvalidity != bound[0]):
            todo.to_uidvalidity, todo.to_uid = bound
            values |= {"to_folder_id": target.id, "to_uidvalidity": bound[0], "to_uid": bound[1]}
        standing = (col(ServerAction.id) == todo.id, col(ServerAction.state) == "queued")
        if run(session, update(ServerAction).where(*standing).values(**values)).rowcount:
            noted.add(todo.id)
    return noted


def ended(session: Session, todo: Todo, end: End) -> None:
    """Write the end of an action, and where its message lies now. Does nothing when it ended before."""
    action = session.exec(
        select(ServerAction).where(ServerAction.id == todo.id, ServerAction.state == "queued").with_for_update()
    ).first()
    if action is None:
        return
    action.state, action.done_at = end.state, utcnow()
    action.outcome = "" if end.state == "failed" else end.outcome
    action.error_code, action.error_params = (end.outcome, {}) if end.state == "failed" else ("", {})
    action.next_try_at = None
    if end.state == "done" and todo.kind in FLAGS:
        _save_seen(session, todo)
    if end.moved and todo.target is not None:
        action.to_folder_id = todo.target.id
        action.to_uidvalidity, action.to_uid = todo.landed or (None, None)
        _move(session, todo)
        _lead_on(session, action)
    session.add(action)
    _tell(session, todo.message_id)


def refused(session: Session, action_id: int, error: MailcrmError, *, give_up: bool) -> None:
    """Keep why the server refused; the next try is later, or a person's."""
    action = session.get(ServerAction, action_id)
    if action is None or action.state != "queued":
        return
    _keep_error(action, error)
    action.tries = max(action.tries, 1)
    if give_up or action.tries >= MAX_TRIES:
        action.state, action.done_at, action.next_try_at = "failed", utcnow(), None
        _tell(session, action.message_id)
    session.add(action)


def put_off_due(session: Session, mailbox_id: int, error: MailcrmError) -> None:
    """Try everything that is due again later: the server could not be reached, or asked to wait."""
    query = select(ServerAction).where(ServerAction.mailbox_id == mailbox_id, queue.due(utcnow()))
    for action in session.exec(query):
        _keep_error(action, error)
        session.add(action)


def give_back(mailbox_id: int, owner: str) -> None:
    """Give the mailbox's lease back, if it is still ours."""
    with transaction() as session:
        run(
            session,
            update(Mailbox)
            .where(col(Mailbox.id) == mailbox_id, col(Mailbox.lease_owner) == owner)
            .values(lease_owner="", lease_until=None),
        )


def _keep_error(action: ServerAction, error: MailcrmError) -> None:
    now = utcnow()
    action.error_code = error.code
    action.error_params = {name: str(value) for name, value in error.params.items()}
    wait = retry_after(now - action.not_before)
    if isinstance(error, TransientError) and error.retry_after is not None:
        wait = timedelta(seconds=error.retry_after)
    action.next_try_at = now + wait


def _save_seen(session: Session, todo: Todo) -> None:
    if todo.source is None or todo.uid is None:
        return
    location = session.exec(
        select(MessageLocation).where(MessageLocation.folder_id == todo.source.id, MessageLocation.uid == todo.uid)
    ).first()
    if location is not None:
        seen = todo.kind == "read"
        others = set(location.flags.split()) - {"\\Seen"}
        location.flags = " ".join(sorted(others | ({"\\Seen"} if seen else set())))
        location.seen = seen
        session.add(location)


def _move(session: Session, todo: Todo) -> None:
    """Take the location along, so that the next sync finds nothing new and nothing gone."""
    assert todo.target is not None
    flags, seen = "", False
    if todo.source is not None:
        at = col(MessageLocation.folder_id) == todo.source.id
        # Under a new UIDVALIDITY the row still has the old UID, which the hints know.
        uids = [*todo.hints.values(), *([todo.uid] if todo.uid is not None else [])]
        here = session.exec(
            select(MessageLocation).where(
                at, MessageLocation.message_id == todo.message_id, col(MessageLocation.uid).in_(uids)
            )
        ).all()
        left = min(here, key=lambda location: location.uid != todo.uid, default=None)
        if left is not None:
            flags, seen = left.flags, left.seen
            if not todo.keeps:
                session.delete(left)
                source = session.get_one(Folder, todo.source.id)
                source.server_count -= 1
                session.add(source)
                session.flush()
    if todo.landed is not None:
        _arrive(session, todo, flags, seen)
    # Wherever it is now, we put it there: a pass that missed it in between has nothing to say any more.
    run(session, update(Message).where(col(Message.id) == todo.message_id).values(gone_at=None, lost_at=None))
    junk.settle_messages(session, [todo.message_id])


def _arrive(session: Session, todo: Todo, flags: str, seen: bool) -> None:
    """Add the new location where the target is synced; elsewhere the action's own row keeps it."""
    assert todo.target is not None
    assert todo.landed is not None
    validity, uid = todo.landed
    folder = session.get_one(Folder, todo.target.id)
    if not folder.chosen or folder.uidvalidity != validity:
        return
    waits = run(
        session, delete(PendingUid).where(col(PendingUid.folder_id) == folder.id, col(PendingUid.uid) == uid)
    ).rowcount
    if not waits:
        for table in (MessageLocation, SkippedUid, Quarantined):
            if (
                session.exec(select(table.uid).where(table.folder_id == folder.id, table.uid == uid)).first()
                is not None
            ):
                return
        folder.server_count += 1
    session.add(MessageLocation(folder_id=folder.id or 0, uid=uid, message_id=todo.message_id, seen=seen, flags=flags))
    if folder.uidnext == uid:
        folder.uidnext = uid + 1
    session.add(folder)
    session.flush()


def _lead_on(session: Session, done: ServerAction) -> None:
    """Point the actions that wait behind this one to where the message is now."""
    for action in session.exec(
        select(ServerAction).where(
            ServerAction.message_id == done.message_id,
            ServerAction.state == "queued",
            col(ServerAction.id) != done.id,
            or_(
                and_(
                    col(ServerAction.from_folder_id) == done.from_folder_id,
                    col(ServerAction.from_uid) == done.from_uid,
                    col(ServerAction.id) > done.id,
                    col(ServerAction.kind) != done.kind,
                ),
                and_(col(ServerAction.from_folder_id) == done.to_folder_id, col(ServerAction.from_uid).is_(None)),
            ),
        )
    ):
        action.from_folder_id = done.to_folder_id
        action.from_uidvalidity, action.from_uid = done.to_uidvalidity, done.to_uid
        session.add(action)


def _tell(session: Session, message_id: int) -> None:
    found = rows(
        session,
        select(Message.user_id, Message.mailbox_id, Message.thread_id).where(Message.id == message_id),
    )
    for user_id, mailbox_id, thread_id in found:
        live.hint(session, user_id, "mail", thread_id)
        live.hint(session, user_id, "sync", mailbox_id)
