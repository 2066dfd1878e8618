"""Quiet hours and digests: when what happens now may be told. Pure.

Hours are wall-clock times of the user's zone. Where clocks are put back and an hour comes twice, quiet lasts until its
second end; where they are put forward over the end, it lasts until that much after the gap: never too short.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo

_HOUR = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


def is_hour(text: str) -> bool:
    """Whether this is a time of day as it is stored, "22:00"."""
    return _HOUR.fullmatch(text) is not None


def end_of_quiet(now: datetime, zone: tzinfo, begins: str, ends: str) -> datetime | None:
    """Return when the quiet hours end that `now` lies in; None outside of them, and without any.

    `begins` and `ends` are "22:00"; a window may pass midnight. Equal or missing hours are no window.
    """
    if not is_hour(begins) or not is_hour(ends) or begins == ends:
        return None
    first, last = time.fromisoformat(begins), time.fromisoformat(ends)
    today = now.astimezone(zone).date()
    for day in (today - timedelta(days=1), today):
        end_day = day if first < last else day + timedelta(days=1)
        end = max(_moment(end_day, last, zone, fold) for fold in (0, 1))
        if _moment(day, first, zone, 0) <= now < end:
            return end
    return None


def next_hour(now: datetime, zone: tzinfo) -> datetime:
    """Return the next full hour of the user's clock: when a digest is told."""
    local = now.astimezone(zone)
    into = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    return now + timedelta(hours=1) - into


def _moment(day: date, at: time, zone: tzinfo, fold: int) -> datetime:
    return datetime.combine(day, at.replace(fold=fold), tzinfo=zone).astimezone(UTC)
