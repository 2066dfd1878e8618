"""Rates over many tracked emails: the report page and its export (B03). Reads only.

Only mail that the actor may see is counted: the predicate of access.py is in every statement, so a number never tells
of a colleague's private email. An email counts once, also where each recipient had a copy (B04). The database sums up;
days and hours are those of the reader's zone, clock changes included.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from typing import Any

from sqlalchemy import Select, and_, bindparam, func, or_
from sqlmodel import Session, col

from mailcrm.models import (
    Mailbox,
    Message,
    Outbox,
    Participant,
    Person,
    PersonAddress,
    Template,
    TrackedLink,
    TrackedMessage,
    TrackingEvent,
    User,
    UtcDateTime,
)
from mailcrm.services import access, i18n
from mailcrm.services.access import Actor
from mailcrm.services.db import reading
from mailcrm.services.rows import pick, rows, scalar
from mailcrm.services.tracking.classify import COUNTED
from mailcrm.services.tracking.report_query import (
    FIGURES,
    PERIODS,
    emails_of,
    flags,
    hour_of,
    medians_of,
    period,
    seen,
    step_of,
    sums_by,
    sums_of,
    together,
    within,
)
from mailcrm.services.tracking.report_views import (
    Bucket,
    Choices,
    Details,
    Figures,
    Line,
    LinkLine,
    Scope,
    Summary,
)

TOP = 10  # persons and links that are listed


def choices(actor: Actor) -> Choices:
    """Return what the report may be narrowed to."""
    with reading() as session:
        own = pick(Mailbox.id, Mailbox.address).where(access.own_mailbox(actor), col(Mailbox.kind) != "bcc")
        mailboxes = tuple((row[0], row[1]) for row in rows(session, own.order_by(col(Mailbox.address))))
        of_member = (
            pick(Message.id)
            .join(TrackedMessage, col(TrackedMessage.message_id) == col(Message.id))
            .where(col(Message.user_id) == col(User.id), access.visible_message(actor))
            .correlate(User)
            .exists()
        )
        members = rows(session, pick(User.id, User.name).where(of_member).order_by(func.lower(User.name)))
        return Choices(mailboxes, tuple((row[0], row[1]) for row in members))


def summary(actor: Actor, scope: Scope) -> Summary:
    """Return figures, course and templates; NotFound for a mailbox that is not the actor's."""
    start, before, end = period(actor, scope)
    zone = i18n.zone(actor.time_zone)
    begins = first_days(start, zone, scope.days)[:: PERIODS[scope.days]]
    with reading() as session:
        (earlier, *now), templates, copies = _sums(session, actor, scope, [before, *begins, end])
        emails = emails_of(session, actor, scope, before, end)
        medians = {row[0]: row[1] for row in rows(session, medians_of(session, emails, start, copies=copies))}
        return Summary(
            start=start,
            end=end,
            sent=_sent(session, actor, scope, start, end),
            now=sum(now, Figures()),
            before=earlier,
            first_open=_seconds(medians.get(1)),
            first_open_before=_seconds(medians.get(0)),
            course=_course(start.astimezone(zone).date(), end.astimezone(zone).date(), scope, now),
            templates=_templates(session, actor, templates),
        )


def first_days(start: datetime, zone: tzinfo, days: int) -> list[datetime]:
    """Return when each day begins; a day may have 23 or 25 hours."""
    first = start.astimezone(zone).date()
    return [datetime.combine(first + timedelta(days=n), time(), tzinfo=zone) for n in range(days)]


def details(actor: Actor, scope: Scope) -> Details:
    """Return persons, links and hours; NotFound for a mailbox that is not the actor's."""
    start, _, end = period(actor, scope)
    with reading() as session:
        return Details(
            people=_people(session, actor, scope, start, end),
            links=_links(session, actor, scope, start, end),
            hours=_hours(session, actor, scope, start, end),
        )


def _sums(
    session: Session, actor: Actor, scope: Scope, bounds: list[datetime]
) -> tuple[list[Figures], dict[int, Figures], bool]:
    """Return figures of each step between `bounds`, those by template of all but the first, and whether there are copies."""
    since, until = (bindparam(name, type_=UtcDateTime()) for name in ("since", "until"))
    every = emails_of(session, actor, scope, since, until)
    steps = [{"since": begin, "until": end} for begin, end in pairwise(bounds)]
    found = [rows(session, sums_of(every), step)[0] for step in steps]
    copies = any(row[0] for row in found)
    if copies:
        found = [rows(session, sums_of(every).where(every.c.recipient == ""), step)[0] for step in steps]
    figures = [Figures(*map(int, row[1:])) for row in found]
    named = emails_of(session, actor, scope, bounds[1], bounds[-1], templates=True)
    template = named.c.template_id
    statement = sums_by(named, [template], template.is_not(None), named.c.recipient == "")
    templates = {row[0]: Figures(*map(int, row[1:])) for row in rows(session, statement)}
    if copies:  # one email's may lie on both sides of a bound
        emails = together(emails_of(session, actor, scope, bounds[0], bounds[-1], templates=True))
        keys = [step_of(emails, bounds[1:-1]), emails.c.template_id]
        for step, template_id, *sums in rows(session, sums_by(emails, keys)):
            more = Figures(*map(int, sums))
            figures[step + 1] += more
            if template_id and step >= 0:
                templates[template_id] = templates.get(template_id, Figures()) + more
    without = sum(figures[1:], Figures()) - sum(templates.values(), Figures())
    return figures, {**templates, **({0: without} if without.tracked else {})}, copies


