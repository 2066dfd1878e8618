"""Send later by the clock on the wall (B10): gaps, hours that come twice, times that passed, zones that don't exist."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from mailcrm.errors import UserError
from mailcrm.services.mail.outbox import schedule

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("local", "zone", "utc"),
    [
        ("2026-11-30T09:00", "Europe/Helsinki", "2026-11-30T07:00"),
        ("2026-07-01T09:00", "Europe/Helsinki", "2026-07-01T06:00"),
        ("2026-03-29T03:30", "Europe/Helsinki", "2026-03-29T01:30"),  # left out: 04:30 summer time
        ("2026-10-25T03:30", "Europe/Helsinki", "2026-10-25T00:30"),  # comes twice: the first, in summer time
        ("2026-03-08T02:15", "America/New_York", "2026-03-08T07:15"),  # left out: 03:15 EDT
        ("2026-11-01T01:15", "America/New_York", "2026-11-01T05:15"),  # comes twice: EDT
        ("2026-10-04T02:10", "Australia/Lord_Howe", "2026-10-03T15:40"),  # half an hour is left out
        ("2026-11-30T09:00", "Asia/Tokyo", "2026-11-30T00:00"),
        ("2026-11-30 09:00", "UTC", "2026-11-30T09:00"),
    ],
)
def test_the_clock_on_the_wall(local: str, zone: str, utc: str) -> None:
    assert schedule.moment_of(local, zone) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "local", ["", "tomorrow", "2026-13-01T09:00", "2026-11-30T25:00", "2026-11-30T09:00Z", "9" * 99]
)
def test_no_time_is_said(local: str) -> None:
    with pytest.raises(UserError) as caught:
        schedule.moment_of(local, "UTC")
    assert caught.value.code == "outbox.bad_time"


@pytest.mark.parametrize(
    "zone", ["", "Mars/Olympus", "../../etc/passwd", "/etc/passwd", "Europe/Helsinki\0", "x" * 500]
)
def test_no_zone_is_said(zone: str) -> None:
    with pytest.raises(UserError) as caught:
        schedule.moment_of("2026-11-30T09:00", zone)
    assert caught.value.code == "outbox.bad_zone"


def test_the_first_day_of_time_is_no_moment() -> None:
    """Year 1 east of Greenwich is before there are years."""
    with pytest.raises(UserError):
        schedule.moment_of("0001-01-01T00:00", "Asia/Tokyo")


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (NOW - timedelta(minutes=2), "outbox.in_past"),
        (NOW + timedelta(days=367), "outbox.too_far"),
        (datetime(2026, 5, 1, 9), "outbox.bad_time"),
    ],
)
def test_moments_that_are_refused(wanted: datetime, code: str) -> None:
    with pytest.raises(UserError) as caught:
        schedule.leaves_at(NOW, wanted)
    assert caught.value.code == code


def test_a_minute_that_just_passed_is_now() -> None:
    assert schedule.leaves_at(NOW, NOW - timedelta(seconds=30)) == NOW
    later = datetime(2026, 3, 1, 23, tzinfo=timezone(timedelta(hours=9)))
    assert schedule.leaves_at(NOW, later) == later
