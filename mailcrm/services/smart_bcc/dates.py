"""Reads the dates that mail programs write above a forwarded message, in English, Japanese, German, French and Spanish.

Pure. A date without a zone is the user's own. Days and months in figures are read in the order that the language, or
AM and PM, tells; where nothing tells, the day comes first.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan januar janvier janv enero ene jänner", "february feb februar février fevrier févr fev febrero",
            "march mar märz maerz mär mars marzo mrz", "april apr avril avr abril abr", "may mai mayo",
            "june jun juni juin junio", "july jul juli juillet juil julio", "august aug août aout agosto ago",
            "september sep sept septembre septiembre", "october oct oktober okt octobre octubre",
            "november nov novembre noviembre", "december dec dezember dez décembre decembre déc diciembre dic",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_ISO = re.compile(r"(\d{4})[-/年.]\s?(\d{1,2})[-/月.]\s?(\d{1,2})日?")
_FIGURES = re.compile(r"(?<!\d)(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?!\d)")
_WORDS = re.compile(r"[^\W\d_]+")
_DAY = re.compile(r"(?<![\d:])(\d{1,2})(?:st|nd|rd|th|er|\.)?(?![\d:])")
_YEAR = re.compile(r"(?<!\d)((?:19|20)\d{2})(?!\d)")
_TIME = re.compile(r"(?<!\d)(\d{1,2})[:時h](\d{2})(?:[:分](\d{2}))?")
_ZONE = re.compile(r"(?:GMT|UTC|Z)?\s?([+-−])(\d{1,2}):?(\d{2})?(?!\d)")
_ZONES = {"gmt": 0, "utc": 0, "jst": 9, "cet": 1, "cest": 2, "mez": 1, "mesz": 2, "est": -5, "edt": -4, "cst": -6,
          "cdt": -5, "pst": -8, "pdt": -7, "bst": 1}  # fmt: skip
_LONGEST = 120  # characters of such a date


def read_date(text: str, zone: tzinfo) -> datetime | None:
    """Return the moment, None where the text tells none."""
    text = " ".join(text[:_LONGEST].replace("\u202f", " ").replace("\xa0", " ").split())
    try:
        found = parsedate_to_datetime(text)
        if re.match(r"\w{3}, ", text):
            return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (TypeError, ValueError, IndexError, OverflowError):
        pass
    day = _day_of(text)
    if day is None:
        return None
    time = _TIME.search(text)
    hour, minute, second = (int(time[1]), int(time[2]), int(time[3] or 0)) if time else (12, 0, 0)
    low = text.lower()
    if time and hour <= 12:
        if re.search(r"\bp\.?\s?m\b|午後|下午|오후", low):
            hour = hour % 12 + 12
        elif re.search(r"\ba\.?\s?m\b|午前|上午|오전", low):
            hour %= 12
    try:
        local = datetime(*day, hour, minute, second, tzinfo=_zone_of(text, time.end() if time else 0) or zone)
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _day_of(text: str) -> tuple[int, int, int] | None:
    if found := _ISO.search(text):
        return int(found[1]), int(found[2]), int(found[3])
    if found := _FIGURES.search(text):
        first, second, year = int(found[1]), int(found[2]), int(found[3])
        american = "/" in found[0] and re.search(r"\b[ap]\.?m\b", text.lower()) is not None
        if second > 12 or (american and first <= 12):
            first, second = second, first
        return year, second, first
    year = _YEAR.search(text)
    month = next((_MONTHS[word] for word in _WORDS.findall(text.lower()) if word in _MONTHS), None)
    if year is None or month is None:
        return None
    rest = text[: year.start()] + " " * 4 + text[year.end() :]
    day = _DAY.search(_TIME.sub(" ", rest))
    return (int(year[1]), month, int(day[1])) if day else None


def _zone_of(text: str, after: int) -> tzinfo | None:
    rest = text[after:]
    if found := _ZONE.search(rest):
        hours, minutes = int(found[2]), int(found[3] or 0)
        if hours <= 14 and minutes < 60:
            offset = timedelta(hours=hours, minutes=minutes)
            return timezone(offset if found[1] == "+" else -offset)
    for word in _WORDS.findall(rest.lower()):
        if word in _ZONES:
            return timezone(timedelta(hours=_ZONES[word]))
    return None
