"""Files of a draft: attachments and the pictures in its text; taken in, shown, removed, and brought back.

A picture's kind comes from its bytes, never from its name, and its size in pixels is judged before it is kept: an
image bomb, an SVG or a renamed file is refused. What is removed can come back through a sealed note that only this
user and draft can use. Does not send and reads no form (endpoints/drafts.py).
"""

from __future__ import annotations

import base64
import mimetypes
import secrets
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

from sqlmodel import Session, col, func, select

from mailcrm.errors import NotFound, PermanentError, UserError
from mailcrm.models import Mailbox, Outbox, OutboxAttachment, utcnow
from mailcrm.services import access, crypto
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import blobs, store
from mailcrm.services.mail.outbox import rows
from mailcrm.services.mail.parse.attachments import safe_filename
from mailcrm.services.mail.providers import sizes
from mailcrm.services.writing import images

MAX_FILES = 100
NAMELESS = "file"
_EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}


@dataclass(frozen=True)
class FileView:
    """A file that goes along. `lost`: its bytes are gone from the store, so it must be attached again."""

    n: int
    filename: str
    content_type: str
    size: int
    lost: bool = False


@dataclass(frozen=True)
class PictureView:
    """A picture of the text, by the Content-ID that its `cid:` names."""

    cid: str
    content_type: str
    size: int
    width: int
    height: int


@dataclass(frozen=True)
class FilesView:
    """The files of a draft; `most` and `used` count bytes, pictures in the text included."""

    files: tuple[FileView, ...]
    most: int
    used: int


@dataclass(frozen=True)
class _Removed:
    """What is needed to bring a file back."""

    n: int
    filename: str
    content_type: str
    size: int
    blob_sha: str


def listing(actor: Actor, draft_id: int) -> FilesView:
    """Return the attachments of a draft and how much may still come."""
    with reading() as session:
        row = access.load(session, Outbox, draft_id, access.own_outbox(actor))
        found = rows.files(session, row.id or 0)
        most, used = _most(session, row), _used(row, found)
        shown = [(FileView(f.n, f.filename, f.content_type, f.size), f.blob_sha) for f in found if not f.inline]
    there = blobs.present(dict.fromkeys(sha for _, sha in shown))
    return FilesView(tuple(replace(view, lost=sha not in there) for view, sha in shown), most, used)


def add(actor: Actor, draft_id: int, filename: str, content_type: str, data: bytes) -> FileView:
    """Attach a file. Raises UserError: "outbox.too_large", "outbox.too_many_files", "outbox.empty_file"."""
    name = safe_filename(filename) or NAMELESS
    if not data:
        raise UserError("outbox.empty_file", name=name)
    made = _keep(actor, draft_id, name, _media_type(name, content_type, data), data, "")
    return FileView(made.n, made.filename, made.content_type, made.size)


def add_picture(actor: Actor, draft_id: int, filename: str, data: bytes) -> PictureView:
    """Take in a picture for the text. Raises UserError: "image.not_one", "image.too_large", and those of `add`."""
    name = safe_filename(filename) or "image"
    image = images.check(data, name)
    stem = name.rpartition(".")[0] or name
    cid = f"{secrets.token_hex(12)}@mailcrm"
    made = _keep(actor, draft_id, f"{stem}.{_EXTENSIONS[image.content_type]}", image.content_type, data, cid)
    return PictureView(cid, image.content_type, made.size, image.width, image.height)


def remove(actor: Actor, draft_id: int, n: int) -> str:
    """Take an attachment away; return the note with which `restore` brings it back. Raises NotFound."""
    with transaction() as session:
        row = _draft(session, actor, draft_id)
        found = session.exec(
            select(OutboxAttachment).where(
                OutboxAttachment.outbox_id == row.id, OutboxAttachment.n == n, col(OutboxAttachment.inline).is_(False)
            )
        ).first()
        if found is None:
            raise NotFound
        removed = _Removed(found.n, found.filename, found.content_type, found.size, found.blob_sha)
        session.delete(found)
        row.updated_at = utcnow()
    return base64.urlsafe_b64encode(crypto.seal(asdict(removed), context=_context(actor, draft_id))).decode()


def restore(actor: Actor, draft_id: int, note: str) -> FileView:
    """Bring a removed attachment back. Raises NotFound for a note of another draft or user, UserError as `add`."""
    try:
        box = base64.urlsafe_b64decode(note.encode("ascii"))
        removed = _Removed(**cast("dict[str, Any]", crypto.unseal(box, context=_context(actor, draft_id))))
    except (ValueError, TypeError, PermanentError) as error:  # changed, cut, or sealed for somebody else
        raise NotFound from error
    try:
        data = blobs.get(removed.blob_sha)
    except blobs.BlobLost as error:
        raise UserError("outbox.file_lost", name=removed.filename) from error
    made = _keep(actor, draft_id, removed.filename, removed.content_type, data, "", n=removed.n)
    return FileView(made.n, made.filename, made.content_type, made.size)


