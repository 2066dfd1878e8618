r"""Copies of drafts in the server's Drafts folder, where the mailbox's user asked for them (`Mailbox.write_drafts`).

    saved, and typing has paused   APPEND the new text, then remove the former one
    sent, scheduled or discarded   remove it; taken back, it is put there again
    switched off, moved away       remove it

A copy carries its Message-ID and, in a header of ours, the same once more: only what has both is ever removed, so what
another program made of it stays. The new text is there before the former goes, and what a kill left is found by these
marks, so a draft is never missing there and not twice for long. Nothing is read back: mailcrm's draft is the truth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import and_, update
from sqlmodel import Session, col

from mailcrm.errors import MailcrmError, PermanentError, UserError
from mailcrm.models import DraftCopy, Folder, Mailbox, Outbox, utcnow
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import blobs
from mailcrm.services.mail.imap.client import ImapConnection
from mailcrm.services.mail.imap.writing import Writer
from mailcrm.services.mail.outbox import build, outgoing
from mailcrm.services.mail.outbox.addresses import is_address
from mailcrm.services.mail.outbox.draft_copy_due import is_due, lacks_copy, wanted
from mailcrm.services.mail.outbox.queue import new_message_id
from mailcrm.services.mail.signing_in import credentials, open_mailbox
from mailcrm.services.rows import pick, rows, run

LEASE = timedelta(minutes=5)
BACKOFF_S = 30.0
HOPELESS = timedelta(days=1)  # where the server can't: asked again, it may be another one by then
MOST_TRIES = 8  # of the doubling
MARK = "X-Mailcrm-Draft"
_GMAIL = ("gmail.com", "googlemail.com")  # known before anybody signs in; `_can` says why

log = structlog.get_logger()


@dataclass(frozen=True)
class _Job:
    """What is to be done: `raw` is the text to put there, None to remove what is there."""

    mailbox_id: int
    rfc_message_id: str
    folder: str
    raw: bytes | None
    at: datetime | None


def check_possible(session: Session, mailbox_id: int) -> None:
    """Raise UserError("drafts.not_there") where a mailbox can't have copies."""
    try:
        _drafts_folder(session, mailbox_id)
    except PermanentError as error:
        raise UserError(error.code) from error


def keep_copies(limit: int = 50) -> int:
    """Make the copies that are due as their drafts are; return how many were looked at. Any number may run at once."""
    now = utcnow()
    with transaction() as session:
        for outbox_id, mailbox_id, address in rows(
            session,
            pick(Outbox.id, Outbox.mailbox_id, Mailbox.address)
            .join(Mailbox, col(Mailbox.id) == col(Outbox.mailbox_id))
            .where(lacks_copy(now))
            .limit(limit),
        ):
            session.add(DraftCopy(outbox_id=outbox_id, mailbox_id=mailbox_id, rfc_message_id=new_message_id(address)))
    with reading() as session:
        due = [row_id for (row_id,) in rows(session, pick(DraftCopy.id).where(is_due(now)).limit(limit))]
    return sum(_keep(row_id or 0) for row_id in due)


def _keep(copy_id: int) -> bool:
    now = utcnow()
    with transaction() as session:
        mine = and_(col(DraftCopy.id) == copy_id, is_due(now))
        if not run(session, update(DraftCopy).where(mine).values(lease_until=now + LEASE)).rowcount:
            return False
    job: _Job | None = None
    try:
        job = _load(copy_id)
        if job is not None:
            _do(job)
    except (MailcrmError, blobs.BlobLost, build.Unbuildable) as error:
        _put_off(copy_id, error)
        return True
    with transaction() as session:
        row = session.get(DraftCopy, copy_id)
        if row is not None and (job is None or job.raw is None):
            session.delete(row)
        elif row is not None and job is not None:
            row.copied_at, row.lease_until, row.next_try_at, row.tries, row.error_code = job.at, None, None, 0, ""
            session.add(row)
    return True


