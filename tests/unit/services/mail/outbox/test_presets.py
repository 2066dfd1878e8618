"""The times of Send later (B10)."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from mailcrm.services.mail.outbox.presets import presets

TOKYO = ZoneInfo("Asia/Tokyo")


def test_offers_an_hour_the_evening_tomorrow_and_monday() -> None:
    """B10: on the user's clock; 25 November 2026 is a Wednesday."""
    found = presets(datetime(2026, 11, 25, 10, 44, tzinfo=TOKYO))
    assert [(each.kind, each.local) for each in found] == [
        ("hour", "2026-11-25T11:44"),
        ("evening", "2026-11-25T18:00"),
        ("tomorrow", "2026-11-26T08:00"),
        ("monday", "2026-11-30T08:00"),
    ]


def test_offers_no_evening_that_is_over_and_monday_once() -> None:
    """On a Sunday night tomorrow is Monday; on a Monday the next one is meant."""
    sunday = presets(datetime(2026, 11, 29, 17, 30, tzinfo=TOKYO))
    assert [each.kind for each in sunday] == ["hour", "tomorrow"]
    monday = presets(datetime(2026, 11, 30, 9, 0, tzinfo=TOKYO))
    assert ("monday", "2026-12-07T08:00") in [(each.kind, each.local) for each in monday]
