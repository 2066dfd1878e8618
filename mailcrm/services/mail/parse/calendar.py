"""Reads a calendar invitation (iCalendar, RFC 5545; iTIP, RFC 5546) far enough for a card: what, when, where, who.

Only events, and only the first of a file's; a series is described by its rule and never unrolled, so no rule can cost
time. Moments come out as UTC: of a zone that is known by name, else (Windows names, own names) by `zones.py`; a moment
without zone is "floating" and keeps its clock time. Does not answer invitations. Pure and linear; never raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from mailcrm.services.mail.parse.charsets import one_line, safe_text
from mailcrm.services.mail.parse.values import MAX_CALENDAR_BYTES, Address, Guest, ParsedEvent, Recurrence
from mailcrm.services.mail.parse.zones import Zone, zone_of

_MAX_LINES = 20_000
_MAX_TEXT = 2_000  # characters of a title or place
_MAX_GUESTS = 200  # kept; `guests_left` counts the others
_FIRST_YEAR, _LAST_YEAR = 1900, 2200  # at the ends of time a change of zone overflows; nobody meets there
_DURATION = re.compile(r"[+-]?P(?:(\d{1,5})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,5})M)?(?:(\d{1,6})S)?)?")
_MOMENT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})(\d{2})?(Z)?)?")
_DAY = re.compile(r"([+-]?\d{0,2})(MO|TU|WE|TH|FR|SA|SU)")
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_STATUSES = ("ACCEPTED", "DECLINED", "TENTATIVE", "NEEDS-ACTION", "DELEGATED")

Line = tuple[str, Mapping[str, str], str]  # name, parameters, value
_Zones = Callable[[str], Zone]


def read_event(text: str) -> ParsedEvent | None:
    """Return the first event of a calendar; None when it has none. The text beyond MAX_CALENDAR_BYTES is not read."""
    try:
        return _read(text[:MAX_CALENDAR_BYTES])
    except (ValueError, OverflowError):
        return None


def _read(text: str) -> ParsedEvent | None:
    method = ""
    event: list[Line] = []
    zones: dict[str, list[Line]] = {}
    block: list[Line] | None = None
    depth: list[str] = []
    for line in _lines(text):
        name, _, value = line
        if name == "BEGIN":
            depth.append(value.upper())
            if len(depth) > 10:
                return None
            if depth[-1] == "VEVENT" and not event:
                block = event
            elif depth[-1] == "VTIMEZONE":
                block = []
            if depth[-1] in ("STANDARD", "DAYLIGHT") and block is not None:
                block.append(line)
        elif name == "END":
            if depth[-1:] == ["VTIMEZONE"] and block is not None:
                named = next((v for n, _, v in block if n == "TZID"), "")
                if len(zones) < 50:
                    zones.setdefault(named, block)
                block = None
            elif depth[-1:] == ["VEVENT"]:
                block = None
            depth = depth[:-1]
        elif name == "METHOD" and len(depth) == 1:
            method = value.strip().upper()[:20]
        elif block is not None and (depth[-1:] != ["VALARM"]):
            block.append(line)
    return _event(method, event, zones) if event else None


def _lines(text: str) -> list[Line]:
    """Unfold (RFC 5545 3.1) and split; lines that make no sense are left out."""
    unfolded: list[list[str]] = []
    for raw in text.replace("\r\n", "\n").replace("\r", "\n").split("\n", _MAX_LINES)[:_MAX_LINES]:
        if raw[:1] in (" ", "\t") and unfolded:
            unfolded[-1].append(raw[1:])
        elif raw:
            unfolded.append([raw])
    found = (_split("".join(pieces)) for pieces in unfolded)
    return [line for line in found if line is not None]


def _split(line: str) -> Line | None:
    """`NAME;PARAM="a:b";P2=c:value`: quotes protect colons and semicolons."""
    pieces: list[str] = []
    start, quoted = 0, False
    for at, char in enumerate(line):
        if char == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif char == ";":
            pieces.append(line[start:at])
            start = at + 1
        elif char == ":":
            pieces.append(line[start:at])
            params: dict[str, str] = {}
            for piece in pieces[1:50]:
                key, equals, value = piece.partition("=")
                if equals:
                    params.setdefault(key.strip().upper(), value.strip().strip('"'))
            return pieces[0].strip().upper(), params, line[at + 1 :]
    return None


def _event(method: str, lines: Sequence[Line], zones: Mapping[str, Sequence[Line]]) -> ParsedEvent:
    first: dict[str, Line] = {}
    for line in lines:
        first.setdefault(line[0], line)

    def text(name: str) -> str:
        return one_line(_unescape(first[name][2]))[:_MAX_TEXT] if name in first else ""

    made: dict[str, Zone] = {}

    def zone(name: str) -> Zone:
        if name not in made:
            made[name] = zone_of(name, zones.get(name, ()))
        return made[name]

    start, all_day, floating = _moment(first.get("DTSTART"), zone)
    end, _, _ = _moment(first.get("DTEND"), zone)
    if start is not None and end is None and "DURATION" in first:
        end = _plus(start, first["DURATION"][2])
    if start is not None and end is None and all_day:
        end = start + timedelta(days=1)
    if start is not None and end is not None and end < start:
        end = None
    guests = [_guest(line) for line in lines if line[0] == "ATTENDEE"]
    return ParsedEvent(
        method=method,
        uid=text("UID")[:255],
        summary=text("SUMMARY"),
        location=text("LOCATION"),
        start=start,
        end=end,
        all_day=all_day,
        floating=floating,
        organizer=_guest(first["ORGANIZER"]).who if "ORGANIZER" in first else None,
        guests=tuple(guests[:_MAX_GUESTS]),
        guests_left=max(len(guests) - _MAX_GUESTS, 0),
        recurrence=_recurrence(first["RRULE"][2], zone) if "RRULE" in first else None,
        cancelled=method == "CANCEL" or text("STATUS").upper() == "CANCELLED",
    )


def _moment(line: Line | None, zone: _Zones) -> tuple[datetime | None, bool, bool]:
    """Return (UTC moment, is a whole day, has no zone)."""
    if line is None:
        return None, False, False
    _, params, value = line
    match = _MOMENT.match(value.strip())
    if match is None:
        return None, False, False
    year, month, day, hour, minute, second, mark = match.groups()
    if not _FIRST_YEAR <= int(year) <= _LAST_YEAR:
        return None, False, False
    naive = datetime(  # noqa: DTZ001  # a clock time: its zone is found below
        int(year), int(month), int(day), int(hour or 0), int(minute or 0), min(int(second or 0), 59)
    )
    if hour is None:
        return naive.replace(tzinfo=UTC), True, True
    if mark or params.get("TZID", "").upper() in ("UTC", "ETC/UTC", "GMT"):
        return naive.replace(tzinfo=UTC), False, False
    named = zone(params["TZID"]) if params.get("TZID") else None
    if named is not None:
        return named(naive), False, False
    return naive.replace(tzinfo=UTC), False, True


def _plus(start: datetime, duration: str) -> datetime | None:
    match = _DURATION.match(duration.strip().upper())
    if match is None or not any(match.groups()) or duration.strip().startswith("-"):
        return None
    weeks, days, hours, minutes, seconds = (int(each or 0) for each in match.groups())
    return start + timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


def _guest(line: Line) -> Guest:
    _, params, value = line
    address = value.strip()
    address = address[7:] if address[:7].lower() == "mailto:" else params.get("EMAIL", "")
    status = params.get("PARTSTAT", "").upper()
    name = one_line(_unescape(params.get("CN", "").replace("^'", '"').replace("^^", "^")))[:200]  # RFC 6868
    return Guest(Address(name, one_line(address)[:320]), status if status in _STATUSES else "NEEDS-ACTION")


def _recurrence(value: str, zone: _Zones) -> Recurrence | None:
    rule: dict[str, str] = {}
    for piece in value.split(";")[:20]:
        key, _, text = piece.partition("=")
        rule.setdefault(key.strip().upper(), text.strip().upper())
    frequency = rule.get("FREQ", "")
    if frequency not in _FREQUENCIES:
        return Recurrence("", 1, (), None, None)
    days = tuple(d for d in rule.get("BYDAY", "").split(",")[:7] if _DAY.fullmatch(d))
    interval = rule.get("INTERVAL", "1")
    count = rule.get("COUNT", "")
    until, _, _ = _moment(("UNTIL", {}, rule["UNTIL"]), zone) if "UNTIL" in rule else (None, False, False)
    #: Words are found for these parts only; a rule with others is said to repeat, and no more.
    simple = set(rule) <= {"FREQ", "INTERVAL", "BYDAY", "COUNT", "UNTIL", "WKST", "BYMONTHDAY", "BYMONTH"}
    plain_days = all(len(d) == 2 for d in days)
    if not simple or not plain_days or (days and frequency != "WEEKLY"):
        frequency, days = "", ()
    return Recurrence(
        frequency.lower(),
        int(interval) if interval.isascii() and interval.isdigit() and 0 < int(interval[:4]) < 1000 else 1,
        days,
        int(count[:6]) if count.isascii() and count.isdigit() else None,
        until,
    )


def _unescape(text: str) -> str:
    return re.sub(r"\\([nN,;\\:])", lambda m: "\n" if m[1] in "nN" else m[1], safe_text(text))
