"""Templates: messages to start from, private or shared, in folders, ordered by hand (M07).

Shared ones are read and used by everybody, changed by their owner and administrators. What is kept was checked: its
merge fields are fields, and nothing in it is a statement of a template language (merge_fields.check).
Putting them into drafts, and making them from drafts, is using.py; what became of them is results.py.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from sqlmodel import Session, col, func, select

from mailcrm.errors import UserError
from mailcrm.models import Template, User, utcnow
from mailcrm.services import access, audit, live
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import blobs
from mailcrm.services.mail.outbox.addresses import clean
from mailcrm.services.mail.outbox.html import clean_html, text_of
from mailcrm.services.writing import kept, merge_fields, signatures
from mailcrm.services.writing.views import KeptFileView, TemplateLine, TemplateView

MOST = 500  # of one user
MAX_NAME = 120  # characters
MAX_SUBJECT = 2000  # characters, as a draft's
MAX_HTML = 500_000  # characters; its images are files
SNIPPET = 140  # characters, one line of a list
STEP = 1024  # between positions, so that a move changes one row

_ORDER = (col(Template.shared).desc(), col(Template.position), col(Template.id))


def list_templates(actor: Actor) -> tuple[TemplateLine, ...]:
    """Return the templates that the actor may use: shared ones first, folders and templates in their order."""
    with reading() as session:
        return _by_folder(_lines(session, actor, _all(session, actor)))


def search(actor: Actor, text: str) -> tuple[TemplateLine, ...]:
    """Return the templates that hold every word of `text`, in their order; those with it in the name come first."""
    wanted = _folded(text[:200]).split()
    with reading() as session:
        found = [
            (row, _folded(row.name))
            for row in _all(session, actor)
            if all(word in _folded(f"{row.name} {row.folder} {row.subject} {text_of(row.html)}") for word in wanted)
        ]
        named = [row for row, name in found if all(word in name for word in wanted)]
        others = [row for row, name in found if not all(word in name for word in wanted)]
        return (*_by_folder(_lines(session, actor, named)), *_by_folder(_lines(session, actor, others)))


def get(actor: Actor, template_id: int) -> TemplateView:
    """Return one template."""
    with reading() as session:
        return view(session, actor, access.load(session, Template, template_id, access.visible_template(actor)))


def create(
    actor: Actor, *, name: str, subject: str = "", html: str = "", folder: str = "", shared: bool = False
) -> TemplateView:
    """Make a template, last in its folder.

    Raises UserError: "merge.refused", "merge.statement", "template.too_many", "template.too_large", "input.…".
    """
    made = Template(user_id=actor.user_id, name=named(name), shared=bool(shared))
    made.folder = foldered(folder)
    made.subject, made.html = checked(subject, html)
    with transaction() as session:
        return add(session, actor, made)


def change(
    actor: Actor,
    template_id: int,
    *,
    name: str | None = None,
    subject: str | None = None,
    html: str | None = None,
    folder: str | None = None,
    shared: bool | None = None,
) -> TemplateView:
    """Change a template; what is None stays. Raises as `create` does, and UserError("template.not_yours")."""
    with transaction() as session:
        row = changeable(session, actor, template_id)
        if name is not None:
            row.name = named(name)
        if folder is not None:
            row.folder = foldered(folder)
        if shared is not None:
            row.shared = bool(shared)
        if subject is not None or html is not None:
            row.subject, row.html = checked(
                row.subject if subject is None else subject, row.html if html is None else html
            )
        return changed(session, actor, "change", row)


def copy(actor: Actor, template_id: int, *, name: str = "") -> TemplateView:
    """Make a private template of the actor's own from one that the actor may use, with its files."""
    with transaction() as session:
        row = access.load(session, Template, template_id, access.visible_template(actor))
        made = Template(user_id=actor.user_id, folder=row.folder, subject=row.subject, html=row.html, name=row.name)
        if name:
            made.name = named(name)
        add(session, actor, made)
        kept.copy(session, row, made)
        return view(session, actor, made)


def delete(actor: Actor, template_id: int) -> None:
    """Put a template in the trash; `restore` undoes it. Drafts that were made of it stay as they are."""
    with transaction() as session:
        row = changeable(session, actor, template_id)
        row.deleted_at = utcnow()
        changed(session, actor, "delete", row)


