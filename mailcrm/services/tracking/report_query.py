"""What every part of the tracking report asks of the database: whose email, sent when, and what became of each.

Builds statements and runs none, but for the check of a mailbox. Only mail that the actor may see is in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, and_, case, cast, func, literal
from sqlmodel import Session, col

from mailcrm.errors import UserError
from mailcrm.models import Mailbox, Message, Outbox, TrackedMessage, TrackingEvent, UtcDateTime, utcnow
from mailcrm.services import access, i18n
from mailcrm.services.access import Actor
from mailcrm.services.rows import pick
from mailcrm.services.tracking.report_views import Scope

#: Periods in days, and how many days one point of the course stands for.
PERIODS = {7: 1, 28: 2, 90: 7, 365: 28}
QUARTER_S = 900  # every zone's clocks are set at one of these
DAY_S = 86_400
MONDAY_S = 3 * DAY_S  # 1970 began on a Thursday
FIGURES = ("tracked", "opens_on", "clicks_on", "opened", "clicked", "replied", "recorded_opens", "recorded_clicks")


def period(actor: Actor, scope: Scope) -> tuple[datetime, datetime, datetime]:
    """Return the period's beginning, the beginning of the one before, and now; days of the actor's zone, today included."""
    if scope.days not in PERIODS:
        raise UserError("input.invalid", value=str(scope.days)[:40], field="Period")
    zone, now = i18n.zone(actor.time_zone), utcnow()
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    start = (today - timedelta(days=scope.days - 1)).astimezone(UTC)
    before = (today - timedelta(days=2 * scope.days - 1)).astimezone(UTC)
    return start, before, now


def seen(session: Session, actor: Actor, scope: Scope) -> ColumnElement[bool]:
    """Return which messages the report is about; a mailbox must be the actor's own."""
    wanted = [access.visible_message(actor)]
    if scope.mailbox_id:
        access.load(session, Mailbox, scope.mailbox_id, access.own_mailbox(actor))
        wanted.append(col(Message.mailbox_id) == scope.mailbox_id)
    if scope.member_id:
        wanted.append(col(Message.user_id) == scope.member_id)
    return and_(*wanted)


def within(column: Any, start: Any, end: Any) -> ColumnElement[bool]:
    """Return whether a moment lies in a period; its ends are moments, or parameters of the statement."""
    since, until = _as_parameter(start), _as_parameter(end)
    return and_(column >= since, column < until)


def _as_parameter(moment: Any) -> Any:
    if isinstance(moment, datetime):
        return literal(moment, UtcDateTime())
    return moment


def _recorded(action: str) -> ColumnElement[bool]:
    """Whether any event came in that was not one of us: what raw rates are of."""
    event = pick(TrackingEvent.id).where(
        col(TrackingEvent.tracked_id) == col(TrackedMessage.id),
        col(TrackingEvent.action) == action,
        col(TrackingEvent.kind) != "own",
    )
    return event.correlate(TrackedMessage).exists()


def emails_of(session: Session, actor: Actor, scope: Scope, start: Any, end: Any, *, templates: bool = False) -> Any:
    """Return one row for each tracked copy that is seen, as a subquery.

    message_id, recipient, sent_at, first_opened_at, and FIGURES without "tracked", each 0 or 1; template_id if wanted.
    """
    tracked = TrackedMessage
    found = (
        pick(
            tracked.message_id,
            tracked.recipient,
            tracked.sent_at,
            tracked.first_opened_at,
            *([col(Outbox.template_id)] if templates else []),
            *[flag.label(name) for name, flag in zip(FIGURES[1:], flags()[1:], strict=True)],
        )
        .select_from(tracked)
        .join(Message, col(Message.id) == col(tracked.message_id))
    )
    if templates:
        found = found.outerjoin(Outbox, col(Outbox.id) == col(tracked.outbox_id))
    return found.where(within(col(tracked.sent_at), start, end), seen(session, actor, scope)).subquery()


def together(emails: Any) -> Any:
    """Return the copies for one recipient each, put together to the emails they are of (B04), as `emails_of`."""
    return (
        pick(
            emails.c.message_id,
            func.max(emails.c.template_id).label("template_id"),
            func.min(emails.c.sent_at, type_=UtcDateTime()).label("sent_at"),
            *[func.max(emails.c[name]).label(name) for name in FIGURES[1:]],
        )
        .where(emails.c.recipient != "")
        .group_by(emails.c.message_id)
        .subquery()
    )


def sums_of(emails: Any) -> Any:
    """Return (the last recipient of a copy or "", sums of FIGURES) as one row.

    Without groups nothing is sorted, which takes longer than to sum up: to ask for each step of a period is quicker.
    """
    last = func.coalesce(func.max(emails.c.recipient), "")
    return pick(last, func.count(), *[func.coalesce(func.sum(emails.c[name]), 0) for name in FIGURES[1:]])


