"""From a line's cells to a draft: values of the right types by field, or what is wrong with the line. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any
from urllib.parse import urlsplit

from mailcrm.errors import UserError
from mailcrm.services.crm import checks
from mailcrm.services.crm.transfer import fields, values
from mailcrm.services.crm.transfer.reading import Line

_HOST = re.compile(r"[^\s@<>\"',;:\\()\[\]/\x00-\x1f\x7f]{1,100}\.[^\s@<>\"',;:\\()\[\]/.\x00-\x1f\x7f]{2,63}")
MOST_VALUES = 20  # addresses, telephone numbers, domains or labels of one row
_LINES = {"job_title": 200, "owner": 254, "organization": 200, "person": 200, "pipeline": 200, "stage": 200,
          "lost_reason": 500, "address": 500, "id": 200, "own_id": 80, "person_id": 200, "organization_id": 200,
          "title": 200, "name": 200}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Custom:
    """A field of the workspace's own: its type, and for a choice the ids by folded name."""

    id: int
    name: str
    type: str
    options: Mapping[str, int] = field(default_factory=dict[str, int])
    #: The names as they are written, by id.
    names: Mapping[int, str] = field(default_factory=dict[int, str])

    def option_name(self, option: int) -> str:
        """The name of a choice, "" for one that was taken out."""
        return self.names.get(option, "")


@dataclass(frozen=True, slots=True)
class Reading:
    """How the cells of one import are read. `exact`: our own export, whose cells are not guessed at."""

    kind: str
    mapping: tuple[str, ...]
    order: str
    decimals: str
    currency: str
    zone: tzinfo
    exact: bool = False
    customs: Mapping[str, Custom] = field(default_factory=dict[str, Custom])


@dataclass(frozen=True, slots=True)
class Draft:
    """A line that can be imported. Absent fields were empty; `custom` has typed values by field key."""

    line: int
    values: Mapping[str, Any]
    custom: Mapping[str, tuple[Any, ...]]


def draft(line: Line, reading: Reading) -> Draft:
    """Read one line; raises UserError with what is wrong with it."""
    if line.problem:
        raise UserError(line.problem[0], **line.problem[1])
    cells: dict[str, list[str]] = {}
    for key, cell in zip(reading.mapping, line.cells, strict=True):
        if key and cell.strip():
            cells.setdefault(key, []).append(cell.strip())
    found: dict[str, Any] = {}
    custom: dict[str, tuple[Any, ...]] = {}
    _amount(cells, reading, found)
    for key, several in cells.items():
        if key in found or key == "currency":
            continue
        if ":" in key:
            custom[key] = _custom(several[0], reading.customs[key], reading)
        else:
            found[key] = _value(key, several, reading)
    _name(reading.kind, found)
    return Draft(line.number, found, custom)


def _amount(cells: Mapping[str, list[str]], reading: Reading, found: dict[str, Any]) -> None:
    """An amount needs its currency: the column's, the one in the cell itself, the workspace's."""
    default = values.currency_in(cells["value"][0]) if "value" in cells and not reading.exact else ""
    code = values.currency(cells.get("currency", [""])[0], "") or default
    if code:
        found["currency"] = checks.currency(code)
    if "value" in cells:
        found["value"] = values.money(cells["value"][0], code or reading.currency, reading.decimals, "Value")
        found.setdefault("currency", reading.currency)


def _value(key: str, several: Sequence[str], reading: Reading) -> Any:
    label = fields.label_of(reading.kind, key)
    first = several[0]
    if key in ("address", "person_address") and reading.kind != "organization":
        return _many(
            label,
            [checks.address(_bare(part)) for cell in several for part in values.several(cell, exact=reading.exact)],
        )
    if key == "phone":
        return _many(
            label,
            [
                checks.line(part, label, most=60)
                for cell in several
                for part in values.phones(cell, exact=reading.exact)
            ],
        )
    if key == "label":
        return _many(
            label,
            [
                checks.line(part, label, most=60)
                for cell in several
                for part in values.several(cell, exact=reading.exact)
            ],
        )
    if key == "domain":
        return _many(
            label, [_domain(part, label) for cell in several for part in values.several(cell, exact=reading.exact)]
        )
    if key in fields.DAYS:
        return values.day(first, reading.order, label)
    if key in fields.MOMENTS:
        return values.moment(first, reading.order, label, reading.zone)
    if key == "status":
        return values.status(first, label)
    if key == "archived":
        return values.folded(first) in ("yes", "true", "1", "archived", "はい")
    return checks.line(first, label, most=_LINES.get(key, 200))


def _many(label: str, found: list[str]) -> tuple[str, ...]:
    once = tuple(dict.fromkeys(each for each in found if each))
    if len(once) > MOST_VALUES:
        raise UserError("import.too_many_values", field=label, most=MOST_VALUES)
    return once


def _bare(text: str) -> str:
    """An address without a name before it."""
    return text[text.rfind("<") + 1 : -1] if text.endswith(">") and "<" in text else text.removeprefix("mailto:")


def _domain(text: str, label: str) -> str:
    """A domain, also out of the address of a site."""
    host = text.strip().lower().lstrip("@")
    try:
        host = (urlsplit(host if "//" in host else f"//{host}").hostname or "").removeprefix("www.")
    except ValueError:
        host = ""
    if not _HOST.fullmatch(host):
        raise UserError("input.invalid", value=checks.line(text[:200], label)[:40], field=label)
    return host


def _custom(cell: str, own: Custom, reading: Reading) -> tuple[Any, ...]:
    if own.type == "number":
        return (float(values.number(cell, reading.decimals, own.name)),)
    if own.type == "money":
        code = values.currency_in(cell) or reading.currency
        return (values.money(cell.replace(code, ""), code, reading.decimals, own.name), code)
    if own.type == "date":
        return (values.day(cell, reading.order, own.name),)
    if own.type == "choice":
        option = own.options.get(values.folded(cell))
        if option is None:
            raise UserError("import.no_option", value=checks.line(cell, own.name, most=10_000)[:40], name=own.name)
        return (option,)
    return (checks.line(cell, own.name, most=2_000),)


def _name(kind: str, found: dict[str, Any]) -> None:
    """A person without a name of its own is called by its first and last name, else by its address."""
    key = fields.NAMED_BY[kind]
    if kind == "person":
        parts = [found.pop("first_name", ""), found.pop("last_name", "")]
        joined = " ".join(parts) if all(part.isascii() for part in parts) else _japanese(parts)
        found["name"] = found.get("name") or joined.strip() or next(iter(found.get("address", ())), "")
    if kind == "deal":
        found.setdefault("title", "")
    if not found.get(key):
        raise UserError("input.missing", field=fields.label_of(kind, key))


def _japanese(parts: Sequence[str]) -> str:
    """The family name comes first where both are written in Chinese or Japanese characters."""
    cjk = all(any("\u3040" <= char <= "\u9fff" for char in part) for part in parts if part)
    return " ".join(reversed(parts)) if cjk else " ".join(parts)