def load(actor: Actor, draft_id: int, n: int) -> tuple[FileView, bytes]:
    """Return an attachment with its bytes. Raises NotFound, UserError("outbox.file_lost")."""
    with reading() as session:
        row = access.load(session, Outbox, draft_id, access.own_outbox(actor))
        found = next((each for each in rows.files(session, row.id or 0) if each.n == n), None)
        if found is None:
            raise NotFound
        view, sha = FileView(found.n, found.filename, found.content_type, found.size), found.blob_sha
    return view, _bytes(view.filename, sha)


def load_picture(actor: Actor, draft_id: int, cid: str) -> tuple[str, bytes]:
    """Return a picture of the text: its type and bytes. Raises NotFound, UserError("outbox.file_lost").

    The type is read from the bytes again, so that nothing but a raster image ever leaves through here.
    """
    with reading() as session:
        row = access.load(session, Outbox, draft_id, access.own_outbox(actor))
        found = next((each for each in rows.files(session, row.id or 0) if cid and each.content_id == cid), None)
        if found is None:
            raise NotFound
        name, sha = found.filename, found.blob_sha
    data = _bytes(name, sha)
    image = images.kind_of(data)
    if image is None:
        raise NotFound
    return image.content_type, data


def _draft(session: Session, actor: Actor, draft_id: int, *, change: bool = True) -> Outbox:
    allowed = access.own_outbox(actor)
    row = rows.own(session, actor, draft_id) if change else access.load(session, Outbox, draft_id, allowed)
    if row.state != "draft":
        raise UserError("outbox.not_draft")
    return row


def _keep(
    actor: Actor, draft_id: int, filename: str, content_type: str, data: bytes, cid: str, *, n: int = 0
) -> FileView:
    with reading() as session:  # before anything is written to the disk
        _check_room(session, _draft(session, actor, draft_id, change=False), len(data))
    sha = blobs.put(data)
    with transaction() as session:
        row = _draft(session, actor, draft_id)
        _check_room(session, row, len(data))  # two uploads at once
        store.save_blobs(session, {sha: len(data)})
        taken = set(session.exec(select(OutboxAttachment.n).where(OutboxAttachment.outbox_id == row.id)))
        made = FileView(
            n if n > 0 and n not in taken else max(taken, default=0) + 1,
            filename,
            rows.media_type(content_type),
            len(data),
        )
        session.add(
            OutboxAttachment(
                outbox_id=row.id or 0,
                n=made.n,
                filename=made.filename,
                content_type=made.content_type,
                size=made.size,
                blob_sha=sha,
                inline=bool(cid),
                content_id=cid,
            )
        )
        row.updated_at = utcnow()
    return made


def _check_room(session: Session, row: Outbox, size: int) -> None:
    found = rows.files(session, row.id or 0)
    most = _most(session, row)
    if _used(row, found) + size > most:
        raise UserError("outbox.too_large", most=most // sizes.MB)
    count = session.exec(select(func.count()).where(OutboxAttachment.outbox_id == row.id)).one()
    if count >= MAX_FILES:
        raise UserError("outbox.too_many_files", most=MAX_FILES)


def _most(session: Session, row: Outbox) -> int:
    mailbox = session.get(Mailbox, row.mailbox_id)
    return sizes.of_host(mailbox.smtp_host if mailbox else "")


def _used(row: Outbox, found: Any) -> int:
    """Bytes that go along: a picture that was deleted from the text stays only for undo and is not sent."""
    return sum(each.size for each in found if not each.inline or f"cid:{each.content_id}" in row.html)


def _media_type(filename: str, declared: str, data: bytes) -> str:
    """The type to say to recipients: an image's from its bytes, others' from the name, else what the browser said."""
    image = images.kind_of(data)
    if image is not None:
        return image.content_type
    guessed = mimetypes.guess_type(filename, strict=False)[0] or declared
    safe = rows.media_type(guessed)
    return "application/octet-stream" if safe in _EXTENSIONS else safe  # named like an image, and none


def _bytes(filename: str, sha: str) -> bytes:
    try:
        return blobs.get(sha)
    except blobs.BlobLost as error:
        raise UserError("outbox.file_lost", name=filename) from error


def _context(actor: Actor, draft_id: int) -> str:
    return f"removed file of {actor.user_id} in {draft_id}"
