"""When "Monday at nine" is: a local time and an IANA zone to a moment, by the zone's rules as they are now (B10).

Pure but for the zone rules, which are read from disk each time: a message waits for weeks, and governments change
their minds. An hour that a clock change leaves out is read as if the clock had not changed yet (02:30 becomes 03:30
summer time); of an hour that comes twice, the first is meant. Does not queue anything.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mailcrm.errors import UserError

MAX_AHEAD = timedelta(days=366)
GRACE = timedelta(seconds=60)  # a minute that was picked and passed while somebody reached for the button

_LOCAL = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2})?")
_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,40}(?:/[A-Za-z0-9_+-]{1,40}){0,2}")


def moment_of(local: str, zone: str) -> datetime:
    """Return the moment of "2026-11-30T09:00" in a zone. Raises UserError("outbox.bad_time", "outbox.bad_zone")."""
    if not _LOCAL.fullmatch(local):
        raise UserError("outbox.bad_time", value=local[:40])
    try:
        at = datetime.fromisoformat(local).replace(tzinfo=rules_of(zone), fold=0)
        return at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UserError("outbox.bad_time", value=local[:40]) from error


def rules_of(zone: str) -> ZoneInfo:
    """Read a zone's rules as they are on disk now. Raises UserError("outbox.bad_zone")."""
    if not _ZONE.fullmatch(zone):
        raise UserError("outbox.bad_zone", zone=zone[:40])
    try:
        return ZoneInfo.no_cache(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UserError("outbox.bad_zone", zone=zone[:40]) from error


def leaves_at(now: datetime, wanted: datetime) -> datetime:
    """Return the moment to send at; one that just passed is now.

    Raises UserError: "outbox.in_past", "outbox.too_far", "outbox.bad_time" (a moment without a zone).
    """
    if wanted.tzinfo is None:
        raise UserError("outbox.bad_time", value=str(wanted)[:40])
    if wanted < now - GRACE:
        raise UserError("outbox.in_past")
    if wanted > now + MAX_AHEAD:
        raise UserError("outbox.too_far")
    return max(wanted, now)
