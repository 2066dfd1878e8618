"""Labels: words with a colour for persons, organizations, deals, leads and conversations; each kind has its own.

Everybody may make, rename and delete them, and put them on what they see; deleting is undone by `restore_label`, uses
included. Lists filter by label themselves (people_list.py, deal_list.py, leads.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import delete, func
from sqlmodel import Session, col, select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Label, LabelUse, ThreadLabel, utcnow
from mailcrm.services import access, audit, live
from mailcrm.services.access import Actor
from mailcrm.services.crm import checks, subjects
from mailcrm.services.crm.views import LabelMark, LabelView
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import labels as mail_labels
from mailcrm.services.rows import insert_absent, pick, rows, run, scalar

KINDS = ("person", "organization", "deal", "lead")
#: Conversations wear theirs in services/mail/labels.py; the words are made and named here.
ALL_KINDS = (*KINDS, mail_labels.KIND)
COLORS = ("gray", "indigo", "jade", "amber", "red", "plum", "cyan")
NAME_MOST = 40
MOST = 200  # labels of one kind
MOST_ROWS = 1000  # of one change of many


def list_labels(actor: Actor, kind: str | None = None) -> tuple[LabelView, ...]:
    """Return the labels in order, of one kind or of all; `used` counts the rows that the actor may see."""
    wanted = ALL_KINDS if kind is None else (checks.choice(kind, "Kind", ALL_KINDS),)
    found: list[LabelView] = []
    with reading() as session:
        for each in wanted:
            used = _used(actor, each).subquery()
            statement = (
                pick(Label.id, Label.kind, Label.name, Label.color, func.coalesce(used.c.used, 0))
                .outerjoin(used, used.c.label_id == col(Label.id))
                .where(col(Label.kind) == each, col(Label.deleted_at).is_(None))
                .order_by(col(Label.position), col(Label.id))
            )
            found += [LabelView(*row) for row in rows(session, statement)]
    return tuple(found)


def _used(actor: Actor, kind: str) -> Any:
    if kind == mail_labels.KIND:
        of_own = pick(ThreadLabel.label_id, func.count().label("used")).where(col(ThreadLabel.user_id) == actor.user_id)
        return of_own.group_by(col(ThreadLabel.label_id))
    model, of = subjects.MODELS[kind], getattr(LabelUse, f"{kind}_id")
    used = pick(LabelUse.label_id, func.count().label("used")).join(model, of == model.id)
    return used.where(access.visible_crm(actor, model)).group_by(col(LabelUse.label_id))


def create_label(actor: Actor, kind: str, name: str, color: str = "gray") -> LabelView:
    """Add a label at the end; UserError when one of its kind has that name, whatever its case."""
    checks.choice(kind, "Kind", ALL_KINDS)
    with transaction() as session:
        title = _free_name(session, kind, name)
        last, count = rows(
            session,
            pick(func.max(Label.position), func.count()).where(
                col(Label.kind) == kind, col(Label.deleted_at).is_(None)
            ),
        )[0]
        if count >= MOST:
            raise UserError("label.too_many", most=MOST)
        position = 0 if last is None else last + 1
        row = Label(kind=kind, name=title, color=checks.choice(color, "Color", COLORS), position=position)
        return _changed(session, actor, "create", row)


def change_label(actor: Actor, label_id: int, *, name: str | None = None, color: str | None = None) -> LabelView:
    """Give a label another name or colour."""
    with transaction() as session:
        row = _load(session, label_id)
        if name is not None:
            row.name = _free_name(session, row.kind, name, but=row.id)
        if color is not None:
            row.color = checks.choice(color, "Color", COLORS)
        return _changed(session, actor, "change", row)


def order_labels(actor: Actor, kind: str, label_ids: Sequence[int]) -> tuple[LabelView, ...]:
    """Put the labels of a kind in this order; those left out come behind."""
    checks.choice(kind, "Kind", ALL_KINDS)
    with transaction() as session:
        query = select(Label).where(Label.kind == kind, col(Label.deleted_at).is_(None))
        found = list(session.exec(query.order_by(col(Label.position), col(Label.id))))
        place = {label_id: at for at, label_id in enumerate(dict.fromkeys(label_ids))}
        if not set(place) <= {row.id for row in found}:
            raise NotFound
        for position, row in enumerate(sorted(found, key=lambda row: place.get(row.id or 0, len(place)))):
            row.position = position
            session.add(row)
        audit.record(session, actor, "order", "label", None, of=kind)
        live.hint(session, None, "crm")
    return list_labels(actor, kind)


def delete_label(actor: Actor, label_id: int) -> None:
    """Take a label off everything; what wore it is remembered for `restore_label`."""
    with transaction() as session:
        row = _load(session, label_id)
        row.deleted_at = utcnow()
        _changed(session, actor, "delete", row)


def restore_label(actor: Actor, label_id: int) -> LabelView:
    """Undo `delete_label`; UserError when another label took its name. Idempotent."""
    with transaction() as session:
        row = access.load(session, Label, label_id, col(Label.id).is_not(None))
        if row.deleted_at is not None:
            _free_name(session, row.kind, row.name)
            row.deleted_at = None
        return _changed(session, actor, "restore", row)


def check(actor: Actor, kind: str, label_ids: Iterable[Any]) -> None:
    """Raise NotFound unless all of these are labels of the kind: before something else is written."""
    del actor  # labels are everybody's
    with reading() as session:
        _known(session, kind, label_ids)


def set_labels(actor: Actor, kind: str, row_id: int, label_ids: Iterable[Any]) -> tuple[LabelMark, ...]:
    """Let a row wear exactly these labels."""
    with transaction() as session:
        subjects.load(session, actor, kind, row_id)
        wanted, column, of = _known(session, kind, label_ids), f"{kind}_id", getattr(LabelUse, f"{kind}_id")
        standing = pick(Label.id).where(col(Label.deleted_at).is_(None))
        run(
            session,
            delete(LabelUse).where(
                of == row_id, col(LabelUse.label_id).in_(standing), col(LabelUse.label_id).not_in(wanted)
            ),
        )
        insert_absent(session, LabelUse, [{"label_id": each, column: row_id} for each in wanted])
        audit.record(session, actor, "set_labels", kind, row_id)
        live.hint(session, None, "crm", row_id)
        return of_rows(session, kind, [row_id]).get(row_id, ())


def put(actor: Actor, kind: str, row_id: int, label_id: int, on: bool) -> tuple[LabelMark, ...]:
    """Put one label on a row, or take it off."""
    with transaction() as session:
        subjects.load(session, actor, kind, row_id)
        known, column, of = _known(session, kind, [label_id]), f"{kind}_id", getattr(LabelUse, f"{kind}_id")
        if on:
            insert_absent(session, LabelUse, [{"label_id": each, column: row_id} for each in known])
        else:
            run(session, delete(LabelUse).where(of == row_id, col(LabelUse.label_id).in_(known)))
        audit.record(session, actor, "set_labels", kind, row_id)
        live.hint(session, None, "crm", row_id)
        return of_rows(session, kind, [row_id]).get(row_id, ())


def put_many(actor: Actor, kind: str, row_ids: Sequence[int], label_id: int, on: bool) -> tuple[int, ...]:
    """Put one label on rows, or take it off; all of them or none. Return those that it changed, which undo it."""
    column, of = f"{kind}_id", getattr(LabelUse, f"{checks.choice(kind, 'Kind', KINDS)}_id")
    wanted = list(dict.fromkeys(row_ids))
    if len(wanted) > MOST_ROWS:
        raise UserError("input.too_long", field="Rows", most=MOST_ROWS)
    with transaction() as session:
        for row_id in wanted:
            subjects.load(session, actor, kind, row_id)
        (known,) = _known(session, kind, [label_id])
        used = pick(of).where(of.in_(wanted), col(LabelUse.label_id) == known)
        wearing = {row[0] for row in rows(session, used)}
        changed = [row_id for row_id in wanted if (row_id in wearing) != on]
        if on:
            insert_absent(session, LabelUse, [{"label_id": known, column: each} for each in changed])
        else:
            run(session, delete(LabelUse).where(of.in_(changed), col(LabelUse.label_id) == known))
        for row_id in changed:
            audit.record(session, actor, "set_labels", kind, row_id)
            live.hint(session, None, "crm", row_id)
        return tuple(changed)


def labels_of(actor: Actor, kind: str, row_id: int) -> tuple[LabelMark, ...]:
    """Return what a row wears, in the labels' order."""
    with reading() as session:
        subjects.load(session, actor, kind, row_id)
        return of_rows(session, kind, [row_id]).get(row_id, ())


