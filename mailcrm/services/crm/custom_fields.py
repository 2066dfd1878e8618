"""Fields that the workspace adds to persons, organizations and deals, and what rows have in them.

Administrators make fields; a field's type never changes, and a choice's option keeps its id for ever (a removed one is
marked `gone` and stays with the rows that have it). Deleting a field hides its values; `restore_field` undoes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, delete
from sqlmodel import Session, col, select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import CustomField, CustomValue, utcnow
from mailcrm.services import access, audit, live
from mailcrm.services.access import Actor
from mailcrm.services.crm import checks, field_values, subjects
from mailcrm.services.crm.views import FieldOption, FieldValue, FieldView
from mailcrm.services.db import reading, transaction
from mailcrm.services.rows import pick, rows, run

KINDS = ("person", "organization", "deal")
TYPES = ("text", "number", "money", "date", "choice")
NAME_MOST = 60
MOST = 100  # fields of one kind
OPTIONS_MOST = 200


def list_fields(actor: Actor, kind: str | None = None) -> tuple[FieldView, ...]:
    """Return the fields in order, of one kind or of all."""
    del actor  # fields are everybody's
    with reading() as session:
        return tuple(_view(row) for row in _standing(session, kind))


def create_field(actor: Actor, kind: str, type_: str, name: str, options: Sequence[str] = ()) -> FieldView:
    """Add a field at the end; `options` are the names of a choice's. Administrators only."""
    access.require_admin(actor)
    checks.choice(kind, "Kind", KINDS)
    checks.choice(type_, "Type", TYPES)
    with transaction() as session:
        present = _standing(session, kind)
        if len(present) >= MOST:
            raise UserError("field.too_many", most=MOST)
        title = _free_name(present, name)
        position = max((row.position for row in present), default=-1) + 1
        row = CustomField(kind=kind, type=type_, name=title, position=position)
        if type_ == "choice":
            row.options = [{"id": at, "name": each} for at, each in enumerate(_option_names(options), 1)]
            if not row.options:
                raise UserError("input.missing", field="Options")
        elif options:
            raise UserError("input.invalid", value=checks.line(str(options[0])[:200], "Options")[:40], field="Options")
        return _changed(session, actor, "create", row)


def change_field(
    actor: Actor,
    field_id: int,
    *,
    name: str | None = None,
    options: Sequence[tuple[int | None, str]] | None = None,
) -> FieldView:
    """Give a field another name, or other options: (id, name), id None for a new one; one left out is gone.

    A new option with a gone one's name brings that back. Administrators only.
    """
    access.require_admin(actor)
    with transaction() as session:
        row = _load(session, field_id)
        if name is not None:
            row.name = _free_name(_standing(session, row.kind), name, but=row.id)
        if options is not None:
            if row.type != "choice":
                raise UserError("field.no_options", name=row.name)
            row.options = _options(row.options, options)
        return _changed(session, actor, "change", row)


def order_fields(actor: Actor, kind: str, field_ids: Sequence[int]) -> tuple[FieldView, ...]:
    """Put the fields of a kind in this order; those left out come behind. Administrators only."""
    access.require_admin(actor)
    with transaction() as session:
        found = _standing(session, checks.choice(kind, "Kind", KINDS))
        place = {field_id: at for at, field_id in enumerate(dict.fromkeys(field_ids))}
        if not set(place) <= {row.id for row in found}:
            raise NotFound
        for position, row in enumerate(sorted(found, key=lambda row: place.get(row.id or 0, len(place)))):
            row.position = position
            session.add(row)
        audit.record(session, actor, "order", "custom_field", None, of=kind)
        live.hint(session, None, "crm")
    return list_fields(actor, kind)


def delete_field(actor: Actor, field_id: int) -> None:
    """Take a field away with its values, which are kept for `restore_field`. Administrators only."""
    access.require_admin(actor)
    with transaction() as session:
        row = _load(session, field_id)
        row.deleted_at = utcnow()
        _changed(session, actor, "delete", row)


def restore_field(actor: Actor, field_id: int) -> FieldView:
    """Undo `delete_field`; UserError when another field took its name. Idempotent. Administrators only."""
    access.require_admin(actor)
    with transaction() as session:
        row = access.load(session, CustomField, field_id, col(CustomField.id).is_not(None))
        if row.deleted_at is not None:
            _free_name(_standing(session, row.kind), row.name)
            row.deleted_at = None
        return _changed(session, actor, "restore", row)


def check(actor: Actor, kind: str, values: Mapping[int, Any]) -> None:
    """Raise what `set_values` would: before something else is written."""
    del actor
    with reading() as session:
        _prepared(session, kind, values)


def set_values(actor: Actor, kind: str, row_id: int, values: Mapping[int, Any]) -> tuple[FieldValue, ...]:
    """Set a row's values by field id, None empties; all of them or none. What is not named stays."""
    with transaction() as session:
        subjects.load(session, actor, kind, row_id)
        of = getattr(CustomValue, f"{kind}_id")
        for field_id, found in _prepared(session, kind, values).items():
            run(session, delete(CustomValue).where(of == row_id, col(CustomValue.field_id) == field_id))
            if found is not None:
                session.add(CustomValue(field_id=field_id, **{f"{kind}_id": row_id}, **found))
        if values:
            audit.record(session, actor, "set_fields", kind, row_id, fields=sorted(values))
            live.hint(session, None, "crm", row_id)
        return _of_row(session, kind, row_id)