def sums_by(emails: Any, keys: Sequence[Any], *conditions: ColumnElement[bool]) -> Any:
    """Return sums of FIGURES by `keys`, which come first, of emails that meet the conditions."""
    named = [key.label(f"key_{n}") for n, key in enumerate(keys)]
    each = pick(*named, *[emails.c[name] for name in FIGURES[1:]]).where(*conditions).subquery()
    found: list[Any] = [each.c[key.name] for key in named]
    return pick(*found, func.count(), *[func.sum(each.c[name]) for name in FIGURES[1:]]).group_by(*found)


def step_of(emails: Any, begins: Sequence[datetime]) -> Any:
    """Return the number of the last of `begins` that an email was sent after."""
    return case(
        *[(emails.c.sent_at >= literal(each, UtcDateTime()), n) for n, each in reversed(list(enumerate(begins)))],
        else_=-1,
    )


def medians_of(session: Session, emails: Any, start: datetime, *, copies: bool) -> Any:
    """Return (1 for emails sent after `start`, else 0; the median of seconds until the first open) where any was opened.

    The lower of the two in the middle. `copies`: there are some, which are put together to the emails they are of.
    """
    since = epoch_of(session, emails.c.first_opened_at) - epoch_of(session, emails.c.sent_at)
    now = case((emails.c.sent_at >= literal(start, UtcDateTime()), 1), else_=0)
    opened = emails.c.first_opened_at.is_not(None)
    found: Any = pick(now.label("part"), since.label("delay")).where(opened, emails.c.recipient == "")
    if copies:
        of_copies = pick(func.max(now), func.min(since)).where(opened, emails.c.recipient != "")
        found = found.union_all(of_copies.group_by(emails.c.message_id))
    each = found.subquery()
    place = func.row_number().over(partition_by=each.c.part, order_by=each.c.delay)
    many = func.count().over(partition_by=each.c.part)
    placed = pick(each.c.part, each.c.delay, place.label("place"), many.label("many")).subquery()
    return pick(placed.c.part, placed.c.delay).where(placed.c.place == (placed.c.many + 1) // 2)


def flags() -> list[Any]:
    """Return FIGURES of a tracked copy, each 0 or 1; of several copies of one email the highest holds."""
    tracked = TrackedMessage
    opened, clicked = col(tracked.opens) > 0, col(tracked.clicks) > 0
    # What counts was recorded: the events are only looked at where nothing counts.
    conditions: list[tuple[tuple[Any, int], ...]] = [
        ((col(tracked.opens_on).is_(True), 1),),
        ((col(tracked.clicks_on).is_(True), 1),),
        ((and_(col(tracked.opens_on).is_(True), opened), 1),),
        ((clicked, 1),),
        ((col(tracked.replied_at).is_not(None), 1),),
        ((col(tracked.opens_on).is_(False), 0), (opened, 1), (_recorded("open"), 1)),
        ((col(tracked.clicks_on).is_(False), 0), (clicked, 1), (_recorded("click"), 1)),
    ]
    return [literal(1), *[case(*each, else_=0) for each in conditions]]


def epoch_of(session: Session, moment: Any) -> Any:
    """Return a moment as seconds since 1970."""
    if session.get_bind().dialect.name == "postgresql":
        return cast(func.extract("epoch", moment), BigInteger)
    return cast(func.strftime("%s", moment), BigInteger)


def hour_of(session: Session, moment: Any, zone: tzinfo, start: datetime, end: datetime) -> Any:
    """Return the hour of the week, 0 for Monday's first, that a moment of the period lies in by a zone's clocks."""
    at = epoch_of(session, moment)
    changes = list(_offsets(zone, start, end))
    here = [(at >= begins, offset) for begins, offset in reversed(changes[1:])]
    offset = case(*here, else_=changes[0][1]) if here else literal(changes[0][1])
    return (at + offset + MONDAY_S) // 3600 % 168


def _offsets(zone: tzinfo, start: datetime, end: datetime) -> Iterator[tuple[int, int]]:
    """The zone's offsets in the period with when each begins, in seconds since 1970; clocks are set at quarters."""

    def offset_at(seconds: int) -> int:
        return int((datetime.fromtimestamp(seconds, UTC).astimezone(zone).utcoffset() or timedelta()).total_seconds())

    at, last = int(start.timestamp()), offset_at(int(start.timestamp()))
    yield at, last
    while at < end.timestamp():
        later = at + DAY_S
        if offset_at(later) != last:
            low, high = at // QUARTER_S, -(-later // QUARTER_S)
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset_at(middle * QUARTER_S) == last else (low, middle)
            last = offset_at(high * QUARTER_S)
            yield high * QUARTER_S, last
        at = later
