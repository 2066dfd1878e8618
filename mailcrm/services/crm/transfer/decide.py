"""What a draft becomes: a new row, changes of one that is there, or nothing. Pure: works on a Directory, never the database.

    ID of the other system (or our own)  ->  the row it became before
    person        an address; else the name, within the organization
    organization  the name; a mail domain tells several of one name apart
    deal, lead    the title with its organization and person

A row that another line of the same source became already is never taken for this one by name. New rows have negative
ids until writing.py knows better, so a dry run and the import itself decide alike, line by line. Empty cells empty
nothing; addresses, telephone numbers, domains and labels are added, never taken away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailcrm.errors import UserError
from mailcrm.services.crm.transfer.directory import Act, Directory
from mailcrm.services.crm.transfer.drafts import Draft
from mailcrm.services.crm.transfer.values import folded

_SETS = ("addresses", "phones", "domains", "labels")


@dataclass(frozen=True, slots=True)
class Rules:
    """What the user chose: change rows that are there, make stages that are missing."""

    kind: str
    change: bool = True
    make_stages: bool = False


def decide(draft: Draft, known: Directory, rules: Rules) -> str:
    """Decide about one draft; what is to do is added to `known.acts`. Returns "made", "changed" or "same".

    Raises UserError when the line can't be imported; then nothing of it is done.
    """
    mark = known.mark()
    try:
        return _decide(draft, known, rules)
    except UserError:
        known.rewind(mark)
        raise


def _decide(draft: Draft, known: Directory, rules: Rules) -> str:
    given = draft.values
    external = given.get("own_id") or given.get("id") or ""
    present = known.external_row(rules.kind, external) if external else None
    values = _values(draft, known, rules, present)
    if present is None:
        present = _twin(rules.kind, values, known, taken=bool(external))
    if present is None:
        known.refuse_own(values.get("addresses", ()))
        values.setdefault("owner_id", known.importer_id)
        known.do(Act(rules.kind, known.new_id(), values, draft.line, external))
        return "made"
    left = _differences(known.rows[rules.kind][present], values) if rules.change else {}
    known.refuse_own(left.get("addresses", ()))
    if left or (external and known.is_unclaimed(rules.kind, external)):
        known.do(Act(rules.kind, present, left, draft.line, external))
    return "changed" if left else "same"


def _values(draft: Draft, known: Directory, rules: Rules, present: int | None) -> dict[str, Any]:
    """The draft's fields as columns; persons and organizations that it names are found or made on the way."""
    given = draft.values
    found: dict[str, Any] = {}
    row = known.rows[rules.kind].get(present or 0, {})
    organization_id = None
    if rules.kind != "organization":
        organization_id = _organization(given, known, row.get("organization_id"))
    if rules.kind in ("deal", "lead"):
        person_id = _person(given, organization_id, known, row.get("person_id"))
        if person_id is not None:
            found["person_id"] = person_id
            if organization_id is None and present is None:  # as a deal that somebody opens by hand
                organization_id = known.rows["person"][person_id].get("organization_id")
    if organization_id is not None:
        found["organization_id"] = organization_id
    for key, column in (
        ("name", "name"), ("title", "title"), ("job_title", "job_title"), ("value", "value_minor"), ("currency", "currency"),
        ("expected_close", "expected_close"), ("lost_reason", "lost_reason"), ("phone", "phones"), ("domain", "domains"),
        ("label", "labels"), ("created_at", "created_at"), ("address", "address" if rules.kind == "organization" else "addresses"),
    ):  # fmt: skip
        if key in given:
            found[column] = given[key]
    owner = known.users.get(folded(given["owner"])) if "owner" in given else None
    if owner is not None:
        found["owner_id"] = owner
    if draft.custom:
        found["custom"] = dict(draft.custom)
    if rules.kind == "deal":
        _stage(given, known, rules, found, present)
        _outcome(given, found, row)
    if rules.kind == "lead" and "archived" in given:
        found["status"] = "archived" if given["archived"] else "open"
    return found


def _organization(given: Mapping[str, Any], known: Directory, current: int | None) -> int | None:
    """The organization that a line names: the row's present one where it is called so, else the oldest, else a new one."""
    by_id = known.external_row("organization", given.get("organization_id", ""), strict=False)
    name = given.get("organization", "")
    if by_id is not None or not name:
        return by_id
    several = known.named("organization", name)
    if several:
        return current if current in several else several[0]
    act = Act("organization", known.new_id(), {"name": name, "owner_id": known.importer_id}, 0, "")
    known.do(act)
    return act.id


