"""Writes what was decided, for one batch of lines in the caller's transaction: in bulk, rows before what refers to them.

Does not decide and does not authorise: rows that a Directory knows were loaded for its actor.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, update
from sqlmodel import Session, SQLModel, col, select

from mailcrm.models import (
    AuditEntry,
    CustomField,
    CustomValue,
    DealStage,
    ImportedRow,
    ImportMade,
    Label,
    LabelUse,
    OrganizationDomain,
    PersonAddress,
    PersonPhone,
    Pipeline,
    Stage,
    Workspace,
    utcnow,
)
from mailcrm.services.access import Actor
from mailcrm.services.crm import consent
from mailcrm.services.crm.transfer.directory import Act
from mailcrm.services.crm.transfer.loading import MODELS
from mailcrm.services.crm.transfer.values import folded
from mailcrm.services.rows import insert_absent, insert_numbered, pick, rows, run, scalar, table_of

_DEFAULTS: dict[str, dict[str, Any]] = {
    "organization": {"address": "", "owner_id": None},
    "person": {
        "job_title": "", "organization_id": None, "owner_id": None, "consent": "unknown", "consent_at": None,
        "consent_source": "", "merged_into_id": None,
    },
    "deal": {
        "value_minor": 0, "status": "open", "person_id": None, "organization_id": None, "owner_id": None,
        "expected_close": None, "lost_reason": "", "closed_at": None,
    },
    "lead": {
        "value_minor": None, "status": "open", "person_id": None, "organization_id": None, "owner_id": None,
        "deal_id": None,
    },
}  # fmt: skip
_REFERENCES = ("organization_id", "person_id", "pipeline_id", "stage_id")
_SIDES = ("addresses", "phones", "domains", "labels", "custom", "created_at")


class Written:
    """What a batch wrote: ids of new rows, addresses that became known, persons of deals that opened or closed."""

    def __init__(self) -> None:
        self.ids: dict[int, int] = {}
        self.addresses: set[str] = set()
        self.persons: set[int] = set()


def write(session: Session, actor: Actor, acts: Sequence[Act], *, import_id: int, source: str) -> Written:
    """Write a batch's acts; `import_id` keeps what was made, so that it can be undone."""
    done, now = Written(), utcnow()
    _places(session, acts, done)
    new = {(act.kind, act.id): act for act in reversed(acts) if act.id < 0}  # the first act of each makes it
    makers = {id(act) for act in new.values()}
    for kind in ("organization", "person", "deal", "lead"):
        _make(session, kind, [act for act in acts if id(act) in makers and act.kind == kind], done, now)
    for act in acts:
        if id(act) not in makers and act.kind in MODELS:
            _change(session, act, done, now)
    of_rows = [act for act in acts if act.kind in MODELS]
    _sides(session, of_rows, done)
    _keep(session, actor, of_rows, makers, done, import_id, source, now)
    return done


def make_fields(session: Session, kind: str, wanted: Iterable[tuple[str, str]]) -> list[int]:
    """Make fields of the workspace's own, of (type, name); one that is there already is taken. Return their ids."""
    made: list[int] = []
    for type_, name in wanted:
        query = select(CustomField).where(
            CustomField.kind == kind, CustomField.type == type_, col(CustomField.deleted_at).is_(None)
        )
        present = next((row for row in session.exec(query) if folded(row.name) == folded(name)), None)
        if present is None:
            count = scalar(session, pick(func.count()).select_from(CustomField).where(col(CustomField.kind) == kind))
            present = CustomField(kind=kind, type=type_, name=name[:60], position=count)
            session.add(present)
            session.flush()
        made.append(present.id or 0)
    return made


def _places(session: Session, acts: Iterable[Act], done: Written) -> None:
    for act in acts:
        if act.kind == "pipeline":
            last = scalar(session, pick(func.max(Pipeline.position)))
            row: Pipeline | Stage = Pipeline(name=act.values["name"], position=(last or 0) + 1)
        elif act.kind == "stage":
            pipeline_id = _id(act.values["pipeline_id"], done)
            last = scalar(session, pick(func.max(Stage.position)).where(col(Stage.pipeline_id) == pipeline_id))
            position = 0 if last is None else last + 1
            row = Stage(pipeline_id=pipeline_id, name=act.values["name"], position=position)
        else:
            continue
        session.add(row)
        session.flush()
        done.ids[act.id] = row.id or 0


