"""Files and inline images of templates and signatures, and their copies in drafts.

Helpers: they take a session and a row that was authorised, and never commit. An image keeps its Content-ID in the
draft, so the HTML that shows it needs no change; the same image is never added to a draft twice.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, delete, func, select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import KeptFile, Outbox, OutboxAttachment, Signature, Template
from mailcrm.services.mail.outbox import rows
from mailcrm.services.mail.parse.attachments import safe_filename
from mailcrm.services.writing import images
from mailcrm.services.writing.views import KeptFileView

MAX_FILES = 50
MAX_KEPT = 20 * 1024 * 1024  # bytes in all: leaves a draft room below its 25 MB

Owner = Template | Signature


def of(session: Session, owner: Owner) -> Sequence[KeptFile]:
    """Return the files of a template or signature, in order."""
    return session.exec(select(KeptFile).where(_belongs(owner)).order_by(col(KeptFile.n))).all()


def views(files: Sequence[KeptFile]) -> tuple[KeptFileView, ...]:
    """Return the views of files."""
    return tuple(KeptFileView(f.n, f.filename, f.content_type, f.size, f.inline, f.content_id) for f in files)


def add(session: Session, owner: Owner, filename: str, content_type: str, data: bytes, *, inline: bool) -> KeptFile:
    """Keep a file; an inline one must be an image and gets a Content-ID of its own.

    Raises UserError: "template.files", "image.not_one", "image.too_large".
    """
    name = safe_filename(filename) or "file"
    if inline:
        content_type = images.check(data, name).content_type
    have = session.exec(
        select(func.count(), func.coalesce(func.sum(KeptFile.size), 0), func.coalesce(func.max(KeptFile.n), 0)).where(
            _belongs(owner)
        )
    ).one()
    if have[0] >= MAX_FILES or int(have[1]) + len(data) > MAX_KEPT:
        raise UserError("template.files", most=MAX_KEPT // 1024**2)
    row = KeptFile(
        template_id=owner.id if isinstance(owner, Template) else None,
        signature_id=owner.id if isinstance(owner, Signature) else None,
        n=int(have[2]) + 1,
        filename=name,
        content_type=rows.media_type(content_type),
        size=len(data),
        blob_sha=rows.keep_blob(session, data),
        inline=inline,
        content_id=f"{secrets.token_hex(12)}@mailcrm" if inline else "",
    )
    session.add(row)
    session.flush()
    return row


def one(session: Session, owner: Owner, *, n: int | None = None, content_id: str = "") -> KeptFile:
    """Return one file by number or Content-ID; NotFound when there is none."""
    which = col(KeptFile.content_id) == content_id if content_id else col(KeptFile.n) == n
    found = session.exec(select(KeptFile).where(_belongs(owner), which)).first()
    if found is None:
        raise NotFound
    return found


def copy(session: Session, source: Owner, target: Owner) -> None:
    """Give `target` the files of `source`, with their numbers and Content-IDs."""
    for each in of(session, source):
        made = KeptFile(
            template_id=target.id if isinstance(target, Template) else None,
            signature_id=target.id if isinstance(target, Signature) else None,
            **each.model_dump(include={"n", "filename", "content_type", "size", "blob_sha", "inline", "content_id"}),
        )
        session.add(made)
    session.flush()


def to_draft(session: Session, draft: Outbox, files: Sequence[KeptFile]) -> None:
    """Copy files into a draft; an image that is there already is not added again.

    Raises UserError("outbox.too_large").
    """
    from mailcrm.services.mail.outbox.draft import MAX_ATTACHED  # draft.py asks for signatures when it begins one

    present = rows.files(session, draft.id or 0)
    known = {each.content_id for each in present if each.content_id}
    new = [each for each in files if not each.content_id or each.content_id not in known]
    if sum(each.size for each in [*present, *new]) > MAX_ATTACHED:
        raise UserError("outbox.too_large", most=MAX_ATTACHED // 1024**2)
    n = max((each.n for each in present), default=0)
    for at, each in enumerate(new, n + 1):
        session.add(
            OutboxAttachment(
                outbox_id=draft.id or 0,
                n=at,
                **each.model_dump(include={"filename", "content_type", "size", "blob_sha", "inline", "content_id"}),
            )
        )
    session.flush()


def drop_from_draft(session: Session, draft: Outbox, content_ids: Collection[str], html: str) -> None:
    """Take images out of a draft that its text no longer shows: they would go along as files."""
    gone = [each for each in content_ids if each and f"cid:{each}" not in html]
    if gone:
        session.exec(
            delete(OutboxAttachment).where(
                col(OutboxAttachment.outbox_id) == draft.id, col(OutboxAttachment.content_id).in_(gone)
            )
        )


def _belongs(owner: Owner) -> ColumnElement[bool]:
    column = KeptFile.template_id if isinstance(owner, Template) else KeptFile.signature_id
    return col(column) == owner.id
