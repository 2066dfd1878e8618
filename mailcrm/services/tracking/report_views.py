"""What the tracking report shows: frozen values. Rates are not in it: who shows them decides from how many on."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import date, datetime, timedelta
from operator import add, sub


@dataclass(frozen=True)
class Figures:
    """Emails by what became of them; each counts once, however often it was opened.

    `opens_on`, `clicks_on`: those of `tracked` whose opens or links are tracked. `opened`, `clicked`: those with an
    event that may be a person's; `recorded_opens`, `recorded_clicks`: with any event that was not one of us (B03).
    """

    tracked: int = 0
    opens_on: int = 0
    clicks_on: int = 0
    opened: int = 0
    clicked: int = 0
    replied: int = 0
    recorded_opens: int = 0
    recorded_clicks: int = 0

    def __add__(self, other: Figures) -> Figures:
        """Return both together."""
        return Figures(*map(add, astuple(self), astuple(other)))

    def __sub__(self, other: Figures) -> Figures:
        """Return what is left without the other's emails."""
        return Figures(*map(sub, astuple(self), astuple(other)))


@dataclass(frozen=True)
class Scope:
    """What a report is about: the last `days` days, one's own mailbox, a member's email; 0 is all of them."""

    days: int = 28
    mailbox_id: int = 0
    member_id: int = 0


@dataclass(frozen=True)
class Bucket:
    """The emails sent from `first` to `last`, days of the reader's zone."""

    first: date
    last: date
    figures: Figures


@dataclass(frozen=True)
class Line:
    """A template's or a person's figures; `id` 0 and `name` "" are the emails without one, or one out of sight."""

    id: int
    name: str
    figures: Figures
    hidden: bool = False


@dataclass(frozen=True)
class LinkLine:
    """A link with its clicks that may be persons', and in how many emails it was clicked."""

    url: str
    text: str
    clicks: int
    emails: int


@dataclass(frozen=True)
class Summary:
    """The first half of the page: figures of the period and of the one before, their course, and templates."""

    start: datetime
    end: datetime
    sent: int
    now: Figures
    before: Figures
    first_open: timedelta | None
    first_open_before: timedelta | None
    course: tuple[Bucket, ...]
    templates: tuple[Line, ...]


@dataclass(frozen=True)
class Details:
    """The second half. `hours`: counted opens by weekday (Monday is 0) and hour of the reader's zone."""

    people: tuple[Line, ...]
    links: tuple[LinkLine, ...]
    hours: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Choices:
    """What the report may be narrowed to: own mailboxes, and members with tracked email that the actor may see."""

    mailboxes: tuple[tuple[int, str], ...]
    members: tuple[tuple[int, str], ...]