def _load(copy_id: int) -> _Job | None:
    """Return what to do, noting the folder first; None when nothing was ever put there."""
    with transaction() as session:
        row = session.get(DraftCopy, copy_id)
        if row is None:
            return None
        if not row.folder and _draft_of(session, copy_id) is not None:
            row.folder = _drafts_folder(session, row.mailbox_id)
            session.add(row)
    with reading() as session:
        row = session.get_one(DraftCopy, copy_id)
        draft = _draft_of(session, copy_id)
        if draft is None:
            return _Job(row.mailbox_id, row.rfc_message_id, row.folder, None, None) if row.folder else None
        outbox, mailbox = draft
        mail = outgoing.mail_of(session, outbox, mailbox, message_id=row.rfc_message_id)
        mail = replace(mail, to=_real(mail.to), cc=_real(mail.cc), bcc=_real(mail.bcc))
        job = _Job(row.mailbox_id, row.rfc_message_id, row.folder, b"", outbox.updated_at)
    mark = f"{MARK}: {job.rfc_message_id}\r\n".encode()
    return replace(job, raw=mark + build.build(mail, keep_bcc=True))


def _real(people: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Those with an address that may stand in a header: a draft may hold what is typed by half."""
    return tuple((name, address) for name, address in people if is_address(address))


def _draft_of(session: Session, copy_id: int) -> tuple[Outbox, Mailbox] | None:
    asked = pick(Outbox.id, Mailbox.id).select_from(DraftCopy, Outbox, Mailbox)
    for outbox_id, mailbox_id in rows(session, asked.where(col(DraftCopy.id) == copy_id, wanted())):
        return session.get_one(Outbox, outbox_id), session.get_one(Mailbox, mailbox_id)
    return None


def _drafts_folder(session: Session, mailbox_id: int) -> str:
    """Return the folder for drafts of a mailbox that can have copies. Raises PermanentError("drafts.not_there")."""
    mailbox = session.get(Mailbox, mailbox_id)
    query = pick(Folder.name).where(
        col(Folder.mailbox_id) == mailbox_id,
        col(Folder.role) == "drafts",
        col(Folder.selectable),
        col(Folder.gone_at).is_(None),
    )
    name = next((name for (name,) in rows(session, query.where(~col(Folder.chosen)))), "")
    if not name or mailbox is None or mailbox.kind != "imap" or mailbox.imap_host.endswith(_GMAIL):
        raise PermanentError("drafts.not_there")
    return name


def _can(offers: frozenset[str]) -> bool:
    """Whether a former copy can be removed, and only it: Gmail would archive it."""
    return "UIDPLUS" in offers and "X-GM-EXT-1" not in offers


def _do(job: _Job) -> None:
    with open_mailbox(credentials(job.mailbox_id)) as connection:
        if not isinstance(connection, ImapConnection) or not _can(connection.capabilities()):
            raise PermanentError("drafts.not_there")
        if job.raw is not None:
            connection.append(job.folder, job.raw, ("\\Draft", "\\Seen"), job.at)
        writer = Writer(connection)
        writer.select(job.folder)
        ours = writer.marked(writer.find(None, job.rfc_message_id), MARK, job.rfc_message_id)
        former = ours[:-1] if job.raw is not None else ours
        if former:
            writer.remove(former)
        writer.leave()


def _put_off(copy_id: int, error: Exception) -> None:
    code = getattr(error, "code", "drafts.unbuildable")
    log.info("a draft's copy is not there yet", copy_id=copy_id, reason=code)
    with transaction() as session:
        row = session.get(DraftCopy, copy_id)
        if row is None:
            return
        wait = (
            HOPELESS
            if isinstance(error, PermanentError)
            else timedelta(seconds=BACKOFF_S * 2 ** min(row.tries, MOST_TRIES))
        )
        row.tries += 1
        row.lease_until, row.next_try_at, row.error_code = None, utcnow() + wait, code
        session.add(row)
