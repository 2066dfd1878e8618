"""Stores messages: one row each with participants, attachments, thread; used by sync, by the outbox, by Smart Bcc.

The raw bytes must be in the blob store before (`blobs.put`, `blobs.put_many`). Works inside the caller's transaction and
never commits. What is stored is searchable at once (`search/index.py`).
The same bytes in the same mailbox are one message, however often they come. Visibility is stamped from the mailbox's
default now (M24: later changes of the default touch future mail only). Knows no server and no UIDs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from mailcrm.models import Attachment, Blob, Mailbox, MailboxAlias, Message, Participant
from mailcrm.models.base import utcnow
from mailcrm.services import live
from mailcrm.services.mail import blobs, blocking
from mailcrm.services.mail.packs import Place
from mailcrm.services.mail.parse.values import Address, ParsedMessage
from mailcrm.services.mail.search import index
from mailcrm.services.mail.search.text import Words, words_of
from mailcrm.services.mail.thread import assign
from mailcrm.services.mail.thread.references import ids_of
from mailcrm.services.mail.thread.summary import refresh_threads
from mailcrm.services.rows import chunks, insert_many, insert_numbered, insert_of, is_one_of, pick, rows, table_of

_MAX_ADDRESS = 998  # octets: RFC 5321 has 320; longer ones are attacks and don't fit an index
_MAX_NAME = 500  # characters of a display name
_IN = 500


@dataclass(frozen=True, slots=True)
class Incoming:
    """A parsed message to store. `received_at` is INTERNALDATE; `direction` "in" or "out"."""

    sha: str
    size: int
    parsed: ParsedMessage
    received_at: datetime | None
    direction: str
    read: bool
    archived: bool = False
    junk: bool = False  # it came to a Junk folder, and is nowhere else yet (junk.py)
    remote_id: str | None = None
    place: Place | None = None  # in a pack; None: in a file of its own, or there before
    words: Words | None = None  # for the search index; made here when the caller has not


@dataclass(frozen=True, slots=True)
class Owner:
    """The mailbox that messages are stored for, and the addresses that are its own (lower case)."""

    mailbox_id: int
    user_id: int
    visibility: str
    addresses: frozenset[str]


def owner_of(session: Session, mailbox: Mailbox) -> Owner:
    """Load what storing needs to know of a mailbox."""
    assert mailbox.id is not None
    aliases = session.exec(select(MailboxAlias.address).where(MailboxAlias.mailbox_id == mailbox.id)).all()
    return Owner(
        mailbox.id,
        mailbox.user_id,
        mailbox.default_visibility,
        frozenset(a.lower() for a in (mailbox.address, *aliases)),
    )


def sort_moment(received_at: datetime | None, sent_at: datetime | None, now: datetime) -> datetime:
    """Return the moment lists order a message by (sync.md A5), within 1970 and tomorrow.

    INTERNALDATE, unless the message was copied to the server much later than it was sent: then Date. A Date in the
    future never wins, so nobody's clock keeps a message on top.
    """
    first, last = datetime(1970, 1, 1, tzinfo=UTC), now + timedelta(days=1)
    sent = sent_at if sent_at is not None and first <= sent_at <= last else None
    if received_at is None or not first <= received_at <= last:
        return sent or now
    if sent is not None and received_at - sent > timedelta(days=1):
        return sent
    return received_at


def store(
    session: Session, owner: Owner, items: Sequence[Incoming], *, known: Mapping[str, int] | None = None
) -> dict[str, int]:
    """Store what the mailbox does not have yet; return message ids by SHA-256, of old and new ones.

    `known` is what `find` said of them in this transaction, for who asked already.
    Adds the hint that makes open browsers look again. New rows carry `link_pending`: the linking job finds them.
    """
    if not items:
        return {}
    now = utcnow()
    unique = {item.sha: item for item in items}
    save_blobs(session, {i.sha: i.size for i in items}, {i.sha: i.place for i in items if i.place is not None})
    found = find(session, owner.mailbox_id, list(unique)) if known is None else dict(known)
    new = [item for sha, item in unique.items() if sha not in found]
    if not new:
        return found
    assign.lock_user(session, owner.user_id)
    moments = [sort_moment(item.received_at, item.parsed.sent_at, now) for item in new]
    threads = assign.assign(
        session,
        owner.user_id,
        [
            assign.Threadable(
                ids_of(item.parsed.rfc_message_id, item.parsed.in_reply_to, item.parsed.references),
                item.parsed.subject,
                moment,
            )
            for item, moment in zip(new, moments, strict=True)
        ],
    )
    values = [_row(owner, item, thread, at, now) for item, thread, at in zip(new, threads, moments, strict=True)]
    ids = insert_numbered(session, Message, values)
    participants = [row for item, i in zip(new, ids, strict=True) for row in _participants(item.parsed, i)]
    insert_many(session, Participant, participants)
    attachments = [row for item, i in zip(new, ids, strict=True) for row in _attachments(item.parsed, i)]
    insert_many(session, Attachment, attachments)
    blocking.settle_stored(session, owner.user_id, ids)
    index.add(session, [(i, item.words or words_of(item.parsed)) for item, i in zip(new, ids, strict=True)])
    refresh_threads(session, threads)
    live.hint(session, owner.user_id, "mail", owner.mailbox_id)
    return {**found, **{item.sha: i for item, i in zip(new, ids, strict=True)}}


def find(session: Session, mailbox_id: int, shas: Sequence[str]) -> dict[str, int]:
    """Return the ids of the mailbox's messages that have these bytes."""
    found: dict[str, int] = {}
    for start in range(0, len(shas), _IN):
        for sha, i in session.exec(
            select(Message.blob_sha, Message.id).where(
                Message.mailbox_id == mailbox_id, is_one_of(session, col(Message.blob_sha), shas[start : start + _IN])
            )
        ):
            found[sha] = i or 0
    return found


