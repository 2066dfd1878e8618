"""Saved views: a folder, filters and words under a name, private or shared, each user's in an order of their own.

A view finds nothing by itself: whoever opens it sees what it finds in their own mail. A view that names a mailbox is
its owner's alone. Deleting is undone by `restore`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import SavedView, User, utcnow
from mailcrm.services import access, audit, live
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import list_filters
from mailcrm.services.mail.search import operators
from mailcrm.services.rows import pick, scalar

FOLDERS = ("inbox", "sent", "archive")
NAME_MOST = 40
MOST = 100  # of one user


@dataclass(frozen=True, slots=True)
class View:
    """A saved view as its reader sees it; `own` is whether they may change it."""

    id: int
    name: str
    shared: bool
    own: bool
    folder: str
    filters: tuple[str, ...]
    query: str


def list_views(actor: Actor) -> tuple[View, ...]:
    """Return the views that the actor may open, in the actor's order; new ones come last."""
    with reading() as session:
        order = {each: at for at, each in enumerate(_order(session, actor))}
        found = session.exec(select(SavedView).where(access.visible_view(actor)).order_by(col(SavedView.id))).all()
        ordered = sorted(found, key=lambda row: (order.get(row.id or 0, len(order)), row.id or 0))
        return tuple(_view(actor, row) for row in ordered)


def save(
    actor: Actor, name: str, *, folder: str = "inbox", filters: str = "", query: str = "", shared: bool = False
) -> View:
    """Keep a list under a name; UserError when it is to be shared and names a mailbox."""
    with transaction() as session:
        own = pick(func.count()).where(col(SavedView.user_id) == actor.user_id, col(SavedView.deleted_at).is_(None))
        if scalar(session, own.select_from(SavedView)) >= MOST:
            raise UserError("view.too_many", most=MOST)
        row = SavedView(
            user_id=actor.user_id,
            name=_name(name),
            folder=folder if folder in FOLDERS else "inbox",
            filters=list_filters.written(list_filters.read(filters)),
            query=query.strip()[: operators.MOST],
        )
        _share(row, shared)
        return _changed(session, actor, "create", row)


def change(actor: Actor, view_id: int, *, name: str | None = None, shared: bool | None = None) -> View:
    """Give an own view another name, share it, or keep it to oneself."""
    with transaction() as session:
        row = _load(session, actor, view_id)
        if row.deleted_at is not None:
            raise NotFound
        if name is not None:
            row.name = _name(name)
        was = row.shared
        if shared is not None:
            _share(row, shared)
        return _changed(session, actor, "change", row, also=was)


def delete(actor: Actor, view_id: int) -> None:
    """Take an own view away, from whom it is shared with too; `restore` brings it back."""
    with transaction() as session:
        row = _load(session, actor, view_id)
        row.deleted_at = row.deleted_at or utcnow()
        _changed(session, actor, "delete", row)


def restore(actor: Actor, view_id: int) -> View:
    """Undo `delete`. Idempotent."""
    with transaction() as session:
        row = _load(session, actor, view_id)
        row.deleted_at = None
        return _changed(session, actor, "restore", row)


def reorder(actor: Actor, view_ids: Sequence[int]) -> tuple[View, ...]:
    """Put the actor's list of views in this order; those left out come behind. Nobody else's list changes."""
    with transaction() as session:
        known = set(session.exec(select(SavedView.id).where(access.visible_view(actor))))
        user = session.get_one(User, actor.user_id)
        user.view_order = [each for each in dict.fromkeys(view_ids) if each in known]
        session.add(user)
        live.hint(session, actor.user_id, "views")
    return list_views(actor)


def _name(name: Any) -> str:
    title = " ".join("".join(each if each.isprintable() else " " for each in str(name)).split())
    if not title:
        raise UserError("input.missing", field="Name")
    if len(title) > NAME_MOST:
        raise UserError("input.too_long", field="Name", most=NAME_MOST)
    return title


def _share(row: SavedView, shared: bool) -> None:
    if shared and list_filters.ids(list_filters.read(row.filters), "box"):
        raise UserError("view.mailbox")
    row.shared = bool(shared)


def _order(session: Session, actor: Actor) -> list[int]:
    return list(scalar(session, pick(User.view_order).where(col(User.id) == actor.user_id)))


def _load(session: Session, actor: Actor, view_id: int) -> SavedView:
    return access.load(session, SavedView, view_id, access.changeable_view(actor))


def _changed(session: Session, actor: Actor, verb: str, row: SavedView, *, also: bool = False) -> View:
    session.add(row)
    session.flush()
    audit.record(session, actor, verb, "view", row.id)
    live.hint(session, None if row.shared or also else actor.user_id, "views")
    return _view(actor, row)


def _view(actor: Actor, row: SavedView) -> View:
    words = list_filters.read(row.filters)
    return View(row.id or 0, row.name, row.shared, row.user_id == actor.user_id, row.folder, words, row.query)
