"""The times that Send later offers, on the user's own clock. Pure; schedule.py makes moments of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

MORNING, EVENING = 8, 18  # hours
FORMAT = "%Y-%m-%dT%H:%M"


@dataclass(frozen=True)
class Preset:
    """A choice: `kind` hour, evening, tomorrow or monday, and its local time as queue.send takes it."""

    kind: str
    local: str


def presets(now: datetime) -> tuple[Preset, ...]:
    """Return what can be chosen at `now`, a time with the user's zone; this evening only while it is an hour away."""
    today = now.replace(minute=0, second=0, microsecond=0)
    monday = (today + timedelta(days=(7 - today.weekday()) or 7)).replace(hour=MORNING)
    tomorrow = (today + timedelta(days=1)).replace(hour=MORNING)
    evening = today.replace(hour=EVENING)
    found = [Preset("hour", (now + timedelta(hours=1)).strftime(FORMAT))]
    if now + timedelta(hours=1) < evening:
        found.append(Preset("evening", evening.strftime(FORMAT)))
    found.append(Preset("tomorrow", tomorrow.strftime(FORMAT)))
    if monday != tomorrow:
        found.append(Preset("monday", monday.strftime(FORMAT)))
    return tuple(found)
