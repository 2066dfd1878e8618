"""How the file of an import is read: recognised, said by its user, kept in the import's row.

`settings` has: encoding, delimiter, header, names and mapping (a key of fields.py for each column), order of days, decimal
sign, whether rows are changed and stages made, and the source that IDs are of. Does not decide what lines become.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlmodel import Session

from mailcrm.config import config
from mailcrm.errors import UserError
from mailcrm.models import Import, Workspace
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.crm import checks
from mailcrm.services.crm.transfer import decide, fields, loading, reading, values
from mailcrm.services.crm.transfer.drafts import Custom, Reading
from mailcrm.services.crm.transfer.reading import Line, Shape
from mailcrm.services.rows import pick, scalar

LOOKED_AT = 2_000  # lines that show how days and amounts are written
NEW_FIELDS = ("text", "number", "money", "date")


def path_of(import_id: int) -> Path:
    """Return where an import's file lies."""
    return Path(config().data_dir) / "imports" / f"{import_id}.csv"


def shape_of(row: Import) -> Shape:
    """Return how an import's file is written."""
    said = row.settings
    return Shape(said["encoding"], said["delimiter"], said["header"], tuple(said["names"]), row.rows)


def rules_of(row: Import) -> decide.Rules:
    """Return what the user chose."""
    return decide.Rules(row.kind, row.settings["change"], row.settings["make_stages"])


def reading_of(session: Session, actor: Actor, row: Import) -> Reading:
    """Return how the cells of an import are read; fields that are to be made have the id 0."""
    own = loading.customs(session, row.kind)
    for at, key in enumerate(row.settings["mapping"]):
        if key.startswith("new:"):
            own[f"{key}:{at}"] = Custom(0, field_name(row, at), key.partition(":")[2])
    mapping = tuple(f"{key}:{at}" if key.startswith("new:") else key for at, key in enumerate(row.settings["mapping"]))
    currency = scalar(session, pick(Workspace.currency)) or "EUR"
    return Reading(
        kind=row.kind,
        mapping=tuple(key if ":" not in key or key in own else "" for key in mapping),
        order=row.settings["order"],
        decimals=row.settings["decimals"],
        currency=currency,
        zone=i18n.zone(actor.time_zone),
        exact=row.settings["source"] == "mailcrm",
        customs=own,
    )


def field_name(row: Import, at: int) -> str:
    """Return how a new field made of a column is called."""
    return fields.plain_name(row.kind, row.settings["names"][at])[:60] or f"Column {at + 1}"


def recognise(session: Session, row: Import, shape: Shape) -> None:
    """Propose how a file of this shape is read."""
    custom = {each.name: each.id for each in loading.customs(session, row.kind).values()}
    own, pipedrive = fields.is_own(shape.names), fields.is_pipedrive(shape.names)
    columns = "|".join(values.folded(name) for name in shape.names if name not in (fields.BAD_LINE, fields.BAD_REASON))
    # IDs of two unknown systems must not be taken for each other's; files of one have the same columns.
    source = "mailcrm" if own else "pipedrive" if pipedrive else f"csv {loading.digest(columns)}"
    row.rows = shape.rows
    row.settings = {
        "encoding": shape.encoding,
        "delimiter": shape.delimiter,
        "header": shape.header,
        "names": list(shape.names),
        "mapping": list(fields.recognise(row.kind, shape.names, custom)),
        "order": "ymd" if own else "",
        "decimals": "." if own else "",
        "change": row.settings.get("change", True),
        "make_stages": row.settings.get("make_stages", False),
        "source": source,
    }
    row.settings = row.settings | guessed(row)


def guessed(row: Import) -> dict[str, Any]:
    """How days and amounts are written, as far as the cells of their columns can tell."""
    said = row.settings
    if said["source"] == "mailcrm":
        return {"wants_order": False}
    days = {at for at, key in enumerate(said["mapping"]) if key in (*fields.DAYS, *fields.MOMENTS) or key == "new:date"}
    amounts = {at for at, key in enumerate(said["mapping"]) if key in ("value", "new:money", "new:number")}
    if not days and not amounts:
        return {"wants_order": False, "order": "", "decimals": ""}
    lines = list(first_lines(row, LOOKED_AT))
    day_cells = [line.cells[at] for line in lines for at in days if at < len(line.cells)]
    order = values.order_of(day_cells)
    return {
        "order": order,
        "wants_order": not order and any(values.is_day_unclear(cell) for cell in day_cells),
        "decimals": values.decimals_of(line.cells[at] for line in lines for at in amounts if at < len(line.cells)),
    }


def map_column(session: Session, kind: str, mapping: list[str], at: int, key: str) -> None:
    """Let the column `at` become `key`; a field that takes one value is taken from the column that had it."""
    known = {field.key: field for field in fields.FIELDS[kind]}
    allowed = {"", *known, *loading.customs(session, kind)}
    if kind != "lead":
        allowed |= {f"new:{type_}" for type_ in NEW_FIELDS}
    checks.choice(key, "Field", allowed)
    if key and not key.startswith("new:") and not (key in known and known[key].several):
        for other, each in enumerate(mapping):  # a field that takes one value takes it from one column
            if each == key:
                mapping[other] = ""
    mapping[at] = key


def makes_field(*keys: str) -> bool:
    """Whether a column is to become a new field of the workspace's."""
    return any(key.startswith("new:") for key in keys)


def check(row: Import) -> None:
    """Raise UserError when the import can't begin."""
    if unnamed(row):
        raise UserError("import.no_name", field=unnamed(row))
    if row.settings.get("wants_order") and not row.settings["order"]:
        raise UserError("import.choose_order")


def unnamed(row: Import) -> str:
    """Return the label of the field that every line needs and no column has, "" when there is one."""
    mapping = set(row.settings["mapping"])
    named = fields.NAMED_BY[row.kind]
    enough = ("name", "first_name", "last_name", "address") if row.kind == "person" else (named,)
    return "" if mapping & set(enough) else fields.label_of(row.kind, named)


def first_lines(row: Import, most: int) -> Iterator[Line]:
    """Give the first lines of the file."""
    for count, line in enumerate(reading.lines(path_of(row.id or 0), shape_of(row))):
        if count >= most:
            return
        yield line
