"""Loads what an attempt needs: the message as it goes out, the copy that is kept, and who still waits for it.

The kept copy is built and stored first, without tracking and with Bcc. What leaves may be tracked, by a function that
tracking hands in (services/mail knows no tracking), and is one *part* for each group of recipients that get the same
bytes: all together, one recipient's own copy (B04), or those who must not be tracked (T09). Who belongs to which is
decided once (consent.py); all parts are made anew for each attempt, byte for byte the same, with the same headers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sqlmodel import Session

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Mailbox, Message, Outbox, OutboxAttachment, OutboxRecipient, User, utcnow
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import blobs, store
from mailcrm.services.mail.outbox import build, consent, draft, rows
from mailcrm.services.mail.outbox.html import text_of
from mailcrm.services.mail.parse.message import parse_message
from mailcrm.services.mail.parse.values import UnparsableMessage


@dataclass(frozen=True)
class Content:
    """What a part says: the HTML document and the plain text beside it."""

    html: str
    text: str


#: (session, outbox row, content, the addresses that get it) -> the tracked content and the id of its TrackedMessage,
#: in the caller's transaction.
Track = Callable[[Session, Outbox, Content, Sequence[str]], tuple[Content, int]]


@dataclass(frozen=True)
class Part:
    """The same bytes for some recipients: one SMTP transaction."""

    rcpt_to: tuple[str, ...]
    raw: bytes
    tracked_id: int | None = None


@dataclass(frozen=True)
class Outgoing:
    """One attempt: what goes to those who still wait, in order, and the bytes to keep."""

    mailbox_id: int
    mail_from: str
    parts: tuple[Part, ...]
    kept_sha: str


def prepare(outbox_id: int, track: Track) -> Outgoing:
    """Build an attempt and store the copy to keep. Raises build.Unbuildable, NotFound, UserError, blobs.BlobLost."""
    with reading() as session:
        row = session.get(Outbox, outbox_id)
        mailbox = session.get(Mailbox, row.mailbox_id) if row is not None else None
        if row is None or mailbox is None:
            raise NotFound
        user = session.get(User, row.user_id)
        if user is None or user.disabled_at:  # what somebody left behind to be sent later
            raise UserError("auth.disabled")
        # An alias may have gone since it was queued: it comes back to the composer with the reason.
        draft.alias_of(session, mailbox, row.from_address)
        mail = mail_of(session, row, mailbox)
        mail_from = row.from_address or mailbox.address  # bounces and SPF go by who it is from
        one_text = mailbox.kind == "ews"
        wants_tracking = (row.track_opens or row.track_clicks) and not row.plain  # T02
    kept = build.build(mail, keep_bcc=True)
    kept_sha = blobs.put(kept)
    content = Content(build.document(mail), text_of(mail.html)) if wants_tracking else None
    contents: list[tuple[tuple[str, ...], Content | None, int | None]] = []
    with transaction() as session:
        store.save_blobs(session, {kept_sha: len(kept)})
        row = session.get(Outbox, outbox_id)
        if row is None:
            raise NotFound
        row.sent_blob_sha = kept_sha
        session.add(row)
        people = rows.recipients(session, outbox_id)
        if content is not None:
            consent.decide(session, row, people)
            if one_text:
                _one_text(people)
        waiting = rows.unsent(row, people)
        for key, group in _groups(people).items():
            addresses = tuple(dict.fromkeys(each.address for each in group if each in waiting))
            if not addresses:
                continue
            if content is None or key == "":
                contents.append((addresses, None, None))
            else:
                everybody = tuple(dict.fromkeys(each.address for each in group))
                contents.append((addresses, *track(session, row, content, everybody)))
    plain: bytes | None = None
    parts: list[Part] = []
    for addresses, found, tracked_id in contents:
        if found is None:
            plain = plain or build.build(mail)
            parts.append(Part(addresses, plain))
        else:
            parts.append(Part(addresses, build.build(mail, html=found.html, text=found.text), tracked_id))
    return Outgoing(mailbox.id or 0, mail_from, tuple(parts), kept_sha)


def _one_text(people: Sequence[OutboxRecipient]) -> None:
    """Give everybody the same: Exchange's web services send one text to all that its header names (ews/submit.py).

    Nobody gets a copy of their own there, and one who must not be tracked decides for all.
    """
    together = all(each.tracking in ("copy", "together") for each in people)
    for each in people:
        if each.tracking in ("copy", "together"):
            each.tracking = "together" if together else ""


def _groups(people: Sequence[OutboxRecipient]) -> dict[str, list[OutboxRecipient]]:
    """Who gets the same bytes, in the order of the headers: "" is without tracking, "together", or one address."""
    found: dict[str, list[OutboxRecipient]] = {}
    for each in people:
        key = {"copy": each.address.lower(), "together": "together"}.get(each.tracking, "")
        found.setdefault(key, []).append(each)
    return found


def mail_of(session: Session, row: Outbox, mailbox: Mailbox, *, message_id: str = "") -> build.Mail:
    """Return what a row says; `message_id` names one that has no Message-ID of its own yet."""
    people = rows.recipients(session, row.id or 0)
    by_role = {role: tuple((p.name, p.address) for p in people if p.role == role) for role in rows.ROLES}
    user = session.get(User, row.user_id)
    mail = build.Mail(
        message_id=message_id or row.rfc_message_id or "",
        at=row.dated_at or utcnow(),
        sender=(mailbox.display_name or (user.name if user else ""), row.from_address or mailbox.address),
        to=by_role["to"],
        cc=by_role["cc"],
        bcc=by_role["bcc"],
        subject=row.subject,
        html=row.html,
        plain=row.plain,
        files=tuple(
            build.File(file.filename, file.content_type, _bytes(file), file.content_id)
            for file in rows.files(session, row.id or 0)
            if not file.inline or f"cid:{file.content_id}" in row.html  # a picture that was deleted from the text
        ),
    )
    parent = session.get(Message, row.reply_to_message_id) if row.reply_to_message_id else None
    if parent is None:
        return mail
    references = build.references_of(parent.rfc_message_id, _references(parent.blob_sha))
    return replace(mail, in_reply_to=parent.rfc_message_id or "", references=references)


def _bytes(file: OutboxAttachment) -> bytes:
    try:
        return blobs.get(file.blob_sha)
    except blobs.BlobLost as error:  # the composer says it too, before it is sent (files.py)
        raise UserError("outbox.file_lost", name=file.filename) from error


def _references(sha: str) -> tuple[str, ...]:
    try:
        parsed = parse_message(blobs.get(sha))
    except (UnparsableMessage, blobs.BlobLost):
        return ()
    return parsed.references or ((parsed.in_reply_to,) if parsed.in_reply_to else ())
