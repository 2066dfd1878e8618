"""Messages that could not be stored or parsed (B02): list them with their reasons, hand out their bytes, try again.

The reason is a code with parameters and is said in the reader's language; rows of version 0.1 keep a sentence. What
another version of mailcrm failed on is tried again once, by itself. Does not quarantine: the sync engine does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, insert, literal
from sqlmodel import Session, col, delete, func, select

from mailcrm import __version__
from mailcrm.errors import NotFound
from mailcrm.models import Blob, Folder, Mailbox, PendingUid, Quarantined, utcnow
from mailcrm.sentences import SENTENCES
from mailcrm.services import access, audit, i18n, live
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs import queue
from mailcrm.services.mail import blobs
from mailcrm.services.mail.parse.addresses import parse_addresses
from mailcrm.services.mail.parse.headers import first, header_fields, header_text
from mailcrm.services.mail.parse.values import UnparsableMessage
from mailcrm.services.rows import pick, rows, run, scalar

GUESSED = 1_000_000  # bytes of a message that is read to guess whom it is from; larger ones stay unnamed in a list
_SHOWN = 200  # characters of a guess


@dataclass(frozen=True)
class QuarantineView:
    """One message on the server that is not in the lists, and why, in a sentence (`code` is stable).

    `sender` and `subject` are guesses, "" where there is nothing to guess from; `size` in bytes, None without bytes.
    """

    id: int
    mailbox_id: int
    mailbox: str
    folder: str
    uid: int
    reason: str
    tries: int
    tried_at: datetime
    code: str = ""
    sender: str = ""
    subject: str = ""
    size: int | None = None


def list_quarantine(
    actor: Actor, mailbox_id: int | None = None, limit: int | None = None
) -> tuple[QuarantineView, ...]:
    """List the actor's quarantined messages, oldest first; at most `limit`."""
    query = (
        select(Quarantined, Folder, Mailbox, Blob)
        .join(Folder, col(Folder.id) == col(Quarantined.folder_id))
        .join(Mailbox, col(Mailbox.id) == col(Folder.mailbox_id))
        .outerjoin(Blob, col(Blob.sha256) == col(Quarantined.blob_sha))
        .where(access.own_mailbox(actor), col(Folder.chosen).is_(True))
        .order_by(col(Quarantined.id))
    )
    if mailbox_id is not None:
        query = query.where(Mailbox.id == mailbox_id)
    with reading() as session:
        found = session.exec(query if limit is None else query.limit(limit)).all()
        return tuple(_view(actor, *each) for each in found)


def count(actor: Actor, mailbox_id: int | None = None) -> int:
    """Count them."""
    statement = (
        pick(func.count())
        .select_from(Quarantined)
        .join(Folder, col(Folder.id) == col(Quarantined.folder_id))
        .join(Mailbox, col(Mailbox.id) == col(Folder.mailbox_id))
        .where(access.own_mailbox(actor), col(Folder.chosen).is_(True))
    )
    with reading() as session:
        return scalar(session, statement if mailbox_id is None else statement.where(col(Mailbox.id) == mailbox_id))


def load(actor: Actor, item_id: int) -> QuarantineView:
    """Return one of the actor's quarantined messages; NotFound for anybody else's."""
    with reading() as session:
        row = _load(session, actor, item_id)
        folder = session.get_one(Folder, row.folder_id)
        blob = session.get(Blob, row.blob_sha) if row.blob_sha else None
        return _view(actor, row, folder, session.get_one(Mailbox, folder.mailbox_id), blob)


def raw(actor: Actor, item_id: int) -> bytes:
    """Return a quarantined message's bytes; NotFound for anybody else's, and where there are none."""
    with reading() as session:
        sha = _load(session, actor, item_id).blob_sha
    if sha is None:
        raise NotFound
    try:
        return blobs.get(sha)
    except blobs.BlobLost as exc:
        raise NotFound from exc


