"""The second way in: a mailbox that Smart Bcc mail lies in, read over IMAP, for those who have no mail domain (M01).

    lease ─▶ EXAMINE ─▶ new UIDs ─▶ each on our disk with its rows, cursor moved, in one transaction ─▶ next look

Plus-addresses of one mailbox, or a catch-all domain; whom a message was for is read from what the servers wrote into
it. Only reads: nothing there is marked, moved or deleted. Another UIDVALIDITY means another folder: it is read from
its beginning, and what came before is recognised by its bytes. Does not decide what becomes of a message (intake.py).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, and_, or_, update
from sqlmodel import Session, col, select

from mailcrm.config import config
from mailcrm.errors import MailcrmError, TransientError
from mailcrm.models import BccArrival, DropMailbox, utcnow
from mailcrm.services import crypto, live
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs import queue
from mailcrm.services.mail import blobs, store
from mailcrm.services.mail.imap import client
from mailcrm.services.mail.imap.values import FolderStatus, RemoteMessage
from mailcrm.services.mail.parse.headers import header_fields, header_text
from mailcrm.services.mail.parse.values import UnparsableMessage
from mailcrm.services.mail.providers.values import ServerSpec
from mailcrm.services.mail.signing_in import security
from mailcrm.services.rows import run
from mailcrm.services.smart_bcc import accept, places
from mailcrm.services.smart_bcc.accept import MOST_BYTES, Envelope
from mailcrm.services.smart_bcc.places import Place

CONTEXT = "drop_mailbox:1"
EVERY = timedelta(seconds=30)
LEASE = timedelta(minutes=5)
WAITS = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15))
WINDOW = 2_000  # UIDs asked for at once
BATCH = 20  # messages fetched at once
#: Whom a message was for, as the servers on its way wrote it; To and Cc last, for they are the sender's word.
_FIELDS = (
    "delivered-to", "x-original-to", "x-delivered-to", "envelope-to", "x-envelope-to", "x-rcpt-to", "received", "to", "cc",
    "bcc",
)  # fmt: skip

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Job:
    spec: ServerSpec
    password: str
    folder: str
    place: Place
    uidvalidity: int | None
    uidnext: int
    owner: str


def is_due(now: datetime) -> ColumnElement[bool]:
    """The drop mailbox wants a look."""
    free = or_(col(DropMailbox.lease_until).is_(None), col(DropMailbox.lease_until) < now)
    return and_(free, or_(col(DropMailbox.next_try_at).is_(None), col(DropMailbox.next_try_at) <= now))


def fetch() -> int:
    """Take in what is new in the drop mailbox; return how many messages. Nothing while another worker has its lease."""
    job = _begin()
    if job is None:
        return 0
    taken = 0
    try:
        with client.connect(job.spec, job.password, allow_private=config().allow_private_hosts) as connection:
            status = connection.examine(job.folder)
            taken = _take(connection, job, status)
    except MailcrmError as error:
        _end(job, error)
        if not isinstance(error, TransientError):
            log.warning("the drop mailbox can't be read", code=error.code)
        return taken
    _end(job, None)
    if taken:
        queue.enqueue(accept.JOB)
    return taken


def _begin() -> _Job | None:
    owner, now = secrets.token_hex(8), utcnow()
    with transaction() as session:
        mine = update(DropMailbox).where(col(DropMailbox.id) == 1, is_due(now))
        if not run(session, mine.values(lease_owner=owner, lease_until=now + LEASE)).rowcount:
            return None
        row = session.get_one(DropMailbox, 1)
        secret: Any = crypto.unseal(row.secret, context=CONTEXT)
        return _Job(
            ServerSpec(row.host, row.port, security(row.security), row.username), str(secret["imap"]), row.folder,
            places.drop_place(row.address, catch_all=row.catch_all), row.uidvalidity, row.uidnext, owner,
        )  # fmt: skip


def _take(connection: client.ImapConnection, job: _Job, status: FolderStatus) -> int:
    start = job.uidnext if status.uidvalidity == job.uidvalidity else 1
    if job.uidvalidity is None and status.uidnext:
        start = status.uidnext  # what lay there before it was connected was not meant for us
    taken = 0
    if status.uidvalidity != job.uidvalidity:
        _move(job, status.uidvalidity, start, [])
    end = status.uidnext or 2**32
    while start < end:
        uids = connection.list_uids(start, min(start + WINDOW, end) - 1 if status.uidnext else 2**32 - 1)
        for at in range(0, len(uids), BATCH):
            taken += _take_batch(connection, job, status.uidvalidity, uids[at : at + BATCH])
        start = min(start + WINDOW, end) if status.uidnext else end
    _move(job, status.uidvalidity, max(status.uidnext, start if status.uidnext else 0), [])
    return taken


def _take_batch(connection: client.ImapConnection, job: _Job, uidvalidity: int, uids: list[int]) -> int:
    meta = connection.fetch_meta(uids)
    small = [uid for uid in uids if uid in meta and meta[uid].size <= MOST_BYTES]
    for uid in uids:
        if uid in meta and meta[uid].size > MOST_BYTES:
            accept.refuse(Envelope("imap", "", (), known=False), meta[uid].size, "smart_bcc.too_large",
                          most=MOST_BYTES // 1_048_576)  # fmt: skip
    found: list[RemoteMessage] = []
    for item in connection.fetch_raw(small, meta=meta):
        if isinstance(item, RemoteMessage):
            found.append(item)
        else:
            accept.refuse(Envelope("imap", "", (), known=False), 0, "quarantine.not_handed_out")
    _move(job, uidvalidity, max(uids) + 1, found)
    return len(found)


def _move(job: _Job, uidvalidity: int, uidnext: int, items: list[RemoteMessage]) -> None:
    """Keep these messages and pass them with the cursor, in one transaction that the lease holds."""
    names = {blobs.put(item.raw): item for item in items}
    with transaction(durable=bool(items)) as session:
        held = update(DropMailbox).where(col(DropMailbox.id) == 1, col(DropMailbox.lease_owner) == job.owner)
        renewed = held.values(
            uidvalidity=uidvalidity, uidnext=uidnext or DropMailbox.uidnext, lease_until=utcnow() + LEASE
        )
        if not run(session, renewed).rowcount:
            raise TransientError("server.lost", host=job.spec.host)  # somebody else's now, or removed
        for sha, item in names.items():
            if _is_known(session, sha):
                continue
            store.save_blobs(session, {sha: len(item.raw)})
            accept.add_rows(session, item.raw, sha, _envelope(item, job.place))


def _is_known(session: Session, sha: str) -> bool:
    known = select(BccArrival.id).where(BccArrival.way == "imap", BccArrival.blob_sha == sha)
    return session.exec(known).first() is not None


def _envelope(item: RemoteMessage, place: Place) -> Envelope:
    recipients = recipients_of(item.raw, place)
    # The server that holds the mailbox took it in: its word about the sender counts, where the operator named it.
    return Envelope(
        "imap", "", recipients or ("",), ours=True, known=False, received_at=item.internal_date or utcnow()
    )  # fmt: skip


def recipients_of(raw: bytes, place: Place) -> tuple[str, ...]:
    """Return the Smart Bcc addresses that a fetched message was for, by what its header says."""
    try:
        fields, _ = header_fields(raw)
    except UnparsableMessage:
        return ()
    texts = [header_text(value) for name in _FIELDS for value in fields.get(name, ())]
    return tuple(place.address(local) for local in places.named(texts, (place,)))


def _end(job: _Job, error: MailcrmError | None) -> None:
    now = utcnow()
    with transaction() as session:
        row = session.get(DropMailbox, 1)
        if row is None or row.lease_owner != job.owner:
            return
        row.lease_owner, row.lease_until = "", None
        if error is None:
            row.error_code, row.error_params, row.last_success_at, row.next_try_at = "", {}, now, now + EVERY
        else:
            waits = WAITS[0] if not row.error_code else WAITS[1] if isinstance(error, TransientError) else WAITS[2]
            row.error_code, row.error_params = error.code, {name: str(value) for name, value in error.params.items()}
            row.next_try_at = now + waits
        session.add(row)
        live.hint(session, None, "smart_bcc")


def is_set_up() -> bool:
    """Whether there is a drop mailbox."""
    with reading() as session:
        return session.get(DropMailbox, 1) is not None
