"""Notes: plain texts that colleagues leave with persons, organizations, deals and leads.

Whoever sees what a note is about may read, change, pin and delete it (subjects.py). Text only, never HTML.
"""

from __future__ import annotations

from typing import Any

from sqlmodel import Session, col, select

from mailcrm.errors import UserError
from mailcrm.models import Note, User, utcnow
from mailcrm.services import access, audit, live, paging
from mailcrm.services.access import Actor
from mailcrm.services.crm import checks, subjects
from mailcrm.services.crm.views import NoteView
from mailcrm.services.db import reading, transaction
from mailcrm.services.rows import pick, rows

TEXT_MOST = 20_000  # characters


def create_note(
    actor: Actor,
    text: str,
    *,
    person_id: int | None = None,
    organization_id: int | None = None,
    deal_id: int | None = None,
    lead_id: int | None = None,
    pinned: bool = False,
) -> NoteView:
    """Leave a note with one or more rows."""
    given = {"person_id": person_id, "organization_id": organization_id, "deal_id": deal_id, "lead_id": lead_id}
    with transaction() as session:
        about = subjects.check(session, actor, given)
        row = Note(text=_text(text), pinned=pinned, author_id=actor.user_id, **about)
        session.add(row)
        return _changed(session, actor, "create", row)


def list_notes(
    actor: Actor,
    *,
    person_id: int | None = None,
    organization_id: int | None = None,
    deal_id: int | None = None,
    lead_id: int | None = None,
    pinned: bool | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> paging.Page[NoteView]:
    """Return the notes that the actor may see, newest first; a filter left out asks for nothing."""
    given = {"person_id": person_id, "organization_id": organization_id, "deal_id": deal_id, "lead_id": lead_id}
    size = paging.page_size(limit)
    where = [subjects.seen(actor, Note), *subjects.narrowed(actor, Note, given)]
    if pinned is not None:
        where.append(col(Note.pinned).is_(pinned))
    if cursor:
        where.append(paging.older(cursor, col(Note.created_at), col(Note.id)))
    statement = select(Note).where(*where).order_by(col(Note.created_at).desc(), col(Note.id).desc()).limit(size + 1)
    with reading() as session:
        found = views(session, actor, list(session.exec(statement)))
    return paging.cut(found, size, lambda row: paging.cursor_at(row.created_at, row.id))


def get_note(actor: Actor, note_id: int) -> NoteView:
    """Return one note."""
    with reading() as session:
        return views(session, actor, [_load(session, actor, note_id)])[0]


def change_note(actor: Actor, note_id: int, *, text: str | None = None, pinned: bool | None = None) -> NoteView:
    """Change what is given; another text leaves the moment of the change."""
    with transaction() as session:
        row = _load(session, actor, note_id)
        if text is not None and (tidy := _text(text)) != row.text:
            row.text, row.edited_at = tidy, utcnow()
        if pinned is not None:
            row.pinned = pinned
        return _changed(session, actor, "change", row)


def delete(actor: Actor, note_id: int) -> None:
    """Put a note in the trash."""
    with transaction() as session:
        row = _load(session, actor, note_id)
        row.deleted_at = utcnow()
        _changed(session, actor, "delete", row)


def restore(actor: Actor, note_id: int) -> NoteView:
    """Bring a note back from the trash. Idempotent."""
    with transaction() as session:
        row = access.load(session, Note, note_id, subjects.trashed(actor, Note) | subjects.seen(actor, Note))
        row.deleted_at = None
        return _changed(session, actor, "restore", row)


def views(session: Session, actor: Actor, found: list[Note]) -> list[NoteView]:
    """Return the views of notes that were authorised before, in their order."""
    about = subjects.named(session, actor, found)
    names = names_of(session, {row.author_id for row in found})
    return [
        NoteView(
            id=row.id or 0,
            text=row.text,
            pinned=row.pinned,
            author_id=row.author_id,
            author=names.get(row.author_id or 0, ""),
            about=about.get(row.id or 0, ()),
            created_at=row.created_at,
            edited_at=row.edited_at,
        )
        for row in found
    ]


def names_of(session: Session, user_ids: set[int | None]) -> dict[int, str]:
    """Return the names of users by id."""
    wanted = sorted(each for each in user_ids if each is not None)
    if not wanted:
        return {}
    return {row[0]: row[1] for row in rows(session, pick(User.id, User.name).where(col(User.id).in_(wanted)))}


def _text(value: str) -> str:
    text = checks.text(value, "Note", most=TEXT_MOST)
    if not text:
        raise UserError("input.missing", field="Note")
    return text


def _load(session: Session, actor: Actor, note_id: Any) -> Note:
    return access.load(session, Note, note_id, subjects.seen(actor, Note))


def _changed(session: Session, actor: Actor, verb: str, row: Note) -> NoteView:
    session.add(row)
    session.flush()
    audit.record(session, actor, verb, "note", row.id)
    live.hint(session, None, "crm", row.id)
    return views(session, actor, [row])[0]