def of_rows(session: Session, kind: str, row_ids: Sequence[int]) -> dict[int, tuple[LabelMark, ...]]:
    """Return what rows wear that were authorised before. One statement."""
    of = getattr(LabelUse, f"{kind}_id")
    uses = pick(of, Label.id, Label.name, Label.color).join(Label, col(Label.id) == col(LabelUse.label_id))
    standing = uses.where(of.in_(list(row_ids)), col(Label.deleted_at).is_(None))
    found: dict[int, tuple[LabelMark, ...]] = {}
    for row_id, *mark in rows(session, standing.order_by(col(Label.position), col(Label.id))):
        found[row_id] = (*found.get(row_id, ()), LabelMark(*mark))
    return found


def _known(session: Session, kind: str, label_ids: Iterable[Any]) -> list[int]:
    checks.choice(kind, "Kind", KINDS)
    wanted = list(dict.fromkeys(label_ids))
    if len(wanted) > MOST or not all(type(each) is int and 0 < each < 2**63 for each in wanted):
        raise NotFound
    query = pick(func.count()).where(
        col(Label.id).in_(wanted), col(Label.kind) == kind, col(Label.deleted_at).is_(None)
    )
    if scalar(session, query) != len(wanted):
        raise NotFound
    return wanted


def _free_name(session: Session, kind: str, name: str, but: int | None = None) -> str:
    title = checks.line(name, "Name", most=NAME_MOST, required=True)
    query = select(Label).where(Label.kind == kind, col(Label.deleted_at).is_(None))
    if any(row.name.casefold() == title.casefold() and row.id != but for row in session.exec(query)):
        raise UserError("label.taken", name=title)
    return title


def _load(session: Session, label_id: Any) -> Label:
    return access.load(session, Label, label_id, col(Label.deleted_at).is_(None))


def _changed(session: Session, actor: Actor, verb: str, row: Label) -> LabelView:
    session.add(row)
    session.flush()
    audit.record(session, actor, verb, "label", row.id)
    live.hint(session, None, "mail" if row.kind == mail_labels.KIND else "crm")
    return LabelView(row.id or 0, row.kind, row.name, row.color, 0)