def restore(actor: Actor, template_id: int) -> TemplateView:
    """Undo `delete`. Idempotent."""
    with transaction() as session:
        row = access.load(session, Template, template_id, access.changeable_template(actor))
        row.deleted_at = None
        return changed(session, actor, "restore", row)


def move(
    actor: Actor, template_id: int, *, folder: str | None = None, before_id: int | None = None
) -> tuple[TemplateLine, ...]:
    """Put a template before another one (None: last), and in a folder where one is named; return the list."""
    with transaction() as session:
        row = changeable(session, actor, template_id)
        if folder is not None:
            row.folder = foldered(folder)
        neighbours = [each for each in _all(session, actor) if each.shared == row.shared and each.id != row.id]
        at = len(neighbours)
        if before_id is not None:
            target = access.load(session, Template, before_id, access.visible_template(actor))
            at = next((n for n, each in enumerate(neighbours) if each.id == target.id), at)
        _place([row], neighbours, at)
        changed(session, actor, "move", row)
    return list_templates(actor)


def rename_folder(actor: Actor, shared: bool, folder: str, name: str) -> tuple[TemplateLine, ...]:
    """Give a folder another name ("" dissolves it): for the templates in it that the actor may change."""
    wanted = foldered(name)
    with transaction() as session:
        for row in _in_folder(session, actor, shared, folder):
            row.folder = wanted
            changed(session, actor, "change", row)
    return list_templates(actor)


def move_folder(actor: Actor, shared: bool, folder: str, before: str | None) -> tuple[TemplateLine, ...]:
    """Put a folder before another one (None: last), as far as the actor may change what is in it."""
    with transaction() as session:
        moving = _in_folder(session, actor, shared, folder)
        ids = {each.id for each in moving}
        neighbours = [each for each in _all(session, actor) if each.shared is shared and each.id not in ids]
        at = next((n for n, each in enumerate(neighbours) if each.folder == before), len(neighbours))
        _place(moving, neighbours, at)
        for row in moving:
            changed(session, actor, "move", row)
    return list_templates(actor)


def add_file(
    actor: Actor, template_id: int, filename: str, content_type: str, data: bytes, *, inline: bool = False
) -> KeptFileView:
    """Keep a file, or an image that the text shows as `cid:` + content_id. Raises UserError: "template.files", "image.…"."""
    with transaction() as session:
        row = changeable(session, actor, template_id)
        made = kept.add(session, row, filename, content_type, data, inline=inline)
        live.hint(session, None, "writing", row.id)  # everybody: it may have been shared until now
        return kept.views([made])[0]


def remove_file(actor: Actor, template_id: int, n: int) -> TemplateView:
    """Take a file away again. Raises NotFound when there is none of that number."""
    with transaction() as session:
        row = changeable(session, actor, template_id)
        session.delete(kept.one(session, row, n=n))
        return changed(session, actor, "change", row)


def load_file(
    actor: Actor, template_id: int, *, n: int | None = None, content_id: str = ""
) -> tuple[KeptFileView, bytes]:
    """Return a file of a template with its bytes, by number or Content-ID."""
    with reading() as session:
        row = access.load(session, Template, template_id, access.visible_template(actor))
        found = kept.one(session, row, n=n, content_id=content_id)
        shown, sha = kept.views([found])[0], found.blob_sha
    return shown, blobs.get(sha)


def checked(subject: str, html: str) -> tuple[str, str]:
    """Return subject and text as a template keeps them; UserError for what it may not hold."""
    line = _line(subject, "Subject", MAX_SUBJECT)
    if len(html) > MAX_HTML:
        raise UserError("template.too_large", most=MAX_HTML)
    text = signatures.take_out(clean_html(html))  # the sender's own comes with the draft
    merge_fields.check(line, text)
    return line, merge_fields.with_pills(text)


def named(name: str) -> str:
    """Return a template's name as it is kept; UserError for none."""
    return _line(name, "Name", MAX_NAME, required=True)


def foldered(folder: str) -> str:
    """Return a folder's name as it is kept; "" is no folder."""
    return _line(folder, "Folder", MAX_NAME)


