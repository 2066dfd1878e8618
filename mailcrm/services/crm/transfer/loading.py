"""Fills a Directory with what drafts are about: rows by ID, address and name, as far as the actor may see them.

Authorises: a row that the actor may not see is not there. A number of statements that does not grow with the drafts.
"""

from __future__ import annotations

import hashlib
import string
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, or_
from sqlmodel import Session, col

from mailcrm.models import (
    CustomField,
    CustomValue,
    Deal,
    ImportedRow,
    Label,
    LabelUse,
    Lead,
    Organization,
    OrganizationDomain,
    Person,
    PersonAddress,
    PersonPhone,
    Pipeline,
    Stage,
    User,
    Workspace,
)
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.crm.linking.addresses import same
from mailcrm.services.crm.transfer.directory import Directory
from mailcrm.services.crm.transfer.drafts import Custom, Draft
from mailcrm.services.crm.transfer.values import folded
from mailcrm.services.mail.own_addresses import workspace_addresses
from mailcrm.services.rows import chunks, pick, rows

MODELS: dict[str, type[Person | Organization | Deal | Lead]] = {
    "person": Person, "organization": Organization, "deal": Deal, "lead": Lead,
}  # fmt: skip
_COLUMNS: dict[str, tuple[str, ...]] = {
    "person": ("name", "job_title", "organization_id", "owner_id"),
    "organization": ("name", "address", "owner_id"),
    "deal": (
        "title", "value_minor", "currency", "pipeline_id", "stage_id", "status", "expected_close", "person_id",
        "organization_id", "owner_id", "lost_reason", "closed_at",
    ),
    "lead": ("title", "value_minor", "currency", "person_id", "organization_id", "owner_id", "status"),
}  # fmt: skip
_ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_MERGES_MOST = 10  # of persons merged into persons that were merged


def directory(session: Session, actor: Actor) -> Directory:
    """Return a Directory that knows users, pipelines and stages, and no rows yet."""
    people = rows(session, pick(User.id, User.name, User.email).where(col(User.disabled_at).is_(None)))
    users: dict[str, int] = {}
    for user_id, name, _email in sorted(people, key=lambda row: row[0], reverse=True):  # the first of one name wins
        users[folded(name)] = user_id
    users |= {folded(email): user_id for user_id, _name, email in people}
    colleagues = frozenset[str]().union(*workspace_addresses(session).values())
    found = Directory(actor.user_id, users, own=own_token(session), same=same, colleagues=colleagues)
    query = (
        pick(Pipeline.id, col(Pipeline.name), Stage.id, col(Stage.name).label("stage"))
        .join(Stage, col(Stage.pipeline_id) == col(Pipeline.id))
        .where(col(Pipeline.deleted_at).is_(None), col(Stage.deleted_at).is_(None))
        .order_by(col(Pipeline.position), col(Pipeline.id), col(Stage.position), col(Stage.id))
    )
    found.stages = [(row[0], row[1], row[2], row[3]) for row in rows(session, query)]
    return found


def own_token(session: Session) -> str:
    """Return what the IDs of this workspace's exports begin with: other workspaces have rows of the same numbers."""
    workspace = session.get(Workspace, 1)
    at = workspace.created_at if workspace else ""
    return hashlib.sha256(str(at).encode()).hexdigest()[:8]


def digest(text: str) -> str:
    """Return a short name for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def customs(session: Session, kind: str) -> dict[str, Custom]:
    """Return the workspace's own fields of a kind by the key that a column is mapped to."""
    if kind == "lead":
        return {}
    query = pick(CustomField.id, CustomField.name, CustomField.type, CustomField.options).where(
        col(CustomField.kind) == kind, col(CustomField.deleted_at).is_(None)
    )
    return {
        f"custom:{row[0]}": Custom(
            row[0],
            row[1],
            row[2],
            {folded(str(each["name"])): each["id"] for each in row[3] or ()},
            {each["id"]: str(each["name"]) for each in row[3] or ()},
        )
        for row in rows(session, query.order_by(col(CustomField.position), col(CustomField.id)))
    }


def load(session: Session, actor: Actor, kind: str, drafts: Sequence[Draft], known: Directory, source: str) -> None:
    """Let `known` know every row that these drafts may mean."""
    given = [draft.values for draft in drafts]
    wanted: dict[str, set[int]] = defaultdict(set)
    _externals(session, actor, kind, given, known, source, wanted)
    addresses = {each for values in given for each in (*values.get("addresses", ()), *values.get("person_address", ()))}
    if kind == "person":
        addresses |= {each for values in given for each in values.get("address", ())}
    for part in chunks(sorted(addresses)):
        query = pick(PersonAddress.person_id).where(col(PersonAddress.address).in_(part))
        wanted["person"] |= {row[0] for row in rows(session, query)}
    for each, key in (
        (kind, "title" if kind in ("deal", "lead") else "name"),
        ("organization", "organization"),
        ("person", "person"),
    ):
        names = sorted({values[key] for values in given if values.get(key)})
        for part in chunks(names, 200):
            column = getattr(MODELS[each], "title" if each in ("deal", "lead") else "name")
            # SQLite lowers ASCII alone, PostgreSQL every letter; plain values keep the statement's plan cached.
            lowered = sorted({name.lower() for name in part} | {name.translate(_ASCII_LOWER) for name in part})
            query = pick(MODELS[each].id).where(
                or_(func.lower(column).in_(lowered), column.in_(part)), access.visible_crm(actor, MODELS[each])
            )
            wanted[each] |= {row[0] for row in rows(session, query)}
    for each in ("deal", "lead", "person", "organization"):
        states(session, actor, each, wanted[each], known, full=each == kind)
        if each == "person":  # a deal takes over the organization of its person
            wanted["organization"] |= {
                row["organization_id"] for row in known.rows["person"].values() if row.get("organization_id")
            }
    for each in (kind,):
        for part in chunks(sorted(wanted[each])):
            query = pick(ImportedRow.row_id).where(
                col(ImportedRow.kind) == each, col(ImportedRow.source) == source, col(ImportedRow.row_id).in_(part)
            )
            known.claimed |= {(each, row[0]) for row in rows(session, query)}
    for key, row_id in list(known.external.items()):
        if row_id is not None and row_id > 0 and row_id not in known.rows[key[0]]:
            del known.external[key]  # not to be seen by this actor


