"""Tells users of what happened: a line of the bell at once, in an hour's digest, after quiet hours, or not at all (T08).

    event -> off: nothing | quiet hours: held until they end | digest: held until the full hour | bell: at once
                                                                                 many emails within minutes: one line

Only *news* (opens, clicks, replies) is chosen, held and joined; what needs the user (failures, sign-in, reminders that
they asked for) always comes at once. Held lines are rows with `held_until`, so nothing is lost when no worker runs;
`release_due`, a job, puts them among the others and tells open tabs. Does not read lines: services/notifications.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from mailcrm.errors import UserError
from mailcrm.models import Notification, User, utcnow
from mailcrm.services import i18n, live, quiet
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.rows import chunks, pick, rows

#: What users choose about, and what they may choose; "bell" where nothing is chosen.
NEWS = ("open", "click", "replied")
CHOICES = ("bell", "digest", "off")
STORM_LINES = 4  # unread lines of news within STORM; one more joins them all
STORM = timedelta(minutes=10)
MOST_EMAILS = 500  # that a digest names; the others are only counted
DIGEST = "digest"
_HELD = "held:"


@dataclass(frozen=True)
class TellingView:
    """What a user chose: for each of NEWS one of CHOICES, and the quiet hours ("22:00"; both "" without any)."""

    kinds: dict[str, str]
    quiet_from: str
    quiet_until: str
    time_zone: str


def choices(actor: Actor) -> TellingView:
    """Return what the actor chose to be told of."""
    with reading() as session:
        return _view(session.get_one(User, actor.user_id))


def change_choices(
    actor: Actor, *, kinds: dict[str, str] | None = None, quiet_hours: tuple[str, str] | None = None
) -> TellingView:
    """Change what the actor is told of; None leaves it. What is held is told when the new hours say.

    Raises UserError("input.invalid") for anything but NEWS, CHOICES and hours ("", "" for none).
    """
    for kind, choice in (kinds or {}).items():
        if kind not in NEWS or choice not in CHOICES:
            raise UserError("input.invalid", value=f"{choice}"[:40], field="Notifications")
    if quiet_hours is not None and quiet_hours != ("", "") and not all(map(quiet.is_hour, quiet_hours)):
        raise UserError("input.invalid", value="–".join(quiet_hours)[:40], field="Quiet hours")
    with transaction() as session:
        user = session.get_one(User, actor.user_id)
        if kinds:
            user.notify = {**user.notify, **kinds}
        if quiet_hours is not None:
            user.quiet_from, user.quiet_until = quiet_hours
            hold_again(session, user)
        session.add(user)
        live.hint(session, actor.user_id, "notifications")
        return _view(user)


def hold_again(session: Session, user: User) -> None:
    """Let what is held wait for the end of quiet hours as they are now: other hours, another zone. In the caller's transaction."""
    now = utcnow()
    for row in session.exec(_held_of(user.id or 0)):
        row.held_until = _end_of_quiet(user, now) or now
        session.add(row)


def notify(
    session: Session,
    user_id: int,
    kind: str,
    *,
    group_key: str | None = None,
    count: int = 1,
    at: datetime | None = None,
    message_id: int | None = None,
    thread_id: int | None = None,
    mailbox_id: int | None = None,
    deal_id: int | None = None,
    params: dict[str, Any] | None = None,
) -> None:
    """Tell a user, in the caller's transaction, as they chose; joins the unread line of the same `group_key`.

    Two processes that meet at a new line: the second fails on the unique key and its caller's transaction is tried
    again; callers that may meet (tracking/record.py) lock the tracked row first, so they rarely do.
    """
    at, now = at or utcnow(), utcnow()
    held: datetime | None = None
    if kind in NEWS:
        user = session.get_one(User, user_id)
        choice = user.notify.get(kind, "bell")
        if choice == "off":
            return
        held = _end_of_quiet(user, now)
        if choice == "digest":
            due = quiet.next_hour(now, i18n.zone(user.time_zone))
            _join_digest(
                session, user_id, {message_id or 0: {kind: count}}, at, held=_end_of_quiet(user, due) or due
            )  # fmt: skip
            return
        if held is None and _is_storm(session, user_id, group_key, now):
            emails = {message_id or 0: {kind: count}}
            _fold(session, user_id, _recent(session, user_id, now), emails, at)
            live.hint(session, user_id, "notifications")
            return
        if held is not None and group_key is not None:
            group_key = _HELD + group_key
    row = _line(session, user_id, group_key)
    if row is None:
        row = Notification(user_id=user_id, kind=kind, group_key=group_key, count=count)
    else:
        row.count += count
    row.at, row.held_until = at, held
    row.message_id = message_id or row.message_id
    row.thread_id = thread_id or row.thread_id
    row.mailbox_id = mailbox_id or row.mailbox_id
    row.deal_id = deal_id or row.deal_id
    row.params = {**row.params, **(params or {})}
    session.add(row)
    if held is None:
        live.hint(session, user_id, "notifications")