def add(session: Session, actor: Actor, made: Template) -> TemplateView:
    """Keep a new template of the actor's, last in the order. Helper: no commit."""
    have = session.exec(
        select(func.count(), func.coalesce(func.max(Template.position), 0)).where(
            Template.user_id == actor.user_id, col(Template.deleted_at).is_(None)
        )
    ).one()
    if have[0] >= MOST:
        raise UserError("template.too_many", most=MOST)
    last = session.exec(select(func.coalesce(func.max(Template.position), 0))).one()
    made.position = int(last) + STEP
    return changed(session, actor, "create", made)


def changeable(session: Session, actor: Actor, template_id: int) -> Template:
    """Load a template that the actor may change; UserError("template.not_yours") for a colleague's shared one."""
    row = access.load(session, Template, template_id, access.visible_template(actor))
    if row.user_id != actor.user_id and not actor.admin:
        owner = session.get(User, row.user_id)
        raise UserError("template.not_yours", name=owner.name if owner else "")
    return row


def changed(session: Session, actor: Actor, verb: str, row: Template) -> TemplateView:
    """Note a change in its transaction and return the view."""
    row.updated_at = utcnow()
    session.add(row)
    session.flush()
    audit.record(session, actor, verb, "template", row.id)
    live.hint(session, None, "writing", row.id)  # everybody: it may have been shared until now
    return view(session, actor, row)


def view(session: Session, actor: Actor, row: Template) -> TemplateView:
    """Return the view of a row that was authorised."""
    return TemplateView(_lines(session, actor, [row])[0], row.html, kept.views(kept.of(session, row)))


def _all(session: Session, actor: Actor) -> Sequence[Template]:
    return session.exec(select(Template).where(access.visible_template(actor)).order_by(*_ORDER)).all()


def _in_folder(session: Session, actor: Actor, shared: bool, folder: str) -> list[Template]:
    return [
        row
        for row in _all(session, actor)
        if row.shared is shared and row.folder == folder and (actor.admin or row.user_id == actor.user_id)
    ]


def _place(moving: Sequence[Template], neighbours: Sequence[Template], at: int) -> None:
    """Give rows positions between two neighbours; all get new ones, in the same order, where there is no room."""
    low = (
        neighbours[at - 1].position
        if at > 0
        else (neighbours[0].position - STEP * (len(moving) + 1) if neighbours else 0)
    )
    high = neighbours[at].position if at < len(neighbours) else low + STEP * (len(moving) + 1)
    gap = (high - low) // (len(moving) + 1)
    if gap >= 1:
        for n, row in enumerate(moving, 1):
            row.position = low + gap * n
        return
    for n, row in enumerate([*neighbours[:at], *moving, *neighbours[at:]], 1):
        row.position = n * STEP


def _by_folder(lines: Sequence[TemplateLine]) -> tuple[TemplateLine, ...]:
    """Group by shared and folder; a folder stands where its first template does, those without one come first."""
    first: dict[tuple[bool, str], int] = {}
    for at, line in enumerate(lines):
        first.setdefault((line.shared, line.folder), at if line.folder else -1)
    return tuple(sorted(lines, key=lambda line: (not line.shared, first[line.shared, line.folder])))


def _lines(session: Session, actor: Actor, found: Sequence[Template]) -> list[TemplateLine]:
    owners = {row.user_id for row in found}
    names = dict(session.exec(select(User.id, User.name).where(col(User.id).in_(owners))).all()) if owners else {}
    return [
        TemplateLine(
            id=row.id or 0,
            name=row.name,
            folder=row.folder,
            shared=row.shared,
            subject=row.subject,
            snippet=" ".join(text_of(row.html).split())[:SNIPPET],
            owner_id=row.user_id,
            owner=names.get(row.user_id, ""),
            mine=row.user_id == actor.user_id,
            changeable=actor.admin or row.user_id == actor.user_id,
            updated_at=row.updated_at,
        )
        for row in found
    ]


def _line(text: str, field: str, most: int, *, required: bool = False) -> str:
    found = clean(text)
    if required and not found:
        raise UserError("input.missing", field=field)
    if len(found) > most:
        raise UserError("input.too_long", field=field, most=most)
    return found


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
