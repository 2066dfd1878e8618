"""Loads what an attempt needs: the message as it goes out, the copy that is kept, and who still waits for it.

The kept copy is built and stored first, without tracking and with Bcc; what leaves may be tracked, by a function that
tracking hands in (services/mail knows no tracking). Both are made anew for each attempt, byte for byte the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlmodel import Session

from mailcrm.errors import NotFound
from mailcrm.models import Mailbox, Message, Outbox, User, utcnow
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import blobs, store
from mailcrm.services.mail.outbox import build, rows
from mailcrm.services.mail.outbox.consent import untracked_recipients
from mailcrm.services.mail.parse.message import parse_message
from mailcrm.services.mail.parse.values import UnparsableMessage

#: (session, outbox row, HTML document) -> the tracked document, in the caller's transaction.
Track = Callable[[Session, Outbox, str], str]


@dataclass(frozen=True)
class Outgoing:
    """One attempt: the bytes for those in `waiting`, and the bytes to keep."""

    mailbox_id: int
    mail_from: str
    waiting: tuple[str, ...]
    raw: bytes
    kept_sha: str


def prepare(outbox_id: int, track: Track) -> Outgoing:
    """Build an attempt and store the copy to keep. Raises build.Unbuildable, NotFound, blobs.BlobLost."""
    with reading() as session:
        row = session.get(Outbox, outbox_id)
        mailbox = session.get(Mailbox, row.mailbox_id) if row is not None else None
        if row is None or mailbox is None:
            raise NotFound
        mail = _mail(session, row, mailbox)
        people = rows.recipients(session, outbox_id)
        waiting = tuple(dict.fromkeys(each.address for each in people if each.state == "waiting"))
        mail_from, wants_tracking = mailbox.address, row.track_opens or row.track_clicks
    kept = build.build(mail, keep_bcc=True)
    kept_sha = blobs.put(kept)
    document: str | None = None
    with transaction() as session:
        store.save_blobs(session, {kept_sha: len(kept)})
        row = session.get(Outbox, outbox_id)
        if row is None:
            raise NotFound
        row.sent_blob_sha = kept_sha
        if wants_tracking and not untracked_recipients(session, [each.address for each in people]):
            document = track(session, row, build.document(mail))
        session.add(row)
    return Outgoing(mailbox.id or 0, mail_from, waiting, build.build(mail, html=document), kept_sha)


def _mail(session: Session, row: Outbox, mailbox: Mailbox) -> build.Mail:
    people = rows.recipients(session, row.id or 0)
    by_role = {role: tuple((p.name, p.address) for p in people if p.role == role) for role in rows.ROLES}
    user = session.get(User, row.user_id)
    mail = build.Mail(
        message_id=row.rfc_message_id or "",
        at=row.dated_at or utcnow(),
        sender=(mailbox.display_name or (user.name if user else ""), mailbox.address),
        to=by_role["to"],
        cc=by_role["cc"],
        bcc=by_role["bcc"],
        subject=row.subject,
        html=row.html,
        files=tuple(
            build.File(file.filename, file.content_type, blobs.get(file.blob_sha), file.content_id)
            for file in rows.files(session, row.id or 0)
        ),
    )
    parent = session.get(Message, row.reply_to_message_id) if row.reply_to_message_id else None
    if parent is None:
        return mail
    references = build.references_of(parent.rfc_message_id, _references(parent.blob_sha))
    return replace(mail, in_reply_to=parent.rfc_message_id or "", references=references)


def _references(sha: str) -> tuple[str, ...]:
    try:
        parsed = parse_message(blobs.get(sha))
    except (UnparsableMessage, blobs.BlobLost):
        return ()
    return parsed.references or ((parsed.in_reply_to,) if parsed.in_reply_to else ())
