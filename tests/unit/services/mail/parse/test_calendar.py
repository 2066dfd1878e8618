"""Invitations: what, when, where, who, from real programs' habits; rules that would never end cost nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailcrm.services.mail.parse.calendar import read_event
from mailcrm.services.mail.parse.message import parse_message
from mailcrm.services.mail.parse.values import ParsedEvent

OUTLOOK = """\
BEGIN:VCALENDAR
METHOD:REQUEST
BEGIN:VTIMEZONE
TZID:{zone}
BEGIN:STANDARD
DTSTART:16010101T040000
TZOFFSETFROM:+0300
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0300
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
ORGANIZER;CN="Aaltonen, Mika":MAILTO:mika@saimaa.test
ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;CN=Noor:mailto:noor@delta.test
ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:aino@crm.test
SUMMARY;LANGUAGE=en:Saimaa phase 2\\, kick-off with a title that is
  folded
LOCATION:Room 3\\; second floor
DTSTART;TZID={zone}:{start}
DTEND;TZID={zone}:{end}
UID:1@saimaa.test
{rule}
BEGIN:VALARM
TRIGGER:-PT15M
SUMMARY:not this one
END:VALARM
END:VEVENT
END:VCALENDAR
"""


def event(
    zone: str = "FLE Standard Time", start: str = "20260702T100000", end: str = "20260702T113000", rule: str = ""
) -> ParsedEvent:
    found = read_event(OUTLOOK.format(zone=zone, start=start, end=end, rule=rule).replace("\n", "\r\n"))
    assert found is not None
    return found


def test_an_invitation() -> None:
    found = event()
    assert (found.method, found.cancelled, found.uid) == ("REQUEST", False, "1@saimaa.test")
    assert found.summary == "Saimaa phase 2, kick-off with a title that is folded"
    assert found.location == "Room 3; second floor"
    assert (found.start, found.end) == (datetime(2026, 7, 2, 7, tzinfo=UTC), datetime(2026, 7, 2, 8, 30, tzinfo=UTC))
    assert found.organizer is not None
    assert (found.organizer.name, found.organizer.address) == ("Aaltonen, Mika", "mika@saimaa.test")
    assert [(g.who.address, g.status) for g in found.guests] == [
        ("noor@delta.test", "ACCEPTED"), ("aino@crm.test", "NEEDS-ACTION"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "zone", ["FLE Standard Time", "Europe/Helsinki", "/x.example/2024/Europe/Helsinki", "Our own zone"]
)
def test_summer_and_winter_in_every_kind_of_zone(zone: str) -> None:
    """By Windows' name, by IANA's, behind a vendor's prefix, and by the rules in the file."""
    assert event(zone).start == datetime(2026, 7, 2, 7, tzinfo=UTC)
    winter = event(zone, "20260115T100000", "20260115T110000")
    assert winter.start == datetime(2026, 1, 15, 8, tzinfo=UTC)
    assert event(zone, "20261024T120000", "20261024T130000").start == datetime(2026, 10, 24, 9, tzinfo=UTC)
    assert event(zone, "20261026T120000", "20261026T130000").start == datetime(2026, 10, 26, 10, tzinfo=UTC)