def _person(given: Mapping[str, Any], organization_id: int | None, known: Directory, current: int | None) -> int | None:
    by_id = known.external_row("person", given.get("person_id", ""), strict=False)
    if by_id is not None:
        return by_id
    addresses = given.get("person_address", ())
    name = given.get("person", "")
    if not name and not addresses:
        return None
    for address in addresses:
        if several := known.by_address.get(address):
            return current if current in several else _closest(several, name, known)
    if name:
        several = known.named("person", name)
        if current in several:
            return current
        here = [each for each in several if known.rows["person"][each].get("organization_id") == organization_id]
        if len(here) == 1:
            return here[0]
        if not addresses and len(here or several) > 1:
            raise UserError("import.ambiguous", name=name)
        if several and not addresses and organization_id is None:
            return several[0]
    known.refuse_own(addresses)
    values: dict[str, Any] = {
        "name": name or addresses[0],
        "addresses": tuple(addresses),
        "owner_id": known.importer_id,
    }
    if organization_id is not None:
        values["organization_id"] = organization_id
    act = Act("person", known.new_id(), values, 0, "")
    known.do(act)
    return act.id


def _closest(several: Iterable[int], name: str, known: Directory) -> int:
    ids = list(several)
    return next((each for each in ids if folded(known.rows["person"][each]["name"]) == folded(name)), ids[0])


def _twin(kind: str, values: Mapping[str, Any], known: Directory, *, taken: bool) -> int | None:
    """The row that a draft means without an ID; with one, rows that other IDs became are left out."""

    def free(ids: Iterable[int]) -> list[int]:
        return [each for each in ids if not (taken and known.is_claimed(kind, each))]

    if kind == "person":
        for address in values.get("addresses", ()):
            if several := free(known.by_address.get(address, ())):
                return _closest(several, values["name"], known)
        several = free(known.named("person", values["name"]))
        if values.get("addresses"):
            several = [each for each in several if not known.rows["person"][each].get("addresses")]
        wanted = values.get("organization_id")
        same = [each for each in several if known.rows["person"][each].get("organization_id") == wanted]
        if not same and wanted is None and len(several) == 1:
            same = several
        if len(same) > 1 and not taken:
            raise UserError("import.ambiguous", name=values["name"])
        return same[0] if same else None
    if kind == "organization":
        several = free(known.named("organization", values["name"]))
        domains = set(values.get("domains", ()))
        return next(
            (each for each in several if domains & set(known.rows["organization"][each].get("domains", ()))),
            several[0] if several else None,
        )
    of = [(name, values.get(name)) for name in ("organization_id", "person_id")]
    several = free(known.named(kind, values["title"]))
    return next(
        (each for each in several if all(known.rows[kind][each].get(name) == value for name, value in of)), None
    )


def _stage(
    given: Mapping[str, Any], known: Directory, rules: Rules, found: dict[str, Any], present: int | None
) -> None:
    stage, pipeline = given.get("stage", ""), given.get("pipeline", "")
    if stage.endswith(")") and "(" in stage and not pipeline and known.stage_of("", stage) is None:
        stage, _, pipeline = stage[:-1].rpartition("(")  # "Qualified (Sales)": how Pipedrive's templates write it
        stage = stage.strip()
    if not stage and not pipeline and present is not None:
        return
    place = known.stage_of(pipeline, stage)
    if place is None:
        if not rules.make_stages:
            raise UserError("import.no_stage", stage=stage or pipeline, pipeline=pipeline or known.first_pipeline())
        place = known.make_stage(pipeline, stage)
    row = known.rows["deal"].get(present or 0)
    if not stage and row is not None and row.get("pipeline_id") == place[0]:
        return
    found["pipeline_id"], found["stage_id"] = place


def _outcome(given: Mapping[str, Any], found: dict[str, Any], row: Mapping[str, Any]) -> None:
    """Status and the moment of closing go together: an open deal has none, a closed one has one."""
    status = given.get("status") or ("won" if "won_at" in given else "lost" if "lost_at" in given else "")
    if status:
        found["status"] = status
    now = status or row.get("status", "open")
    if now == "open":
        found.pop("lost_reason", None)
        return
    at: datetime | None = given.get(f"{now}_at") or given.get("closed_at")
    if at is not None:
        found["closed_at"] = at
    if now == "won":
        found.pop("lost_reason", None)


def _differences(row: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    left: dict[str, Any] = {}
    for name, value in values.items():
        before = row.get(name)
        if name in _SETS:
            there = {folded(each) for each in before or ()}
            if more := tuple(each for each in value if folded(each) not in there):
                left[name] = more
        elif name == "custom":
            present: Mapping[str, Any] = before or {}
            if more := {key: each for key, each in value.items() if present.get(key) != each}:
                left["custom"] = more
        elif name == "created_at" or (name == "status" and before == "converted"):
            continue  # a row was made when it was made; a converted lead has become a deal
        elif isinstance(value, datetime) and isinstance(before, datetime):
            if value.replace(microsecond=0) != before.replace(microsecond=0):
                left[name] = value
        elif isinstance(value, str) and isinstance(before, str):
            if value.split() != before.split():  # an address over several lines is the same in one
                left[name] = value
        elif value != before:
            left[name] = value
    return left