def notify_storm(session: Session, user_id: int, emails: dict[int, dict[str, int]], at: datetime) -> None:
    """Tell a user of news of many emails at once, in the caller's transaction: they are one line anyway.

    `emails`: how many of each kind of NEWS, by message. A handful of queries, however many they are.
    """
    user, now = session.get_one(User, user_id), utcnow()
    quiet_until = _end_of_quiet(user, now)
    by_choice: dict[str, dict[int, dict[str, int]]] = {choice: {} for choice in CHOICES}
    for message_id, counts in emails.items():
        for kind, count in counts.items():
            by_choice[str(user.notify.get(kind, "bell"))].setdefault(message_id, {})[kind] = count
    if later := by_choice["digest"]:
        due = quiet.next_hour(now, i18n.zone(user.time_zone))
        _join_digest(session, user_id, later, at, held=_end_of_quiet(user, due) or due)
    if soon := by_choice["bell"]:
        if quiet_until is not None:
            _join_digest(session, user_id, soon, at, held=quiet_until)
        else:
            _fold(session, user_id, _recent(session, user_id, now), soon, at)
            live.hint(session, user_id, "notifications")


def forget_opens(session: Session, message_ids: Sequence[int]) -> None:
    """Take opens and clicks of these messages out of everybody's digests, also read ones, in the caller's transaction."""
    gone = {str(each) for each in message_ids}
    digests = rows(session, pick(Notification.id, Notification.params).where(col(Notification.kind) == DIGEST))
    about = sorted(int(found[0]) for found in digests if not gone.isdisjoint(found[1].get("by", {})))
    for part in chunks(about):
        found = select(Notification).where(col(Notification.id).in_(part)).order_by(col(Notification.id))
        for row in session.exec(found.with_for_update().execution_options(populate_existing=True)):
            by = {name: dict(counts) for name, counts in row.params.get("by", {}).items()}
            for name in gone & by.keys():
                by[name] = {kind: each for kind, each in by[name].items() if kind == "replied"}
            by = {name: counts for name, counts in by.items() if counts}
            row.params = {**row.params, "by": by}
            row.count = sum(int(each.get(kind, 0)) for each in (*by.values(), _rest(row)) for kind in NEWS)
            session.add(row)


def is_due(now: datetime) -> Any:
    """Lines whose quiet hours or digest are over (the sweep asks)."""
    return col(Notification.held_until) <= now


def release_due(limit: int = 50) -> int:
    """Put lines that were held among the others, and tell open tabs; return for how many users. Idempotent."""
    now = utcnow()
    with reading() as session:
        users = session.exec(select(Notification.user_id).where(is_due(now)).distinct().limit(limit)).all()
    for user_id in users:
        with transaction() as session:
            query = select(Notification).where(Notification.user_id == user_id, is_due(now))
            _release(session, user_id, list(session.exec(query.order_by(col(Notification.id)).with_for_update())))
            live.hint(session, user_id, "notifications")
    return len(users)


