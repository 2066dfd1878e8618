"""Quiet hours in the user's zone (T08): over midnight, and where clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcrm.services import quiet

BERLIN, TOKYO, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Tokyo"), ZoneInfo("America/New_York")


def at(text: str, zone: ZoneInfo, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "begins", "ends", "end"),
    [
        ("2026-11-22T21:59", "22:00", "07:00", None),
        ("2026-11-22T22:00", "22:00", "07:00", "2026-11-23T07:00"),
        ("2026-11-23T00:30", "22:00", "07:00", "2026-11-23T07:00"),
        ("2026-11-23T06:59", "22:00", "07:00", "2026-11-23T07:00"),
        ("2026-11-23T07:00", "22:00", "07:00", None),
        ("2026-11-22T12:30", "12:00", "13:00", "2026-11-22T13:00"),
        ("2026-11-22T13:00", "12:00", "13:00", None),
        ("2026-11-22T12:00", "", "", None),
        ("2026-11-22T12:00", "12:00", "12:00", None),
        ("2026-11-22T12:00", "25:00", "07:00", None),
    ],
)
def test_a_window_may_pass_midnight(now: str, begins: str, ends: str, end: str | None) -> None:
    for zone in (BERLIN, TOKYO, NEW_YORK):
        expected = at(end, zone) if end else None
        assert quiet.end_of_quiet(at(now, zone), zone, begins, ends) == expected


def test_it_is_the_users_night_not_the_servers() -> None:
    now = datetime(2026, 11, 22, 14, tzinfo=UTC)  # 23:00 in Tokyo, 15:00 in Berlin
    assert quiet.end_of_quiet(now, TOKYO, "22:00", "07:00") == datetime(2026, 11, 22, 22, tzinfo=UTC)
    assert quiet.end_of_quiet(now, BERLIN, "22:00", "07:00") is None


def test_the_night_with_an_hour_more_lasts_an_hour_more() -> None:
    """25 Oct 2026, 3:00 becomes 2:00 in Berlin."""
    now = at("2026-10-24T22:30", BERLIN)
    end = quiet.end_of_quiet(now, BERLIN, "22:00", "07:00")
    assert end == at("2026-10-25T07:00", BERLIN)
    assert end is not None
    assert end - now == timedelta(hours=9, minutes=30)


def test_an_hour_that_comes_twice_is_quiet_until_its_second_end() -> None:
    for fold, minute in ((0, "02:10"), (0, "02:40"), (1, "02:10")):
        now = at(f"2026-10-25T{minute}", BERLIN, fold)
        assert quiet.end_of_quiet(now, BERLIN, "22:00", "02:30") == at("2026-10-25T02:30", BERLIN, 1), (fold, minute)
    assert quiet.end_of_quiet(at("2026-10-25T02:30", BERLIN, 1), BERLIN, "22:00", "02:30") is None


def test_an_end_that_never_comes_is_after_the_gap() -> None:
    """29 Mar 2026, 2:00 becomes 3:00 in Berlin: 2:30 does not exist."""
    end = quiet.end_of_quiet(at("2026-03-29T01:59", BERLIN), BERLIN, "22:00", "02:30")
    assert end == at("2026-03-29T03:30", BERLIN)


@given(
    st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1)),
    st.sampled_from([BERLIN, TOKYO, NEW_YORK, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kathmandu")]),
    st.times(),
    st.times(),
)
def test_an_end_is_ahead_and_is_not_quiet_itself(naive: datetime, zone: ZoneInfo, first: object, last: object) -> None:
    now = naive.replace(tzinfo=UTC)
    begins, ends = f"{first:%H:%M}", f"{last:%H:%M}"
    end = quiet.end_of_quiet(now, zone, begins, ends)
    if end is not None:
        assert now < end <= now + timedelta(hours=26)
        assert f"{end.astimezone(zone):%H:%M}" == ends or zone.utcoffset(end.replace(tzinfo=None)) is not None


def test_a_digest_comes_at_the_full_hour_of_the_users_clock() -> None:
    now = datetime(2026, 11, 22, 14, 20, tzinfo=UTC)
    assert quiet.next_hour(now, BERLIN) == datetime(2026, 11, 22, 15, tzinfo=UTC)
    assert quiet.next_hour(now, ZoneInfo("Asia/Kathmandu")) == datetime(2026, 11, 22, 15, 15, tzinfo=UTC)
