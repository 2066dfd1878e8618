"""Keyset pages: a cursor names the last row that was shown, so a page costs the same however deep it is.

A cursor is opaque to its holder and carries no rights: what it leads to is authorised again.
"""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime

from mailcrm.errors import UserError

MOST = 200  # rows of one page, whatever was asked for


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
    except ValueError:
        raise _wrong(cursor) from None
    if at.tzinfo is None:
        raise _wrong(cursor)
    return at, row_id


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