def test_days_and_clock_times_without_zone() -> None:
    day = read_event("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260301\nEND:VEVENT\nEND:VCALENDAR")
    assert day is not None
    assert (day.all_day, day.start, day.end) == (
        True,
        datetime(2026, 3, 1, tzinfo=UTC),
        datetime(2026, 3, 2, tzinfo=UTC),
    )
    here = read_event(
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260301T090000\nDURATION:PT45M\nEND:VEVENT\nEND:VCALENDAR"
    )
    assert here is not None
    assert (here.floating, here.end) == (True, datetime(2026, 3, 1, 9, 45, tzinfo=UTC))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE", ("weekly", 2, ("MO", "WE"), None)),
        ("RRULE:FREQ=DAILY;COUNT=10", ("daily", 1, (), 10)),
        ("RRULE:FREQ=MONTHLY;BYDAY=2TU", ("", 1, (), None)),
        ("RRULE:FREQ=SECONDLY;COUNT=999999999999", ("", 1, (), None)),
        ("RRULE:FREQ=YEARLY;INTERVAL=0", ("yearly", 1, (), None)),
        ("RRULE:FREQ=WEEKLY;BYSETPOS=1;BYDAY=MO", ("", 1, (), None)),
    ],
)
def test_series(rule: str, expected: tuple[object, ...]) -> None:
    found = event(rule=rule).recurrence
    assert found is not None
    assert (found.frequency, found.interval, found.days, found.count) == expected


def test_a_cancellation() -> None:
    text = OUTLOOK.format(zone="UTC", start="20260702T100000", end="20260702T110000", rule="STATUS:CANCELLED")
    found = read_event(text.replace("METHOD:REQUEST", "METHOD:CANCEL"))
    assert found is not None
    assert (found.cancelled, found.method) == (True, "CANCEL")


def test_a_flood_of_guests_and_lines_is_cut() -> None:
    guests = "".join(f"ATTENDEE:mailto:a{n}@x.test\n" for n in range(3_000))
    found = read_event(f"BEGIN:VCALENDAR\nBEGIN:VEVENT\n{guests}END:VEVENT\n")
    assert found is not None
    assert (len(found.guests), found.guests_left) == (200, 2_800)
    assert read_event("BEGIN:VCALENDAR\n" * 200_000) is None
    assert read_event("BEGIN:VEVENT\nSUMMARY:" + "\n x" * 100_000) is not None


def test_shared_calendars(corpora: Path) -> None:
    found = sorted((corpora / "extra" / "ics_icalendar").rglob("*.ics"))
    read = [read_event(path.read_bytes().decode("utf-8", "replace")) for path in found]
    assert len(found) > 100
    assert sum(each is not None for each in read) > 50


def test_the_form_in_an_alternative_is_a_card_and_not_a_file() -> None:
    calendar = OUTLOOK.format(zone="UTC", start="20260702T100000", end="20260702T110000", rule="X-A:b")
    raw = (
        "From: a@x.test\r\nContent-Type: multipart/alternative; boundary=q\r\n\r\n--q\r\n\r\nYou are invited\r\n--q\r\n"
        f"Content-Type: text/calendar; charset=utf-8; method=REQUEST\r\n\r\n{calendar}\r\n--q--\r\n"
    )
    message = parse_message(raw.encode())
    assert message.event is not None
    assert (message.event_n, message.event.location) == (1, "Room 3; second floor")
    assert [(a.filename, a.inline) for a in message.attachments] == [("invite.ics", True)]


_LINES = st.sampled_from(
    ["BEGIN:VCALENDAR", "BEGIN:VEVENT", "END:VEVENT", "BEGIN:VTIMEZONE", "END:VTIMEZONE", "BEGIN:STANDARD", "END:STANDARD",
     "TZID:x", "TZOFFSETTO:+9999", "TZOFFSETFROM:-0100", "DTSTART:99991231T235959", "DTSTART;TZID=x:00010101T000000",
     "DTSTART;TZID=Pacific/Auckland:00010101T000000", "DTEND;TZID=../../etc/passwd:20260101T000000", "DURATION:P99999W",
     "RRULE:FREQ=YEARLY;BYMONTH=99;BYDAY=-9SU", "RRULE:FREQ=YEARLY;BYMONTH=2;BYDAY=5SU", "ATTENDEE;CN=\"a:b", "DTSTART:20261399",
     "RRULE:COUNT=²", "UNTIL:1"]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(_LINES, st.text(max_size=20)), max_size=40))
def test_no_calendar_raises(lines: list[str]) -> None:
    read_event("\r\n".join(lines))
