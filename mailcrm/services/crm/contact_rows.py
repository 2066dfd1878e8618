"""What persons and organizations have in common: loading, owners, trash, and all of it for many rows at once.

Takes the model; the verbs of people.py and organizations.py are thin above it. Does not know addresses or domains.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Organization, Person, User, utcnow
from mailcrm.services import access, audit, live
from mailcrm.services.access import Actor
from mailcrm.services.rows import chunks, pick, rows

Contact = TypeVar("Contact", Person, Organization)
MOST = 1000  # rows of one act; a page of the list holds 200


def load(session: Session, actor: Actor, model: type[Contact], row_id: int) -> Contact:
    """Load a row that the actor may see; NotFound otherwise."""
    return access.load(session, model, row_id, access.visible_crm(actor, model))


def changed(session: Session, actor: Actor, verb: str, model: type[Contact], row_id: int, **detail: Any) -> None:
    """Note a change and tell open tabs of it."""
    audit.record(session, actor, verb, model.__name__.lower(), row_id, **detail)
    live.hint(session, None, "crm", row_id)


def load_many(
    session: Session, model: type[Contact], row_ids: Sequence[int], allowed: ColumnElement[bool]
) -> list[Contact]:
    """Load all of these rows, each once; NotFound when one of them is absent or not allowed."""
    wanted = list(dict.fromkeys(row_ids))
    if len(wanted) > MOST:
        raise UserError("contacts.too_many", most=MOST)
    if not all(type(each) is int and 0 < each < 2**63 for each in wanted):
        raise NotFound
    found: list[Contact] = []
    for part in chunks(wanted):
        found += session.exec(select(model).where(col(model.id).in_(part), allowed)).all()
    if len(found) != len(wanted):
        raise NotFound
    return found


def trash(session: Session, actor: Actor, model: type[Contact], row_ids: Sequence[int]) -> None:
    """Put rows in the trash: all of them or none."""
    now = utcnow()
    for row in load_many(session, model, row_ids, access.visible_crm(actor, model)):
        row.deleted_at = now
        session.add(row)
        changed(session, actor, "delete", model, row.id or 0)


def restore(session: Session, actor: Actor, model: type[Contact], row_ids: Sequence[int]) -> None:
    """Bring rows back from the trash: all of them or none."""
    for row in load_many(session, model, row_ids, access.trashed_crm(actor, model)):
        row.deleted_at = None
        session.add(row)
        changed(session, actor, "restore", model, row.id or 0)


def hand_over(session: Session, actor: Actor, model: type[Contact], owners: dict[int, int | None]) -> dict[int, Any]:
    """Give each row its new owner, None for nobody; return the owners from before, which undo it.

    Whoever hands a row to somebody out of their own reach loses sight of it: refused, as nobody could undo that.
    """
    _check_owners(session, {each for each in owners.values() if each is not None})
    before: dict[int, int | None] = {}
    for row in load_many(session, model, list(owners), access.visible_crm(actor, model)):
        row_id = row.id or 0
        before[row_id] = row.owner_id
        if row.owner_id == owners[row_id]:
            continue
        row.owner_id = owners[row_id]
        session.add(row)
        changed(session, actor, "owner", model, row_id, owner=row.owner_id)
    session.flush()
    still = pick(model.id).where(col(model.id).in_(list(owners)[:MOST]), access.visible_crm(actor, model))
    if len(rows(session, still)) != len(owners):
        raise UserError("contacts.out_of_reach")
    return before


def _check_owners(session: Session, user_ids: set[int]) -> None:
    if not all(type(each) is int and 0 < each < 2**63 for each in user_ids):
        raise NotFound
    if not user_ids:
        return
    known = pick(User.id).where(col(User.id).in_(sorted(user_ids)), col(User.disabled_at).is_(None))
    if len(rows(session, known)) != len(user_ids):
        raise NotFound
