"""CSV of what the actor may see, read page by page, so that an export of everything costs the memory of one page.

Cells that spreadsheet programs would run get an apostrophe before them (formulas.py), every cell is in quotes, and
several values of a cell stand on lines of their own. Imported again it changes nothing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, cast

from sqlmodel import Session, col

from mailcrm.models import User
from mailcrm.services import access, audit, i18n
from mailcrm.services.access import Actor
from mailcrm.services.crm import checks
from mailcrm.services.crm.transfer import fields, loading
from mailcrm.services.crm.transfer.directory import Directory
from mailcrm.services.crm.transfer.drafts import Custom
from mailcrm.services.crm.transfer.formulas import neutral
from mailcrm.services.db import reading, transaction
from mailcrm.services.rows import pick, rows

PAGE = 500
BOM = b"\xef\xbb\xbf"  # how Excel knows UTF-8
#: Heads of columns with the keys of fields.py; English in every language, so that any installation reads them.
COLUMNS: dict[str, tuple[tuple[str, str], ...]] = {
    "person": (
        (fields.OWN_ID, "own_id"), ("Name", "name"), ("Email", "address"), ("Phone", "phone"), ("Job title", "job_title"),
        ("Organization", "organization"), ("Owner", "owner"), ("Labels", "label"), ("Created", "created_at"),
    ),
    "organization": (
        (fields.OWN_ID, "own_id"), ("Name", "name"), ("Domains", "domain"), ("Address", "address"), ("Owner", "owner"),
        ("Labels", "label"), ("Created", "created_at"),
    ),
    "deal": (
        (fields.OWN_ID, "own_id"), ("Title", "title"), ("Value", "value"), ("Currency", "currency"),
        ("Pipeline", "pipeline"), ("Stage", "stage"), ("Status", "status"), ("Expected close date", "expected_close"),
        ("Contact person", "person"), ("Email", "person_address"), ("Organization", "organization"), ("Owner", "owner"),
        ("Labels", "label"), ("Created", "created_at"), ("Closed", "closed_at"), ("Lost reason", "lost_reason"),
    ),
    "lead": (
        (fields.OWN_ID, "own_id"), ("Title", "title"), ("Value", "value"), ("Currency", "currency"),
        ("Contact person", "person"), ("Email", "person_address"), ("Organization", "organization"), ("Owner", "owner"),
        ("Labels", "label"), ("Archived", "archived"), ("Created", "created_at"),
    ),
}  # fmt: skip


def export(actor: Actor, kind: str, *, bom: bool = False) -> Iterator[bytes]:
    """Give a CSV in parts, UTF-8; leads that became deals are left out, because their deals are exported."""
    checks.choice(kind, "Kind", fields.KINDS)
    with transaction() as session:
        audit.record(session, actor, "export", kind, None)
    return _export(actor, kind, bom=bom)


def _export(actor: Actor, kind: str, *, bom: bool) -> Iterator[bytes]:
    with reading() as session:
        own = loading.customs(session, kind)
        owners = {row[0]: row[1] for row in rows(session, pick(User.id, User.email))}
        known = loading.directory(session, actor)
    stages = {stage_id: (pipeline, stage) for _id, pipeline, stage_id, stage in known.stages}
    keys = [key for _head, key in COLUMNS[kind]] + list(own)
    if bom:
        yield BOM
    yield _csv([head for head, _key in COLUMNS[kind]] + [neutral(custom.name) for custom in own.values()])
    after = 0
    while True:
        with reading() as session:
            page = _page(session, actor, kind, after)
            lines = [_line(row_id, row, known, owners, stages, own) for row_id, row in page.items()]
            people = _names(session, actor, page.values())
        if not page:
            return
        after = max(page)
        for row, line in zip(page.values(), lines, strict=True):
            line |= _linked(row, people)
        yield b"".join(_csv([str(line.get(key, "")) for key in keys]) for line in lines)


def _page(session: Session, actor: Actor, kind: str, after: int) -> dict[int, dict[str, Any]]:
    model = loading.MODELS[kind]
    query = pick(model.id, model.created_at).where(access.visible_crm(actor, model), col(model.id) > after)
    if kind == "lead":
        query = query.where(model.status != "converted")  # type: ignore[union-attr]
    found = rows(session, query.order_by(col(model.id)).limit(PAGE))
    states = Directory(actor.user_id, {})
    loading.states(session, actor, kind, [row[0] for row in found], states, full=True)
    made = states.rows[kind]
    return {row[0]: {**made[row[0]], "created_at": row[1]} for row in found if row[0] in made}


def _names(
    session: Session, actor: Actor, page: Iterable[Mapping[str, Any]]
) -> dict[tuple[str, int], Mapping[str, Any]]:
    """The visible persons and organizations that these rows name."""
    found: dict[tuple[str, int], Mapping[str, Any]] = {}
    for kind in ("person", "organization"):
        ids = {row[f"{kind}_id"] for row in page if row.get(f"{kind}_id")}
        known = Directory(actor.user_id, {})
        loading.states(session, actor, kind, ids, known, full=False)
        found.update({(kind, row_id): row for row_id, row in known.rows[kind].items()})
    return found


def _linked(row: Mapping[str, Any], names: Mapping[tuple[str, int], Mapping[str, Any]]) -> dict[str, str]:
    person = names.get(("person", row.get("person_id") or 0), {})
    organization = names.get(("organization", row.get("organization_id") or 0), {})
    return {
        "person": neutral(person.get("name", "")),
        "person_address": neutral("\n".join(person.get("addresses", ()))),
        "organization": neutral(organization.get("name", "")),
    }


def _line(
    row_id: int,
    row: Mapping[str, Any],
    known: Directory,
    owners: Mapping[int, str],
    stages: Mapping[int, tuple[str, str]],
    own: Mapping[str, Custom],
) -> dict[str, str]:
    pipeline, stage = stages.get(row.get("stage_id", 0), ("", ""))
    cells: dict[str, Any] = {
        "name": row.get("name"),
        "title": row.get("title"),
        "address": row.get("addresses", row.get("address")),
        "phone": row.get("phones"),
        "domain": row.get("domains"),
        "label": row.get("labels"),
        "job_title": row.get("job_title"),
        "owner": owners.get(row.get("owner_id") or 0),
        "pipeline": pipeline,
        "stage": stage,
        "status": row.get("status"),
        "currency": row.get("currency"),
        "expected_close": row.get("expected_close"),
        "lost_reason": row.get("lost_reason"),
        "created_at": row.get("created_at"),
        "closed_at": row.get("closed_at"),
        "archived": "yes" if row.get("status") == "archived" else "no",
    }
    found = {key: neutral(_text(value)) for key, value in cells.items()}
    found["own_id"] = f"{known.own}-{row_id}"
    if row.get("value_minor") is not None:
        found["value"] = _amount(row["value_minor"], row["currency"])
    for key, value in row.get("custom", {}).items():
        if key in own:
            found[key] = _custom(own[key], value)
    return found


def _custom(own: Custom, value: Sequence[Any]) -> str:
    if own.type == "money":
        return f"{_amount(value[0], value[1])} {value[1]}"
    if own.type == "number":
        return format(Decimal(repr(value[0])), "f")
    if own.type == "choice":
        return neutral(own.option_name(value[0]))
    return neutral(_text(value[0]))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return "\n".join(cast("tuple[str, ...]", value))
    return str(value)


def _amount(minor: int, currency: str) -> str:
    """A number that every program reads; no formula, whatever its sign."""
    return format(Decimal(minor).scaleb(-i18n.minor_digits(currency)), "f")


def _csv(cells: Sequence[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerow(cells)
    return out.getvalue().encode("utf-8", "replace")
