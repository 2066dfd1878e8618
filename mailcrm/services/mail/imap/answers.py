"""Reads the two FETCH answers that sync lives on, many times faster than a general parser. Pure.

Only their common, well-formed shape; for anything else each function returns None and the caller asks IMAPClient's
parser, which a test holds this one against. `data` is what imaplib collected: a line as bytes, or (line, literal).
"""

# IMAPClient has no types of its own; what leaves this module is annotated.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateUsage=false

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

_BODY = re.compile(rb"\d+ \(UID (\d+)(?: FLAGS \([^()\r\n]*\))? BODY\[\] \{(\d+)\}")
_AFTER = re.compile(rb"(?: FLAGS \([^()\r\n]*\))?\)")
_META = re.compile(
    rb'\d+ \(UID (\d+) FLAGS \(([^()"\r\n]*)\) INTERNALDATE "([ \d]\d)-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d) '
    rb'([+-])(\d\d)(\d\d)" RFC822\.SIZE (\d+)\)'
)
_MONTHS = {name: n for n, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}

Meta = tuple[tuple[bytes, ...], datetime, int]


def bodies(data: Sequence[Any]) -> dict[int, bytes] | None:
    """Return BODY[] by UID, None when the answer has another shape anywhere."""
    if len(data) % 2:
        return None
    out: dict[int, bytes] = {}
    for n in range(0, len(data), 2):
        item, after = data[n], data[n + 1]
        if not isinstance(item, tuple) or not isinstance(after, bytes) or not _AFTER.fullmatch(after):
            return None
        head = _BODY.fullmatch(item[0])
        if head is None or int(head[2]) != len(item[1]):
            return None
        out[int(head[1])] = item[1]
    return out


def metas(data: Sequence[Any]) -> dict[int, Meta] | None:
    """Return (flags, INTERNALDATE, size) by UID, None when the answer has another shape anywhere."""
    out: dict[int, Meta] = {}
    for line in data:
        found = _META.fullmatch(line) if isinstance(line, bytes) else None
        if found is None or found[4] not in _MONTHS:
            return None
        uid, flags, day, month, year, hour, minute, second, sign, zone_h, zone_m, size = found.groups()
        offset = timedelta(hours=int(zone_h), minutes=int(zone_m))
        try:
            when = datetime(
                int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second),
                tzinfo=timezone(-offset if sign == b"-" else offset),
            ).astimezone(UTC)  # fmt: skip
        except (ValueError, OverflowError):
            return None
        out[int(uid)] = tuple(flags.split()), when, int(size)
    return out
