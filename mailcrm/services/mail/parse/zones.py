"""Time zones of calendar files: by their IANA name, by Windows' name, else by the rules that the file brings along.

The rules (VTIMEZONE, RFC 5545 3.6.5) are read for the year asked: each observance's last change before the moment
decides. Only yearly rules by month and weekday are followed, which is what programs write; nothing is unrolled. Pure:
the zones' data is the standard library's and Babel's table of Windows' names.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Zone = Callable[[datetime], datetime] | None  # a clock time to UTC
Line = tuple[str, Mapping[str, str], str]

_OFFSET = re.compile(r"([+-])(\d{2})(\d{2})(\d{2})?")
_NAME = re.compile(r"[A-Za-z0-9_+-]{1,40}(?:/[A-Za-z0-9_+-]{1,40}){0,2}")  # never a path of the file system
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_MAX_OBSERVANCES = 100


@dataclass(slots=True)
class _Observance:
    """STANDARD or DAYLIGHT: from when on its offset counts."""

    before: timedelta
    after: timedelta
    start: datetime
    rule: dict[str, str] | None

    def begins(self, moment: datetime) -> datetime | None:
        """Return the last change to this observance at or before the clock time `moment`."""
        if self.rule is None or self.rule.get("FREQ") != "YEARLY":
            return self.start if self.start <= moment else None
        for year in (moment.year, moment.year - 1):
            at = _in_year(self.rule, self.start, year)
            if at is not None and self.start <= at <= moment:
                return at
        return None


def zone_of(name: str, lines: Sequence[Line]) -> Zone:
    """Return what turns a clock time of that zone into UTC; None for a zone that nobody knows."""
    known = _named(name)
    if known is not None:
        return lambda naive: naive.replace(tzinfo=known).astimezone(UTC)
    observances = _observances(lines)
    if not observances:
        return None

    def convert(naive: datetime) -> datetime:
        last, offset = None, observances[0].before
        for each in observances:
            at = each.begins(naive)
            if at is not None and (last is None or at >= last):
                last, offset = at, each.after
        return (naive - offset).replace(tzinfo=UTC)

    return convert


def _named(name: str) -> ZoneInfo | None:
    from babel.core import get_global  # 2 MB, for invitations alone

    text = name.strip().strip('"')
    windows = cast("Mapping[str, str]", get_global("windows_zone_mapping"))
    candidates = [windows.get(text, ""), text, *("/".join(text.split("/")[-n:]) for n in (2, 3))]
    for candidate in candidates:  # the last two: "/freeassociation.sourceforge.net/Europe/Helsinki"
        if not _NAME.fullmatch(candidate):
            continue
        try:
            return ZoneInfo(candidate)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return None


def _observances(lines: Sequence[Line]) -> list[_Observance]:
    blocks: list[dict[str, str]] = []
    for name, _, value in lines:
        if name == "BEGIN":
            if len(blocks) >= _MAX_OBSERVANCES:
                break
            blocks.append({})
        elif blocks:
            blocks[-1].setdefault(name, value.strip())
    made = (_observance(block) for block in blocks)
    return [each for each in made if each is not None]


def _observance(block: Mapping[str, str]) -> _Observance | None:
    after, before = _offset(block.get("TZOFFSETTO", "")), _offset(block.get("TZOFFSETFROM", ""))
    digits = re.match(r"(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})", block.get("DTSTART", ""))
    if after is None or digits is None:
        return None
    try:
        start = datetime(*(int(each) for each in digits.groups()))  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        return None
    rule = None
    if "RRULE" in block:
        rule = dict(piece.upper().split("=", 1) for piece in block["RRULE"].split(";")[:20] if "=" in piece)
    return _Observance(before if before is not None else after, after, start, rule)


def _offset(text: str) -> timedelta | None:
    match = _OFFSET.fullmatch(text)
    if match is None:
        return None
    size = timedelta(hours=int(match[2]), minutes=int(match[3]), seconds=int(match[4] or 0))
    return (-size if match[1] == "-" else size) if size < timedelta(hours=24) else None


def _in_year(rule: Mapping[str, str], start: datetime, year: int) -> datetime | None:
    """Return when a yearly rule falls in that year: a weekday of a month ("2SU", "-1SU"), or the date itself."""
    month = int(rule["BYMONTH"]) if rule.get("BYMONTH", "").isdigit() else start.month
    if not 1 <= month <= 12 or not 1 <= year <= 9999:
        return None
    match = re.fullmatch(r"([+-]?\d)(MO|TU|WE|TH|FR|SA|SU)", rule.get("BYDAY", ""))
    first, days = monthrange(year, month)
    if match is None:
        return start.replace(year=year, month=month, day=min(start.day, days))
    nth, weekday = int(match[1]), _WEEKDAYS.index(match[2])
    if nth == 0:
        return None
    if nth > 0:
        day = 1 + (weekday - first) % 7 + 7 * (nth - 1)
    else:
        last = (first + days - 1) % 7
        day = days - (last - weekday) % 7 + 7 * (nth + 1)
    return start.replace(year=year, month=month, day=day) if 1 <= day <= days else None