def _make(session: Session, kind: str, acts: Sequence[Act], done: Written, now: datetime) -> None:
    if not acts:
        return
    currency = scalar(session, pick(Workspace.currency)) or "EUR"
    table: list[dict[str, Any]] = []
    for act in acts:
        values = _columns(act, done)
        row = {**_DEFAULTS[kind], **values, "deleted_at": None}
        row["created_at"] = min(act.values.get("created_at") or now, now)
        if kind in ("deal", "lead"):
            row.setdefault("currency", currency)
        if kind == "deal":
            row["closed_at"] = None if row["status"] == "open" else row["closed_at"] or now
        table.append(row)
    for act, row_id in zip(acts, insert_numbered(session, MODELS[kind], table), strict=True):
        done.ids[act.id] = row_id
    if kind in ("deal", "lead"):
        done.persons |= {row["person_id"] for row in table if row["person_id"] and row["status"] == "open"}
    if kind == "deal":
        stays = [
            {"deal_id": done.ids[act.id], "stage_id": row["stage_id"], "entered_at": row["created_at"], "left_at": None}
            for act, row in zip(acts, table, strict=True)
        ]
        _insert(session, DealStage, stays)


def _change(session: Session, act: Act, done: Written, now: datetime) -> None:
    values, row_id, model = _columns(act, done), _id(act.id, done), MODELS[act.kind]
    if act.kind == "deal" and "status" in values:
        if values["status"] == "open":
            values |= {"closed_at": None, "lost_reason": ""}
        else:
            values["closed_at"] = values.get("closed_at") or now
            values.setdefault("lost_reason", "")
    if not values:
        return
    if act.kind in ("deal", "lead") and {"status", "person_id"} & values.keys():
        before = scalar(session, pick(model.person_id).where(col(model.id) == row_id))  # type: ignore[union-attr]
        done.persons |= {each for each in (before, values.get("person_id")) if each}
    if act.kind == "deal" and "stage_id" in values:
        stay = update(DealStage).where(col(DealStage.deal_id) == row_id, col(DealStage.left_at).is_(None))
        run(session, stay.values(left_at=now))
        _insert(
            session,
            DealStage,
            [{"deal_id": row_id, "stage_id": values["stage_id"], "entered_at": now, "left_at": None}],
        )
    run(session, update(model).where(col(model.id) == row_id).values(**values))


def _sides(session: Session, acts: Sequence[Act], done: Written) -> None:
    """Addresses, telephone numbers, domains, labels and values of own fields."""
    addresses = _listed(session, acts, "addresses", PersonAddress, "person_id", "address", done)
    fresh = {
        _id(act.id, done) for act in acts if act.kind == "person" and act.id < 0
    }  # nobody else knows these rows yet, so theirs can't meet a twin
    _insert(session, PersonAddress, [row for row in addresses if row["person_id"] in fresh])
    insert_absent(session, PersonAddress, [row for row in addresses if row["person_id"] not in fresh])
    done.addresses |= {row["address"] for row in addresses}
    by_person: dict[int, list[str]] = defaultdict(list)
    for row in addresses:
        by_person[row["person_id"]].append(row["address"])
    consent.adopt_many(session, by_person)
    _insert(session, PersonPhone, _listed(session, acts, "phones", PersonPhone, "person_id", "number", done))
    domains = _listed(session, acts, "domains", OrganizationDomain, "organization_id", "domain", done)
    insert_absent(
        session,
        OrganizationDomain,
        [{name: value for name, value in row.items() if name != "position"} for row in domains],
    )
    for kind in MODELS:
        _label(session, kind, [act for act in acts if act.kind == kind and act.values.get("labels")], done)
    for act in acts:
        for key, value in act.values.get("custom", {}).items():
            _custom(session, act.kind, _id(act.id, done), int(key.partition(":")[2]), value)


