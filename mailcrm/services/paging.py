"""Keyset pages: a cursor names the last row that was shown, so a page costs the same however deep it is.

A cursor is opaque to its holder and carries no rights: what it leads to is authorised again.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, literal, tuple_

from mailcrm.errors import UserError
from mailcrm.models import UtcDateTime

Row = TypeVar("Row")

MOST = 200  # rows of one page, whatever was asked for


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """One page of a list; `next_cursor` is None on the last one."""

    rows: tuple[Row, ...]
    next_cursor: str | None


def cut(found: Sequence[Row], size: int, cursor_of: Callable[[Row], str]) -> Page[Row]:
    """Make a page of `size` rows; `found` was asked for one row more, which tells whether there is a next page."""
    shown = tuple(found[:size])
    return Page(shown, cursor_of(shown[-1]) if len(found) > size else None)


def page_size(limit: int) -> int:
    """Return `limit` held between 1 and MOST."""
    return max(1, min(int(limit), MOST))


def cursor_at(at: datetime, row_id: int) -> str:
    """Return the cursor of a row in a list ordered by (moment, id)."""
    return _pack([at.astimezone(UTC).isoformat(), row_id])


def read_at(cursor: str) -> tuple[datetime, int]:
    """Read a cursor of `cursor_at`; raise UserError("input.invalid") on anything else."""
    first, row_id = _unpack(cursor)
    try:
        at = datetime.fromisoformat(first)
        if at.tzinfo is None:
            raise _wrong(cursor)
        return at.astimezone(UTC), row_id
    except (ValueError, OverflowError):  # the first and the last day don't have a moment in every zone
        raise _wrong(cursor) from None


def older(cursor: str, at: Any, row_id: Any) -> ColumnElement[bool]:
    """Hold for the rows behind a cursor of `cursor_at` in a list of the newest first: columns `at`, `row_id` falling."""
    last_at, last_id = read_at(cursor)
    return tuple_(at, row_id) < tuple_(literal(last_at, UtcDateTime()), literal(last_id))


def cursor_text(value: str, row_id: int) -> str:
    """Return the cursor of a row in a list ordered by (text, id)."""
    return _pack([value, row_id])


def read_text(cursor: str) -> tuple[str, int]:
    """Read a cursor of `cursor_text`; raise UserError("input.invalid") on anything else."""
    return _unpack(cursor)


def _pack(values: list[str | int]) -> str:
    return base64.urlsafe_b64encode(json.dumps(values, ensure_ascii=False).encode()).decode().rstrip("=")


def _unpack(cursor: str) -> tuple[str, int]:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        values = json.loads(raw)
    except (ValueError, binascii.Error, RecursionError):
        raise _wrong(cursor) from None
    if not isinstance(values, list) or len(values) != 2:  # pyright: ignore[reportUnknownArgumentType]
        raise _wrong(cursor)
    first, row_id = values  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(first, str) or "\x00" in first or type(row_id) is not int or not 0 < row_id < 2**63:  # pyright: ignore[reportUnknownArgumentType]
        raise _wrong(cursor)
    if not first.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in first):
        raise _wrong(cursor)
    return first, row_id


def _wrong(cursor: str) -> UserError:
    return UserError("input.invalid", value=cursor[:40], field="cursor")