def values_of(actor: Actor, kind: str, row_id: int) -> tuple[FieldValue, ...]:
    """Return every field of a row's kind with its value, None where it is empty."""
    with reading() as session:
        subjects.load(session, actor, kind, row_id)
        return _of_row(session, kind, row_id)


def values_of_many(actor: Actor, kind: str, row_ids: Sequence[int]) -> dict[int, dict[int, Any]]:
    """Return every field's value of each of these rows, None where it is empty; rows out of sight have none filled."""
    model = subjects.MODELS[checks.choice(kind, "Kind", KINDS)]
    with reading() as session:
        fields = [row.id or 0 for row in _standing(session, kind)]
        filled = of_rows(session, kind, row_ids, access.visible_crm(actor, model)) if fields and row_ids else {}
    return {row_id: {field: filled.get(row_id, {}).get(field) for field in fields} for row_id in row_ids}


def of_rows(
    session: Session, kind: str, row_ids: Sequence[int], allowed: ColumnElement[bool] | None = None
) -> dict[int, dict[int, Any]]:
    """Return the filled values, by row and field, of rows that were authorised before or that are `allowed`.

    One statement.
    """
    of = getattr(CustomValue, f"{kind}_id")
    statement = (
        pick(
            of.label("row_id"),
            CustomField.type,
            CustomValue.field_id,
            *(getattr(CustomValue, name) for name in field_values.COLUMNS),
        )
        .join(CustomField, col(CustomField.id) == col(CustomValue.field_id))
        .where(of.in_(list(row_ids)), col(CustomField.deleted_at).is_(None))
    )
    if allowed is not None:
        model = subjects.MODELS[kind]
        statement = statement.join(model, of == model.id).where(allowed)
    found: dict[int, dict[int, Any]] = {}
    for row in rows(session, statement):
        found.setdefault(row.row_id, {})[row.field_id] = field_values.term(row.type, row)
    return found


def _of_row(session: Session, kind: str, row_id: int) -> tuple[FieldValue, ...]:
    session.flush()
    filled = of_rows(session, kind, [row_id]).get(row_id, {})
    return tuple(FieldValue(_view(row), filled.get(row.id or 0)) for row in _standing(session, kind))


def _prepared(session: Session, kind: str, values: Mapping[int, Any]) -> dict[int, dict[str, Any] | None]:
    known = {row.id: row for row in _standing(session, checks.choice(kind, "Kind", KINDS))}
    if not set(values) <= set(known):
        raise NotFound
    return {
        field_id: field_values.columns(known[field_id].type, known[field_id].name, known[field_id].options, value)
        for field_id, value in values.items()
    }


def _options(before: Sequence[Any], wanted: Sequence[tuple[int | None, str]]) -> list[dict[str, Any]]:
    names = _option_names([name for _, name in wanted])
    if not names or len(names) != len(wanted):
        raise UserError("input.missing", field="Options")
    by_id = {each["id"]: each for each in before}
    gone = {each["name"].casefold(): each["id"] for each in before if each.get("gone")}
    following, made = max(by_id, default=0) + 1, list[dict[str, Any]]()
    for (option_id, _), name in zip(wanted, names, strict=True):
        if option_id is None:
            option_id = gone.get(name.casefold(), following)
            following += option_id == following
        elif option_id not in by_id:
            raise NotFound
        made.append({"id": option_id, "name": name})
    kept = {each["id"] for each in made}
    return made + [{**each, "gone": True} for each in before if each["id"] not in kept]


def _option_names(values: Sequence[str]) -> list[str]:
    found = [name for value in values if (name := checks.line(value, "Options", most=NAME_MOST))]
    if len(found) > OPTIONS_MOST:
        raise UserError("field.too_many_options", most=OPTIONS_MOST)
    folded = [name.casefold() for name in found]
    for at, name in enumerate(folded):
        if name in folded[:at]:
            raise UserError("field.option_twice", name=found[at])
    return found


def _free_name(present: Sequence[CustomField], name: str, but: int | None = None) -> str:
    title = checks.line(name, "Name", most=NAME_MOST, required=True)
    if any(row.name.casefold() == title.casefold() and row.id != but for row in present):
        raise UserError("field.taken", name=title)
    return title


def _standing(session: Session, kind: str | None) -> list[CustomField]:
    query = select(CustomField).where(col(CustomField.deleted_at).is_(None))
    if kind is not None:
        query = query.where(CustomField.kind == checks.choice(kind, "Kind", KINDS))
    return list(session.exec(query.order_by(col(CustomField.kind), col(CustomField.position), col(CustomField.id))))


def _load(session: Session, field_id: Any) -> CustomField:
    return access.load(session, CustomField, field_id, col(CustomField.deleted_at).is_(None))


def _view(row: CustomField) -> FieldView:
    options = tuple(FieldOption(each["id"], each["name"], bool(each.get("gone"))) for each in row.options)
    return FieldView(row.id or 0, row.kind, row.type, row.name, options)


def _changed(session: Session, actor: Actor, verb: str, row: CustomField) -> FieldView:
    session.add(row)
    session.flush()
    audit.record(session, actor, verb, "custom_field", row.id)
    live.hint(session, None, "crm")
    return _view(row)
