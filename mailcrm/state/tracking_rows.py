"""The tracking report in words and shapes: what state/tracking_report.py shows. Pure.

A share of fewer than MEANINGFUL emails is no rate: then the numbers are said instead (DESIGN §3 j).
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from mailcrm.services import i18n
from mailcrm.services.i18n import N_, gettext, ngettext
from mailcrm.state import chart
from mailcrm.state.present import Eyes

MEANINGFUL = 20  # emails
LEVELS = 5  # shades of the week's hours
TELLING = 5  # opens in one hour of the week, from which on it is named the best


@dataclass(frozen=True)
class Kpi:
    """One of the five figures; `tone` is "good", "bad" or "" and `way` "up", "down" or ""."""

    name: str
    label: str
    value: str
    note: str = ""
    change: str = ""
    way: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Grid:
    """A line of the grid: its value in words, and how far down it lies in per cent."""

    label: str
    y: float


@dataclass(frozen=True)
class Column:
    """A point of the course: its day below (sometimes ""), and what the pointer or a reader is told."""

    day: str
    said: str
    x: float


@dataclass(frozen=True)
class Curve:
    """A line of the chart with its last value."""

    path: str = ""
    end: str = ""
    y: float = 0.0


@dataclass(frozen=True)
class Course:
    """The chart."""

    opened: Curve = Curve()
    clicked: Curve = Curve()
    grid: tuple[Grid, ...] = ()
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True)
class Share:
    """A share in words, and as the length of a bar in per cent."""

    text: str
    width: str


@dataclass(frozen=True)
class TableLine:
    """A template's or a person's line."""

    name: str
    href: str
    dim: bool
    sent: str
    opened: Share
    clicked: Share
    replied: Share


@dataclass(frozen=True)
class LinkRow:
    """A link that was clicked."""

    text: str
    url: str
    clicks: str
    emails: str


@dataclass(frozen=True)
class Hour:
    """A cell of the week."""

    level: int
    said: str


@dataclass(frozen=True)
class Day:
    """A row of the week."""

    name: str
    hours: tuple[Hour, ...]


def kpis(view: Any, eyes: Eyes, *, raw: bool) -> list[Kpi]:
    """Return the five figures with their change since the period before."""
    now, before = view.now, view.before
    opened, opened_before = (now.recorded_opens, before.recorded_opens) if raw else (now.opened, before.opened)
    clicked, clicked_before = (now.recorded_clicks, before.recorded_clicks) if raw else (now.clicked, before.clicked)
    share = f"{round(100 * now.tracked / view.sent)}%" if view.sent and now.tracked <= view.sent else ""
    return [
        Kpi(
            "tracked",
            eyes.t(N_("Tracked emails")),
            i18n.number(eyes.language, now.tracked),
            note=gettext(eyes.language, "{share} of sent", share=share) if share else "",
        ),
        _rate("opened", eyes.t(N_("Open rate")), eyes, (opened, now.opens_on), (opened_before, before.opens_on)),
        _rate("clicked", eyes.t(N_("Click rate")), eyes, (clicked, now.clicks_on), (clicked_before, before.clicks_on)),
        _rate("replied", eyes.t(N_("Reply rate")), eyes, (now.replied, now.tracked), (before.replied, before.tracked)),
        _first(view, eyes),
    ]


def _rate(name: str, label: str, eyes: Eyes, now: tuple[int, int], before: tuple[int, int]) -> Kpi:
    if not now[1]:
        return Kpi(name, label, "–")
    if now[1] < MEANINGFUL:
        return Kpi(name, label, _of(eyes, *now))
    rate = 100 * now[0] / now[1]
    value = f"{i18n.decimal(eyes.language, rate, 1)}%"
    if before[1] < MEANINGFUL:
        return Kpi(name, label, value)
    points = round(rate - 100 * before[0] / before[1], 1)
    if not points:
        return Kpi(name, label, value, change=gettext(eyes.language, "As before"))
    change = gettext(eyes.language, "{n} pts", n=i18n.decimal(eyes.language, abs(points), 1))
    up = points > 0
    return Kpi(name, label, value, change=change, way="up" if up else "down", tone="good" if up else "bad")


def _first(view: Any, eyes: Eyes) -> Kpi:
    label = eyes.t(N_("First open, median"))
    if view.first_open is None:
        return Kpi("first", label, "–")
    value = length(eyes, view.first_open)
    if view.first_open_before is None or view.now.opened < MEANINGFUL or view.before.opened < MEANINGFUL:
        return Kpi("first", label, value)
    apart = view.first_open - view.first_open_before
    if abs(apart) < timedelta(minutes=1):
        return Kpi("first", label, value, change=gettext(eyes.language, "As before"))
    later = apart > timedelta(0)
    return Kpi(
        "first", label, value, change=length(eyes, abs(apart)), way="up" if later else "down",
        tone="bad" if later else "good",
    )  # fmt: skip


def length(eyes: Eyes, span: timedelta) -> str:
    """Return 1 h 42 min, 3 d 4 h, 12 min."""
    minutes = max(round(span.total_seconds() / 60), 0)
    if minutes < 60:
        return gettext(eyes.language, "{n} min", n=minutes)
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return gettext(eyes.language, "{h} h {m} min", h=hours, m=minutes)
    return gettext(eyes.language, "{d} d {h} h", d=hours // 24, h=hours % 24)


def course(view: Any, eyes: Eyes, *, raw: bool) -> Course:
    """Return the chart: rates, or numbers where there are too few emails for rates."""
    counts = view.now.tracked < MEANINGFUL
    opened = [_value(each.figures, "opens", raw=raw, counts=counts) for each in view.course]
    clicked = [_value(each.figures, "clicks", raw=raw, counts=counts) for each in view.course]
    most = max((value for value in (*opened, *clicked) if value is not None), default=0)
    grid = chart.scale(most, whole=counts)
    top = grid[-1]
    today = eyes.now.astimezone(eyes.zone).date()
    every = max(len(view.course) // 7, 1)
    columns = [
        Column(
            day=i18n.calendar_day(eyes.language, each.first, today) if (len(view.course) - 1 - n) % every == 0 else "",
            said=_said(each, eyes, today, opened[n], clicked[n], counts=counts),
            x=100 * n / max(len(view.course) - 1, 1),
        )
        for n, each in enumerate(view.course)
    ]
    curves = [_curve(values, top, eyes, counts=counts) for values in (opened, clicked)]
    return Course(
        opened=_apart(curves[0], curves[1], -1),
        clicked=_apart(curves[1], curves[0], 1),
        grid=tuple(Grid(_spelled(value, eyes, counts=counts), 100 - 100 * value / top) for value in reversed(grid)),
        columns=tuple(columns),
    )


def _value(figures: Any, what: str, *, raw: bool, counts: bool) -> float | None:
    done = getattr(figures, f"recorded_{what}") if raw else (figures.opened if what == "opens" else figures.clicked)
    of = getattr(figures, f"{what}_on")
    if counts:
        return float(done)
    return min(done / of, 1.0) if of else None


def _curve(values: list[float | None], top: float, eyes: Eyes, *, counts: bool) -> Curve:
    last = next((value for value in reversed(values) if value is not None), None)
    if last is None:
        return Curve()
    return Curve(chart.line(values, top), _spelled(last, eyes, counts=counts), chart.height(last, top) / 2)


def _apart(curve: Curve, other: Curve, way: int) -> Curve:
    """Keep two labels at the end from lying upon each other."""
    if not curve.end or not other.end or abs(curve.y - other.y) >= 9:
        return curve
    middle = (curve.y + other.y) / 2
    return Curve(curve.path, curve.end, min(max(middle + 5 * way, 3), 97))


def _spelled(value: float, eyes: Eyes, *, counts: bool) -> str:
    return i18n.number(eyes.language, round(value)) if counts else f"{round(100 * value)}%"


def _said(bucket: Any, eyes: Eyes, today: date, opened: float | None, clicked: float | None, *, counts: bool) -> str:
    first = i18n.calendar_day(eyes.language, bucket.first, today)
    days = first if bucket.first == bucket.last else f"{first} – {i18n.calendar_day(eyes.language, bucket.last, today)}"
    parts = [ngettext(eyes.language, "{n} tracked email", "{n} tracked emails", bucket.figures.tracked)]
    for value, sentence in ((opened, N_("{share} opened")), (clicked, N_("{share} clicked"))):
        if value is not None and bucket.figures.tracked:
            parts.append(eyes.t(sentence, share=_spelled(value, eyes, counts=counts)))
    return f"{days}: {', '.join(parts)}"


def table(lines: Any, eyes: Eyes, *, raw: bool, href: Any = None) -> list[TableLine]:
    """Return the lines of templates or persons."""
    made = []
    for line in lines:
        figures = line.figures
        opened = figures.recorded_opens if raw else figures.opened
        clicked = figures.recorded_clicks if raw else figures.clicked
        name = line.name or eyes.t(N_("Colleagues’ own templates") if line.hidden else N_("No template"))
        made.append(
            TableLine(
                name=name,
                href=href(line.id) if href is not None and line.id else "",
                dim=not line.name,
                sent=i18n.number(eyes.language, figures.tracked),
                opened=_share(eyes, opened, figures.opens_on),
                clicked=_share(eyes, clicked, figures.clicks_on),
                replied=_share(eyes, figures.replied, figures.tracked),
            )
        )
    return made


def _share(eyes: Eyes, part: int, whole: int) -> Share:
    if not whole:
        return Share("–", "0%")
    rate = 100 * part / whole
    text = f"{round(rate)}%" if whole >= MEANINGFUL else _of(eyes, part, whole)
    return Share(text, f"{min(rate, 100):.1f}%")


def _of(eyes: Eyes, part: int, whole: int) -> str:
    return gettext(
        eyes.language, "{n} of {all}", n=i18n.number(eyes.language, part), all=i18n.number(eyes.language, whole)
    )


def links(found: Any, eyes: Eyes) -> list[LinkRow]:
    """Return the links that were clicked most."""
    return [
        LinkRow(
            text=each.text or each.url.removeprefix("https://").removeprefix("http://").removesuffix("/"),
            url=each.url,
            clicks=ngettext(eyes.language, "{n} click", "{n} clicks", each.clicks),
            emails=ngettext(eyes.language, "in {n} email", "in {n} emails", each.emails),
        )
        for each in found
    ]


def week(hours: tuple[tuple[int, ...], ...], eyes: Eyes) -> tuple[list[Day], str]:
    """Return the week's hours with their shades, none without any open; and the best one in words, where one stands out."""
    most = max(max(day) for day in hours)
    if not most:
        return [], ""
    days: list[Day] = []
    best = ""
    for weekday, counted in enumerate(hours):
        name = i18n.weekday(eyes.language, weekday)
        cells: list[Hour] = []
        for hour, count in enumerate(counted):
            said = ngettext(eyes.language, "{n} open", "{n} opens", count)
            level = -(-count * LEVELS // max(most, LEVELS)) if count else 0
            cells.append(Hour(level, f"{name} {hour}:00, {said}"))
            if count == most and most >= TELLING and not best:
                best = gettext(
                    eyes.language, "Most opens: {day}, {hour}–{next}:00 ({opens})", day=name, hour=f"{hour}:00",
                    next=(hour + 1) % 24, opens=said,
                )  # fmt: skip
        days.append(Day(name, tuple(cells)))
    return days, best
