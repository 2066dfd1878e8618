"""The words of an invitation's card, in the reader's language and zone; and of signed and encrypted email."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from mailcrm.services.mail.parse.calendar import read_event
from mailcrm.services.mail.parse.values import Address, Guest, ParsedEvent, Recurrence
from mailcrm.state.event_card import EventRow, event_row, notice
from mailcrm.state.present import Eyes

EVENT = ParsedEvent(
    method="REQUEST",
    uid="1",
    summary="Kick-off",
    location="Quay 4",
    start=datetime(2026, 7, 2, 22, 30, tzinfo=UTC),
    end=datetime(2026, 7, 2, 23, 30, tzinfo=UTC),
    all_day=False,
    floating=False,
    organizer=Address("Lena Vogt", "lena@x.test"),
    guests=(Guest(Address("", "a@x.test"), "NEEDS-ACTION"), Guest(Address("Jonas", "j@x.test"), "DECLINED")),
    guests_left=0,
    recurrence=None,
    cancelled=False,
)


def eyes(language: str = "en", zone: str = "Europe/Helsinki") -> Eyes:
    return Eyes(language, ZoneInfo(zone), datetime(2026, 7, 1, 12, tzinfo=UTC))


def card(event: ParsedEvent | None, *, language: str = "en", zone: str = "Europe/Helsinki") -> EventRow:
    return event_row(SimpleNamespace(id=7, event=event, event_n=2), eyes(language, zone))


def test_when_is_the_reader_s_time() -> None:
    assert card(EVENT).when == "Fri 3 Jul, 1:30–2:30"
    assert card(EVENT, zone="America/New_York").when == "Thu 2 Jul, 18:30–19:30"
    assert card(EVENT, zone="America/Sao_Paulo").when == "Thu 2 Jul, 19:30–20:30"
    assert card(EVENT, language="ja", zone="Asia/Tokyo").when == "7月3日(金) 7:30–8:30"
    assert card(EVENT, zone="Europe/London").when == "Thu 2 Jul, 23:30 – Fri 3 Jul, 0:30"


def test_days_and_clock_times_stay_what_they_are() -> None:
    day = replace(
        EVENT, all_day=True, floating=True, start=datetime(2026, 7, 2, tzinfo=UTC), end=datetime(2026, 7, 3, tzinfo=UTC)
    )
    for zone in ("Pacific/Auckland", "America/Los_Angeles"):
        assert card(day, zone=zone).when == "2 Jul, all day"
        assert card(replace(day, end=datetime(2026, 7, 5, tzinfo=UTC)), zone=zone).when == "2 Jul – 4 Jul, all day"
        assert card(replace(EVENT, floating=True), zone=zone).when == "Thu 2 Jul, 22:30–23:30"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Recurrence("weekly", 2, ("MO", "WE"), None, None), "Every 2 weeks: Mon, Wed"),
        (Recurrence("daily", 1, (), 10, None), "Every day, 10 times"),
        (Recurrence("monthly", 1, (), None, datetime(2027, 1, 31, tzinfo=UTC)), "Every month, until 31 Jan 2027"),
        (Recurrence("", 1, (), None, None), "Repeats"),
    ],
)
def test_series(rule: Recurrence, words: str) -> None:
    assert card(replace(EVENT, recurrence=rule)).series == words


def test_what_it_is_and_who() -> None:
    assert (card(EVENT).kind, card(EVENT).label, card(EVENT).href) == ("invitation", "Invitation", "/m/7/attachments/2")
    assert card(replace(EVENT, cancelled=True)).label == "Event cancelled"
    reply = replace(EVENT, method="REPLY", guests=(Guest(Address("Jonas", "j@x.test"), "ACCEPTED"),))
    assert (card(reply).kind, card(reply).label) == ("reply", "Jonas accepted")
    assert card(EVENT).guests == "a@x.test, Jonas (declined)"
    many = replace(EVENT, guests=EVENT.guests * 10, guests_left=5)
    assert card(many).guests.endswith(", and 17 more")
    assert card(None) == EventRow()


@pytest.mark.parametrize("year", ["0001", "1899", "1900", "2200", "2201", "9999"])
def test_years_at_the_ends_of_time(year: str) -> None:
    """A hostile file may name any year: the conversation opens, and the card says no time that nobody means."""
    lines = (
        f"DTSTART:{year}0101T000000Z\r\nDURATION:P99999W",
        f"DTSTART;VALUE=DATE:{year}1231",
        f"DTSTART;TZID=Asia/Tokyo:{year}1231T235959",
    )
    for line in lines:
        found = read_event(
            f"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n{line}\r\nRRULE:FREQ=DAILY;UNTIL={year}0101\r\nEND:VEVENT\r\n"
        )
        assert found is not None
        for zone in ("Pacific/Kiritimati", "America/Los_Angeles"):
            assert bool(card(found, zone=zone).when) == (year in ("1900", "2200"))


def test_signed_and_encrypted() -> None:
    for code in ("smime_signed", "pgp_signed", "smime_encrypted", "pgp_encrypted"):
        assert notice(SimpleNamespace(security=code), eyes())
    assert notice(SimpleNamespace(security=""), eyes()) == ""