def _listed(
    session: Session, acts: Iterable[Act], name: str, model: Any, of: str, column: str, done: Written
) -> list[dict[str, Any]]:
    given = [(_id(act.id, done), act.values[name]) for act in acts if act.values.get(name)]
    present = [row_id for row_id, _values in given]
    places: dict[int, int] = defaultdict(int)
    if present and hasattr(model, "position"):
        query = pick(getattr(model, of), func.max(model.position)).where(getattr(model, of).in_(present))
        places.update({row[0]: row[1] + 1 for row in rows(session, query.group_by(getattr(model, of)))})
    found: list[dict[str, Any]] = []
    for row_id, values in given:
        for value in values:
            found.append({of: row_id, column: value, "position": places[row_id]})
            places[row_id] += 1
    return found


def _label(session: Session, kind: str, acts: Sequence[Act], done: Written) -> None:
    if not acts:
        return
    standing = select(Label).where(Label.kind == kind, col(Label.deleted_at).is_(None))
    ids = {folded(row.name): row.id or 0 for row in session.exec(standing)}
    uses: list[dict[str, Any]] = []
    for act in acts:
        for name in act.values["labels"]:
            if folded(name) not in ids:
                made = Label(kind=kind, name=name, position=len(ids))
                session.add(made)
                session.flush()
                ids[folded(name)] = made.id or 0
            targets: dict[str, int | None] = {f"{each}_id": None for each in MODELS}
            uses.append({"label_id": ids[folded(name)], **targets, f"{kind}_id": _id(act.id, done)})
    insert_absent(session, LabelUse, uses)


def _custom(session: Session, kind: str, row_id: int, field_id: int, value: tuple[Any, ...]) -> None:
    of: Any = getattr(CustomValue, f"{kind}_id")
    run(session, delete(CustomValue).where(col(CustomValue.field_id) == field_id, of == row_id))
    type_ = scalar(session, pick(CustomField.type).where(col(CustomField.id) == field_id))
    row = CustomValue(field_id=field_id)
    setattr(row, f"{kind}_id", row_id)
    names = {
        "text": ("text",),
        "number": ("number",),
        "money": ("minor", "currency"),
        "date": ("day",),
        "choice": ("option",),
    }
    for name, each in zip(names[type_], value, strict=True):
        setattr(row, name, each)
    session.add(row)


def _keep(
    session: Session,
    actor: Actor,
    acts: Sequence[Act],
    makers: set[int],
    done: Written,
    import_id: int,
    source: str,
    now: datetime,
) -> None:
    """Which row each ID became, what this import made, and the audit trail."""
    externals = [
        {"kind": act.kind, "source": source, "external_id": act.external, "row_id": _id(act.id, done), "at": now}
        for act in acts
        if act.external
    ]
    insert_absent(session, ImportedRow, externals)
    made = [
        {"import_id": import_id, "kind": act.kind, "row_id": _id(act.id, done)} for act in acts if id(act) in makers
    ]
    _insert(session, ImportMade, made)
    entries = [
        {
            "at": now,
            "actor_id": actor.user_id,
            "verb": "create" if id(act) in makers else "change",
            "object_kind": act.kind,
            "object_id": _id(act.id, done),
            "detail": {"import": import_id},
        }
        for act in acts
        if id(act) in makers or act.values
    ]
    _insert(session, AuditEntry, entries)


def _columns(act: Act, done: Written) -> dict[str, Any]:
    return {
        name: _id(value, done) if name in _REFERENCES and value is not None else value
        for name, value in act.values.items()
        if name not in _SIDES
    }


def _id(row_id: int, done: Written) -> int:
    return done.ids[row_id] if row_id < 0 else row_id


def _insert(session: Session, model: type[SQLModel], values: Sequence[Mapping[str, Any]]) -> None:
    if values:
        session.flush()
        session.connection().execute(table_of(model).insert(), [dict(row) for row in values])