def _sent(session: Session, actor: Actor, scope: Scope, start: datetime, end: datetime) -> int:
    """How many emails were sent from here, tracked or not."""
    statement = (
        pick(func.count())
        .select_from(Outbox)
        .join(Message, col(Message.id) == col(Outbox.message_id))
        .where(col(Outbox.state) == "sent", within(col(Outbox.sent_at), start, end), seen(session, actor, scope))
    )
    return int(scalar(session, statement) or 0)


def _seconds(count: int | None) -> timedelta | None:
    return None if count is None else timedelta(seconds=count)


def _course(first: date, today: date, scope: Scope, by_step: Sequence[Figures]) -> tuple[Bucket, ...]:
    """The period in steps of days; the last one may be cut short by today."""
    step = PERIODS[scope.days]
    return tuple(
        Bucket(
            first + timedelta(days=n),
            min(first + timedelta(days=n + step - 1), today),
            by_step[n // step],
        )
        for n in range(0, scope.days, step)
    )


def _templates(session: Session, actor: Actor, by_template: dict[int, Figures]) -> tuple[Line, ...]:
    """Figures by template, the most used first; those that the actor may not see are one line without a name."""
    ids = [each for each in by_template if each]
    named = pick(Template.id, Template.name).where(
        col(Template.id).in_(ids),
        or_(col(Template.user_id) == actor.user_id, col(Template.shared).is_(True)),  # in the trash, too
    )
    names = {row[0]: row[1] for row in rows(session, named)} if ids else {}
    lines = [Line(each, names[each], by_template[each]) for each in ids if each in names]
    lines.sort(key=lambda line: (-line.figures.tracked, line.name))
    others = sum((by_template[each] for each in ids if each not in names), Figures())
    if others.tracked:
        lines.append(Line(0, "", others, hidden=True))
    if 0 in by_template:
        lines.append(Line(0, "", by_template[0]))
    return tuple(lines)


def _people(session: Session, actor: Actor, scope: Scope, start: datetime, end: datetime) -> tuple[Line, ...]:
    """Figures by known recipient; a copy counts for whom it was sent to, other email for everybody it was sent to."""
    tracked = TrackedMessage
    found = [func.max(flag).label(name) for name, flag in zip(FIGURES, flags(), strict=True)]
    each = (
        pick(col(Person.id).label("id"), col(Person.name).label("name"), *found)
        .select_from(tracked)
        .join(Message, col(Message.id) == col(tracked.message_id))
        .join(
            Participant,
            and_(col(Participant.message_id) == col(Message.id), col(Participant.role).in_(("to", "cc"))),
        )
        .join(PersonAddress, col(PersonAddress.address) == col(Participant.address))
        .join(Person, col(Person.id) == col(PersonAddress.person_id))
        .where(
            within(col(tracked.sent_at), start, end),
            seen(session, actor, scope),
            access.visible_crm(actor, Person),
            or_(col(tracked.recipient) == "", col(tracked.recipient) == col(Participant.address)),
        )
        .group_by(col(Person.id), col(Person.name), col(Message.id))
        .subquery()
    )
    sums = [func.sum(each.c[name]) for name in FIGURES]
    statement = pick(each.c.id, each.c.name, *sums).group_by(each.c.id, each.c.name)
    best = rows(session, statement.order_by(func.sum(each.c.tracked).desc(), each.c.name).limit(TOP))
    return tuple(Line(row[0], row[1], Figures(*map(int, row[2:]))) for row in best)


def _events(session: Session, actor: Actor, scope: Scope, action: str, start: datetime, end: datetime) -> Any:
    def narrowed(statement: Select[Any]) -> Select[Any]:
        return (
            statement.join(TrackedMessage, col(TrackedMessage.id) == col(TrackingEvent.tracked_id))
            .join(Message, col(Message.id) == col(TrackedMessage.message_id))
            .where(
                within(col(TrackingEvent.at), start, end),
                col(TrackingEvent.action) == action,
                col(TrackingEvent.kind).in_(sorted(COUNTED)),
                seen(session, actor, scope),
            )
        )

    return narrowed


def _links(session: Session, actor: Actor, scope: Scope, start: datetime, end: datetime) -> tuple[LinkLine, ...]:
    clicks = func.count()
    narrowed = _events(session, actor, scope, "click", start, end)
    statement = narrowed(
        pick(
            TrackedLink.url, func.max(TrackedLink.text), clicks, func.count(func.distinct(TrackedMessage.message_id))
        ).select_from(TrackingEvent)
    ).join(TrackedLink, col(TrackedLink.id) == col(TrackingEvent.link_id))
    found = rows(session, statement.group_by(col(TrackedLink.url)).order_by(clicks.desc(), TrackedLink.url).limit(TOP))
    return tuple(LinkLine(row[0], row[1] or "", int(row[2]), int(row[3])) for row in found)


def _hours(session: Session, actor: Actor, scope: Scope, start: datetime, end: datetime) -> tuple[tuple[int, ...], ...]:
    zone = i18n.zone(actor.time_zone)
    hour = hour_of(session, col(TrackingEvent.at), zone, start, end).label("hour")
    each = _events(session, actor, scope, "open", start, end)(pick(hour).select_from(TrackingEvent)).subquery()
    week = [[0] * 24 for _ in range(7)]
    for at, count in rows(session, pick(each.c.hour, func.count()).group_by(each.c.hour)):
        week[int(at) // 24][int(at) % 24] += int(count)
    return tuple(map(tuple, week))
