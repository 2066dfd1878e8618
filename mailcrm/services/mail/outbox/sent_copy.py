"""The copy in the server's Sent folder: looked for by Message-ID, appended when the server made none (providers.md 4).

Idempotent: a copy that is there is never made twice, also when the process died right after APPEND. The copy carries
no tracking and keeps Bcc. Creates no folder: without one of role "sent" there is no copy. Sends nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlmodel import col, select

from mailcrm.errors import MailcrmError, NeedsReconnect, NotFound, PermanentError
from mailcrm.models import Folder, Mailbox, Message, Outbox, utcnow
from mailcrm.services import live
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import blobs, outages
from mailcrm.services.mail.outbox import lease
from mailcrm.services.mail.providers import table
from mailcrm.services.mail.remote import MailConnection
from mailcrm.services.mail.signing_in import credentials, open_mailbox

PROBE_S = (0.0, 1.0, 1.0, 2.0)  # waits before looks in Sent, for servers that file copies themselves
MAX_TRIES = 10
BACKOFF_S = 30.0

log = structlog.get_logger()


@dataclass(frozen=True)
class _Job:
    mailbox_id: int
    rfc_message_id: str
    sha: str
    at: datetime
    folders: tuple[str, ...]
    saves: table.SavesSent  # whether the server files a copy by itself (providers.toml)


def store_copies(limit: int = 50) -> int:
    """Put the copies that are due into Sent; return how many messages were looked at. Any number may run at once."""
    now = utcnow()
    with reading() as session:
        due = session.exec(
            select(Outbox.id)
            .where(
                Outbox.sent_copy == "pending",
                col(Outbox.sent_at).is_not(None),
                col(Outbox.next_try_at).is_(None) | (col(Outbox.next_try_at) <= now),
                ~outages.is_out(col(Outbox.mailbox_id)),
            )
            .order_by(col(Outbox.id))
            .limit(limit)
        ).all()
    return sum(_copy(outbox_id or 0) for outbox_id in due)


def is_on_server(outbox_id: int) -> bool:
    """True when the message is among ours (the sync met it) or in the server's Sent or All Mail folder."""
    job = _load(outbox_id, ("sent", "all"))
    with reading() as session:
        known = session.exec(
            select(Message.id).where(Message.mailbox_id == job.mailbox_id, Message.rfc_message_id == job.rfc_message_id)
        ).first()
    if known is not None:
        return True
    with _connect(job.mailbox_id) as connection:
        return _found(connection, job, job.folders or _listed(connection))


def _copy(outbox_id: int) -> bool:
    owner = lease.new_owner()
    wanted = (col(Outbox.sent_copy) == "pending") & (col(Outbox.state) != "sending")
    if not lease.take_for(outbox_id, owner, wanted):
        return False
    outcome, error = "stored", None
    try:
        with lease.kept(outbox_id, owner):
            job = _load(outbox_id, ("sent",))
            with _connect(job.mailbox_id) as connection:
                outcome = _store(connection, job)
    except NeedsReconnect as failure:
        outcome, error = "pending", failure
    except PermanentError as failure:
        outcome, error = "failed", failure
    except (MailcrmError, blobs.BlobLost) as failure:
        outcome, error = "pending", failure
    if error is not None:
        log.info("no copy in Sent yet", outbox_id=outbox_id, reason=str(error))
    with transaction() as session:
        row = session.exec(select(Outbox).where(Outbox.id == outbox_id, lease.held(owner)).with_for_update()).first()
        if row is None:
            return True
        row.lease_owner, row.lease_until = "", None
        if outcome == "pending" and row.state == "sent":
            row.tries += 1
            row.next_try_at = utcnow() + timedelta(seconds=BACKOFF_S * 2**row.tries)
            outcome = "failed" if row.tries >= MAX_TRIES else "pending"
        row.sent_copy = outcome
        if outcome != "pending" and row.state == "sent":
            row.next_try_at = None
        session.add(row)
        live.hint(session, row.user_id, "outbox", row.id)
    return True


def _store(connection: MailConnection, job: _Job) -> str:
    folders = job.folders or _listed(connection)
    if not folders:
        return "none"
    for wait in PROBE_S[:1] if job.saves == "no" else PROBE_S:
        time.sleep(wait)
        if _found(connection, job, folders):
            return "stored"
    connection.append(folders[0], blobs.get(job.sha), ("\\Seen",), job.at)
    return "stored"


def _found(connection: MailConnection, job: _Job, folders: tuple[str, ...]) -> bool:
    return any(connection.search_message_id(folder, job.rfc_message_id) for folder in folders)


def _listed(connection: MailConnection) -> tuple[str, ...]:
    """The Sent folder as the server lists it, when the sync has not stored folders yet."""
    return tuple(folder.name for folder in connection.list_folders() if folder.role == "sent" and folder.selectable)


def _connect(mailbox_id: int) -> MailConnection:
    return open_mailbox(credentials(mailbox_id))


def _load(outbox_id: int, roles: tuple[str, ...]) -> _Job:
    with reading() as session:
        row = session.get(Outbox, outbox_id)
        mailbox = session.get(Mailbox, row.mailbox_id) if row is not None else None
        if row is None or mailbox is None or row.rfc_message_id is None or row.sent_blob_sha is None:
            raise NotFound
        found = session.exec(
            select(Folder.name, Folder.role).where(
                Folder.mailbox_id == mailbox.id,
                col(Folder.role).in_(roles),
                col(Folder.gone_at).is_(None),
                col(Folder.selectable).is_(True),
            )
        ).all()
        server = table.bears(mailbox.smtp_host)
        names = tuple(each[0] for each in sorted(found, key=lambda each: roles.index(each[1])))
        return _Job(
            mailbox_id=row.mailbox_id,
            rfc_message_id=row.rfc_message_id,
            sha=row.sent_blob_sha,
            at=row.dated_at or utcnow(),
            folders=names,
            saves=server.saves_sent if server else "no",
        )