def _release(session: Session, user_id: int, rows: list[Notification]) -> None:
    news = [row for row in rows if row.kind in NEWS]
    if len(news) > STORM_LINES:
        _fold(session, user_id, news, {}, max(row.at for row in news))
        rows = [row for row in rows if row.kind not in NEWS]
    for row in rows:
        key = (row.group_key or "").removeprefix(_HELD) or None
        there = _line(session, user_id, key)
        if there is None:
            row.group_key, row.held_until = key, None
            session.add(row)
        elif row.kind == DIGEST:
            _join_digest(session, user_id, _emails(row), row.at, rest=_rest(row))
            session.delete(row)
        else:
            there.count, there.at = there.count + row.count, max(there.at, row.at)
            there.params = {**there.params, **row.params}
            session.add(there)
            session.delete(row)
        session.flush()


def _is_storm(session: Session, user_id: int, group_key: str | None, now: datetime) -> bool:
    """Whether a new line would be one too many of the last minutes; what joins a line of its own is none."""
    if _line(session, user_id, group_key) is not None:
        return False
    recent = _recent(session, user_id, now)
    return len(recent) >= STORM_LINES or any(row.kind == DIGEST for row in recent)


def _recent(session: Session, user_id: int, now: datetime) -> list[Notification]:
    query = select(Notification).where(
        Notification.user_id == user_id,
        col(Notification.kind).in_((*NEWS, DIGEST)),
        col(Notification.read_at).is_(None),
        col(Notification.held_until).is_(None),
        col(Notification.at) > now - STORM,
    )
    return list(session.exec(query.order_by(col(Notification.at).desc()).limit(STORM_LINES * 4)))


def _fold(
    session: Session, user_id: int, rows: list[Notification], emails: dict[int, dict[str, int]], at: datetime
) -> None:
    """Make one line of several."""
    for row in rows:
        if row.kind == DIGEST:
            continue  # it is what they are joined with
        counted = emails.setdefault(row.message_id or 0, {})
        counted[row.kind] = counted.get(row.kind, 0) + row.count
        session.delete(row)
    session.flush()
    _join_digest(session, user_id, emails, at)


def _join_digest(
    session: Session,
    user_id: int,
    emails: dict[int, dict[str, int]],
    at: datetime,
    *,
    held: datetime | None = None,
    rest: dict[str, int] | None = None,
) -> None:
    key = _HELD + DIGEST if held is not None else DIGEST
    row = _line(session, user_id, key)
    if row is None:
        row = Notification(user_id=user_id, kind=DIGEST, group_key=key, count=0, held_until=held, at=at)
    known, others = _emails(row), _rest(row)
    for message_id, counts in [*emails.items(), *([(0, rest)] if rest else [])]:
        named = message_id in known or (message_id and len(known) < MOST_EMAILS)
        kept = known.setdefault(message_id, {}) if named else others
        for kind, count in counts.items():
            kept[kind] = kept.get(kind, 0) + count
            row.count += count if kind in NEWS else 0
        if not named and message_id:
            others["emails"] = others.get("emails", 0) + 1
    row.params = {"by": {str(message_id): counts for message_id, counts in known.items()}, "rest": others}
    row.at = max(row.at, at)
    session.add(row)
    session.flush()


def _emails(row: Notification) -> dict[int, dict[str, int]]:
    return {int(message_id): dict(counts) for message_id, counts in row.params.get("by", {}).items()}


def _rest(row: Notification) -> dict[str, int]:
    return dict(row.params.get("rest", {}))


def _line(session: Session, user_id: int, group_key: str | None) -> Notification | None:
    if group_key is None:
        return None
    query = select(Notification).where(Notification.user_id == user_id, Notification.group_key == group_key)
    # Locked and read anew: two processes that count in one line would lose what the other counted.
    return session.exec(query.with_for_update().execution_options(populate_existing=True)).first()


def _held_of(user_id: int) -> SelectOfScalar[Notification]:
    return select(Notification).where(
        Notification.user_id == user_id,
        col(Notification.held_until).is_not(None),
        col(Notification.kind).in_(NEWS),
    )


def _end_of_quiet(user: User, now: datetime) -> datetime | None:
    return quiet.end_of_quiet(now, i18n.zone(user.time_zone), user.quiet_from, user.quiet_until)


def _view(user: User) -> TellingView:
    kinds = {kind: str(user.notify.get(kind, "bell")) for kind in NEWS}
    return TellingView(kinds, user.quiet_from, user.quiet_until, user.time_zone)