def save_blobs(session: Session, sizes: Mapping[str, int], places: Mapping[str, Place] | None = None) -> None:
    """Make sure that `blobs` has a row for each SHA-256, with where it lies in a pack.

    Without a place the bytes are in a file of their own, or the store has them already. Raises blobs.BlobLost when
    neither is so: a sweep took them in between, put them again.
    """
    places = places or {}
    here = dict(sizes)
    for part in chunks([sha for sha in sizes if sha not in places]):
        # The lock keeps a sweep from taking the row before ours refers to it (SQLite has one writer anyway).
        there = pick(Blob.sha256).where(is_one_of(session, col(Blob.sha256), part))
        for row in rows(session, there.with_for_update(read=True, key_share=True)):
            del here[row[0]]
    for sha in here:
        if sha not in places and not blobs.has_file(sha):
            raise blobs.BlobLost(sha)
    if not here:
        return
    now = utcnow()
    table = table_of(Blob)
    nowhere = Place("", 0, 0)
    values: list[dict[str, Any]] = []
    for sha in sorted(here):  # sorted, so that two transactions never wait for each other's rows crosswise
        at = places.get(sha, nowhere)
        values.append(
            {
                "sha256": sha,
                "size": here[sha],
                "pack": at.pack,
                "start": at.start,
                "length": at.length,
                "created_at": now,
            }
        )
    insert = insert_of(session.get_bind())(table)
    mend = insert.on_conflict_do_update(  # a row that lost its bytes finds them again
        index_elements=[table.c.sha256],
        set_={name: insert.excluded[name] for name in ("pack", "start", "length")},
        where=(table.c.pack == "") & (insert.excluded["pack"] != ""),
    )
    session.connection().execute(mend, values)


def _row(owner: Owner, item: Incoming, thread_id: int, sort_at: datetime, now: datetime) -> dict[str, Any]:
    parsed = item.parsed
    author = parsed.from_[0] if parsed.from_ else Address("", "")
    return {
        "mailbox_id": owner.mailbox_id,
        "user_id": owner.user_id,
        "thread_id": thread_id,
        "blob_sha": item.sha,
        "size": item.size,
        "rfc_message_id": parsed.rfc_message_id,
        "remote_id": item.remote_id,
        "in_reply_to": parsed.in_reply_to,
        "direction": item.direction,
        "subject": parsed.subject,
        "snippet": parsed.snippet,
        "from_name": author.name[:_MAX_NAME],
        "from_address": author.address[:_MAX_ADDRESS].lower(),
        "sent_at": _storable(parsed.sent_at),
        "received_at": _storable(item.received_at),
        "sort_at": sort_at,
        "read": item.read,
        "archived": item.archived,
        "junk": item.junk,
        "has_attachments": any(not attachment.inline for attachment in parsed.attachments),
        "auto_submitted": parsed.auto_submitted,
        "partial": any(attachment.section for attachment in parsed.attachments),
        "visibility": owner.visibility,
        "link_pending": not item.junk,
        "created_at": now,
    }


def _storable(value: datetime | None) -> datetime | None:
    """Return an aware moment that converts to UTC, None for what doesn't (year 1 at +14:00)."""
    if value is None:
        return None
    try:
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    except (OverflowError, ValueError):
        return None


def _participants(parsed: ParsedMessage, message_id: int) -> list[dict[str, Any]]:
    roles: tuple[tuple[str, tuple[Address, ...]], ...] = (
        ("from", parsed.from_),
        ("sender", (parsed.sender,) if parsed.sender else ()),
        ("reply_to", parsed.reply_to),
        ("to", parsed.to),
        ("cc", parsed.cc),
        ("bcc", parsed.bcc),
    )
    return [
        {
            "message_id": message_id,
            "role": role,
            "position": position,
            "name": address.name[:_MAX_NAME],
            "address": address.address.lower(),
        }
        for role, addresses in roles
        for position, address in enumerate(addresses)
        if (address.address or address.name) and len(address.address.encode()) <= _MAX_ADDRESS
    ]


def _attachments(parsed: ParsedMessage, message_id: int) -> list[dict[str, Any]]:
    return [
        {
            "message_id": message_id,
            "n": attachment.n,
            "filename": attachment.filename,
            "content_type": attachment.content_type,
            "size": attachment.size,
            "inline": attachment.inline,
            "content_id": attachment.content_id,
            "section": attachment.section,
        }
        for attachment in parsed.attachments
    ]
