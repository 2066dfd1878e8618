"""What the watcher reads from rows and writes to them: whom to watch, that a sync is wanted, how each is watched.

Does not connect anywhere. Passwords stay where they are; only a hash of their box tells that one was replaced (a
token is renewed every hour, and the connection it opened goes on).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import update
from sqlmodel import Session, col

from mailcrm.models import Folder, LiveEvent, Mailbox
from mailcrm.models.base import utcnow
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs import queue
from mailcrm.services.mail.imap.client import encode_folder
from mailcrm.services.mail.providers import pace
from mailcrm.services.rows import chunks, pick, rows, run

INBOX = b'"INBOX"'


@dataclass(frozen=True, slots=True)
class Target:
    """A mailbox to be watched: a connection for each of `places`; `others` are asked for over the first.

    Names are as they stand on the wire. Two that are equal need no new connection.
    """

    mailbox_id: int
    host: str
    stamp: int
    pace: pace.Pace
    places: tuple[bytes, ...]
    others: tuple[bytes, ...] = ()


def targets(ids: Iterable[int] | None = None) -> dict[int, Target]:
    """Return the mailboxes to be watched, all or those of `ids`; who is not in the answer is not to be watched."""
    some = None if ids is None else sorted(set(ids))
    with reading() as session:
        found: dict[int, Target] = {}
        for part in [None] if some is None else chunks(some):
            found |= _targets(session, part)
        return found


def _targets(session: Session, ids: list[int] | None) -> dict[int, Target]:
    boxes = pick(
        Mailbox.id,
        Mailbox.imap_host,
        Mailbox.imap_port,
        Mailbox.imap_security,
        Mailbox.imap_username,
        Mailbox.secret,
        Mailbox.auth,
        Mailbox.grant_subject,
    ).where(col(Mailbox.status) == "active", col(Mailbox.kind) == "imap")
    folders = pick(Folder.mailbox_id, Folder.name, Folder.role, Folder.watched, Folder.chosen).where(
        col(Folder.role).in_(("inbox", "all")) | col(Folder.watched),
        col(Folder.gone_at).is_(None),
        col(Folder.selectable),
    )
    if ids is not None:
        boxes, folders = boxes.where(col(Mailbox.id).in_(ids)), folders.where(col(Folder.mailbox_id).in_(ids))
    of_box: dict[int, list[tuple[str, str, bool, bool]]] = {}
    for mailbox_id, name, role, watched, chosen in rows(session, folders):
        of_box.setdefault(mailbox_id, []).append((name, role, watched, chosen))
    made: dict[int, Target] = {}
    for mailbox_id, host, port, security, username, secret, auth, subject in rows(session, boxes):
        borne = pace.of_host(host)
        names = _places(of_box.get(mailbox_id, []), borne)
        signs_in_with = secret if auth == "password" else subject
        if borne.watch and names:
            made[mailbox_id] = Target(
                mailbox_id, host, hash((host, port, security, username, auth, signs_in_with)), borne,
                names[: borne.watch], names[borne.watch :],
            )  # fmt: skip
    return made


def _places(folders: list[tuple[str, str, bool, bool]], borne: pace.Pace) -> tuple[bytes, ...]:
    """The folders to watch, the most wanted first: where new mail comes in, then what the user chose."""
    first = INBOX
    for name, role, _watched, chosen in folders:
        if role == "all" and borne.all_mail and chosen:
            first = wire_name(name)
            break
        if role == "inbox" and not chosen:
            first = b""
    more = sorted(wire_name(name) for name, _role, watched, chosen in folders if watched and chosen)
    return tuple(dict.fromkeys(place for place in (first, *more) if place))


def wire_name(name: str) -> bytes:
    """Return a folder's name as a quoted string in modified UTF-7; b"" for one that can't be one (F12)."""
    encoded = b"INBOX" if name.upper() == "INBOX" else encode_folder(name).encode()
    if any(char < 0x20 or char == 0x7F for char in encoded):
        return b""
    return b'"' + encoded.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def request_syncs(mailbox_ids: Iterable[int]) -> None:
    """Ask for syncs, then wake the workers up."""
    wanted = sorted(set(mailbox_ids))
    with transaction() as session:
        for part in chunks(wanted):
            active = col(Mailbox.id).in_(part), col(Mailbox.status) == "active"
            run(session, update(Mailbox).where(*active).values(sync_requested_at=utcnow()))
    for mailbox_id in wanted:
        queue.enqueue("sync_mailbox", mailbox_id=mailbox_id)


def note(modes: Mapping[int, str], now: datetime) -> None:
    """Write how each mailbox is watched ("" for not), and that it was seen alive now."""
    with transaction() as session:
        for mode in sorted(set(modes.values())):
            for part in chunks([mailbox_id for mailbox_id, each in modes.items() if each == mode]):
                run(session, update(Mailbox).where(col(Mailbox.id).in_(part)).values(watch=mode, watched_at=now))


def forget_all() -> None:
    """Nobody is watched: the watcher starts, or stops."""
    with transaction() as session:
        run(session, update(Mailbox).where(col(Mailbox.watch) != "").values(watch=""))


def hints(last: int) -> tuple[int, set[int]]:
    """Return the newest hint's id, and the mailboxes that hints after `last` name."""
    with reading() as session:
        query = pick(LiveEvent.id, LiveEvent.topic, LiveEvent.ref).where(col(LiveEvent.id) > last)
        ids: set[int] = set()
        for hint_id, topic, ref in rows(session, query.order_by(col(LiveEvent.id)).limit(500)):
            last = hint_id
            if topic == "sync" and ref is not None:
                ids.add(ref)
        return last, ids