def retry(actor: Actor, item_id: int | None = None, mailbox_id: int | None = None) -> int:
    """Put quarantined messages back to pending and ask for a sync; return how many. Unknown ids count as none."""
    mine = pick(Folder.id).join(Mailbox, col(Mailbox.id) == col(Folder.mailbox_id)).where(access.own_mailbox(actor))
    which: list[ColumnElement[bool]] = [col(Quarantined.folder_id).in_(mine)]
    if item_id is not None:
        which.append(col(Quarantined.id) == item_id)
    if mailbox_id is not None:
        which.append(col(Quarantined.folder_id).in_(mine.where(col(Mailbox.id) == mailbox_id)))
    with transaction() as session:
        of_item = (
            pick(Folder.mailbox_id)
            .join(Quarantined, col(Quarantined.folder_id) == col(Folder.id))
            .where(*which)
            .distinct()
        )
        boxes = [row[0] for row in rows(session, of_item)]
        done = _make_pending(session, *which)
        for box in boxes:
            mailbox = access.load(session, Mailbox, box, access.own_mailbox(actor))
            mailbox.sync_requested_at, mailbox.next_try_at = utcnow(), None
            session.add(mailbox)
            audit.record(session, actor, "retry_quarantine", "mailbox", box, messages=done)
            live.hint(session, actor.user_id, "sync", box)
    for box in boxes:
        queue.enqueue("sync_mailbox", mailbox_id=box)
    return done


def retry_older(session: Session, mailbox_id: int) -> int:
    """Make pending what another version of mailcrm failed on: an upgrade may read it. Once, since rows keep versions."""
    folders = pick(Folder.id).where(col(Folder.mailbox_id) == mailbox_id)
    return _make_pending(session, col(Quarantined.folder_id).in_(folders), col(Quarantined.version) != __version__)


def sentence(code: str, params: dict[str, Any], language: str) -> str:
    """Say a reason; what an older version kept is a sentence already."""
    return i18n.kept_sentence(code, params, language) if code in SENTENCES else code


def _make_pending(session: Session, *which: ColumnElement[bool]) -> int:
    waiting = pick(col(Quarantined.folder_id), col(Quarantined.uid), literal(0)).where(*which)
    run(session, insert(PendingUid).from_select(["folder_id", "uid", "tries"], waiting))
    return run(session, delete(Quarantined).where(*which)).rowcount


def _load(session: Session, actor: Actor, item_id: int) -> Quarantined:
    mine = pick(Folder.id).join(Mailbox, col(Mailbox.id) == col(Folder.mailbox_id)).where(access.own_mailbox(actor))
    return access.load(session, Quarantined, item_id, col(Quarantined.folder_id).in_(mine))


def _view(actor: Actor, row: Quarantined, folder: Folder, box: Mailbox, blob: Blob | None) -> QuarantineView:
    sender, subject = _guess(blob)
    return QuarantineView(
        id=row.id or 0,
        mailbox_id=box.id or 0,
        mailbox=box.address,
        folder=folder.name,
        uid=row.uid,
        reason=sentence(row.reason, row.reason_params, actor.language),
        tries=row.tries,
        tried_at=row.tried_at,
        code=row.reason if row.reason in SENTENCES else "",
        sender=sender,
        subject=subject,
        size=blob.size if blob else None,
    )


def _guess(blob: Blob | None) -> tuple[str, str]:
    """Read sender and subject from the header, as far as there is one; hostile bytes are the rule here."""
    if blob is None or blob.size > GUESSED:
        return "", ""
    try:
        fields, _ = header_fields(blobs.get(blob.sha256))
        senders = parse_addresses(first(fields, "from"))
        subject = header_text(first(fields, "subject"))
    except (blobs.BlobLost, UnparsableMessage, ValueError, RecursionError):
        return "", ""
    sender = (senders[0].name or senders[0].address) if senders else ""
    return sender[:_SHOWN], subject[:_SHOWN]