def _externals(
    session: Session,
    actor: Actor,
    kind: str,
    given: Iterable[Mapping[str, Any]],
    known: Directory,
    source: str,
    wanted: dict[str, set[int]],
) -> None:
    asked: dict[str, set[str]] = defaultdict(set)
    for values in given:
        for each, key in ((kind, "id"), (kind, "own_id"), ("person", "person_id"), ("organization", "organization_id")):
            if values.get(key):
                asked[each].add(values[key])
    for each, ids in asked.items():
        found: dict[str, int] = {}
        for external in ids:
            token, _, number = external.rpartition("-")
            if token == known.own and number.isascii() and number.isdigit() and len(number) < 19:
                found[external] = int(number)
        for part in chunks(sorted(ids - found.keys())):
            query = pick(ImportedRow.external_id, ImportedRow.row_id).where(
                col(ImportedRow.kind) == each, col(ImportedRow.source) == source, col(ImportedRow.external_id).in_(part)
            )
            found.update({row[0]: row[1] for row in rows(session, query)})
        gone = _trashed(session, actor, each, found.values())
        for external, row_id in found.items():
            kept = gone.get(row_id, row_id)
            known.external.setdefault((each, external), kept)
            if kept is not None:
                wanted[each].add(kept)
                known.claimed.add((each, kept))


def _trashed(session: Session, actor: Actor, kind: str, ids: Iterable[int]) -> dict[int, int | None]:
    """Those of these rows that are in the trash, with the person that each was merged into, else None."""
    model = MODELS[kind]
    merged: Any = Person.merged_into_id if kind == "person" else model.deleted_at
    found: dict[int, int | None] = {}
    for part in chunks(sorted(set(ids))):
        query = pick(model.id, merged).where(col(model.id).in_(part), access.trashed_crm(actor, model))
        for row_id, target in rows(session, query):
            found[row_id] = target if kind == "person" else None
    for row_id, target in found.items():
        for _again in range(_MERGES_MOST):
            if target is None:
                break
            person = session.get(Person, target)
            if person is None or person.deleted_at is None:
                break
            target = person.merged_into_id
        found[row_id] = target
    return found


def states(session: Session, actor: Actor, kind: str, ids: Iterable[int], known: Directory, *, full: bool) -> None:
    """Let `known` know these rows; `full` with telephone numbers, domains, labels and own fields."""
    model, names = MODELS[kind], _COLUMNS[kind]
    for part in chunks(sorted(set(ids) - known.rows[kind].keys())):
        visible: ColumnElement[bool] = access.visible_crm(actor, model)
        query = pick(model.id, *(getattr(model, name) for name in names)).where(col(model.id).in_(part), visible)
        found = {row[0]: dict(zip(names, row[1:], strict=True)) for row in rows(session, query)}
        if kind == "person":
            _several(
                session, found, "addresses", PersonAddress.person_id, PersonAddress.address, PersonAddress.position
            )
            if full:
                _several(session, found, "phones", PersonPhone.person_id, PersonPhone.number, PersonPhone.position)
        if kind == "organization" and full:
            _several(session, found, "domains", OrganizationDomain.organization_id, OrganizationDomain.domain)
        if full:
            _labels(session, kind, found)
            _custom(session, kind, found)
        for row_id in sorted(found):
            known.add(kind, row_id, found[row_id])


def _several(
    session: Session, states: dict[int, dict[str, Any]], name: str, of: Any, value: Any, order: Any = None
) -> None:
    query = pick(of, value).where(col(of).in_(list(states))).order_by(of, value if order is None else order)
    for row_id, each in rows(session, query):
        states[row_id][name] = (*states[row_id].get(name, ()), each)


def _labels(session: Session, kind: str, states: dict[int, dict[str, Any]]) -> None:
    of = getattr(LabelUse, f"{kind}_id")
    query = pick(of, Label.name).join(Label, col(Label.id) == col(LabelUse.label_id))
    for row_id, name in rows(session, query.where(of.in_(list(states)), col(Label.deleted_at).is_(None))):
        states[row_id]["labels"] = (*states[row_id].get("labels", ()), name)


def _custom(session: Session, kind: str, states: dict[int, dict[str, Any]]) -> None:
    if kind == "lead":
        return
    of = getattr(CustomValue, f"{kind}_id")
    query = pick(
        of, CustomValue.field_id, CustomField.type, CustomValue.text, CustomValue.number, CustomValue.minor,
        CustomValue.currency, CustomValue.day, CustomValue.option,
    ).join(CustomField, col(CustomField.id) == col(CustomValue.field_id))  # fmt: skip
    for row_id, field_id, type_, text, number, minor, code, day, option in rows(
        session, query.where(of.in_(list(states)))
    ):
        value = {"text": (text,), "number": (number,), "money": (minor, code), "date": (day,), "choice": (option,)}[
            type_
        ]
        states[row_id].setdefault("custom", {})[f"custom:{field_id}"] = value
