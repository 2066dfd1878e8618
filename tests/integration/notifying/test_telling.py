"""What users are told of opens, clicks and replies, when, and in how many lines (T08)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import col, select, update

from mailcrm.errors import UserError
from mailcrm.models import LiveEvent, Message, Notification, User, utcnow
from mailcrm.services import notifications, telling
from mailcrm.services.access import Actor
from mailcrm.services.auth import users
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs import queue, sweep
from tests.builders import a_mailbox, a_message, a_user

pytestmark = pytest.mark.usefixtures("db")


def tell(actor: Actor, message: Message | None, kind: str = "open", count: int = 1, **more: Any) -> None:
    with transaction() as session:
        telling.notify(
            session, actor.user_id, kind, group_key=f"{kind}:{message.id if message else 0}", count=count,
            message_id=message.id if message else None, **more,
        )  # fmt: skip


def lines(actor: Actor) -> list[tuple[str, int]]:
    return [(row.kind, row.count) for row in notifications.list_notifications(actor)]


def hints(actor: Actor) -> int:
    with reading() as session:
        query = select(LiveEvent).where(LiveEvent.user_id == actor.user_id, LiveEvent.topic == "notifications")
        return len(session.exec(query).all())


def mail(actor: Actor, count: int) -> list[Message]:
    box = a_mailbox(actor)
    return [a_message(box, subject=f"Offer {n}") for n in range(count)]


def quiet_now(actor: Actor, *, minutes: int = 60) -> None:
    """Quiet hours around now, in a zone where they pass midnight as often as not."""
    now = utcnow().astimezone(ZoneInfo("Asia/Tokyo"))
    with transaction() as session:
        session.exec(update(User).where(col(User.id) == actor.user_id).values(time_zone="Asia/Tokyo"))
    span = (now - timedelta(minutes=minutes), now + timedelta(minutes=minutes))
    telling.change_choices(actor, quiet_hours=(f"{span[0]:%H:%M}", f"{span[1]:%H:%M}"))


def let_pass(actor: Actor) -> None:
    """As if the time that lines are held until had come."""
    with transaction() as session:
        held = update(Notification).where(col(Notification.held_until).is_not(None))
        session.exec(held.values(held_until=utcnow() - timedelta(seconds=1)))


def test_each_kind_is_chosen_by_itself() -> None:
    actor = a_user("Aino")
    first, second = mail(actor, 2)
    assert telling.choices(actor).kinds == {"open": "bell", "click": "bell", "replied": "bell"}
    telling.change_choices(actor, kinds={"open": "off"})
    tell(actor, first, "open")
    tell(actor, second, "click")
    assert lines(actor) == [("click", 1)]
    assert telling.choices(actor).kinds == {"open": "off", "click": "bell", "replied": "bell"}


def test_what_is_held_moves_with_the_users_zone() -> None:
    """T08: quiet hours are hours of the user's clock, wherever that goes."""
    actor = a_user("Aino")
    (message,) = mail(actor, 1)
    quiet_now(actor)
    tell(actor, message, "open")
    assert lines(actor) == []
    users.change_profile(actor, name="Aino", language="en", time_zone="America/New_York", theme="system")
    with reading() as session:
        held = session.exec(select(Notification.held_until)).one()
    assert held is not None
    assert held <= utcnow()  # there the quiet hours are half a day away


def test_what_needs_the_user_is_never_held_nor_off() -> None:
    actor = a_user("Aino")
    (message,) = mail(actor, 1)
    quiet_now(actor)
    tell(actor, message, "bounced")
    assert lines(actor) == [("bounced", 1)]
    with pytest.raises(UserError):
        telling.change_choices(actor, kinds={"bounced": "off"})


@pytest.mark.parametrize("hours", [("22:00", ""), ("24:00", "07:00"), ("ten", "seven"), ("22:00\n", "07:00")])
def test_hours_that_are_none_are_refused(hours: tuple[str, str]) -> None:
    actor = a_user("Aino")
    with pytest.raises(UserError):
        telling.change_choices(actor, quiet_hours=hours)
    assert (telling.choices(actor).quiet_from, telling.choices(actor).quiet_until) == ("", "")


def test_quiet_hours_hold_and_their_end_tells() -> None:
    actor = a_user("Aino")
    first, second = mail(actor, 2)
    tell(actor, first)  # before them
    quiet_now(actor)
    before = hints(actor)
    tell(actor, first, count=2)
    tell(actor, second, "click")
    assert lines(actor) == [("open", 1)]
    assert notifications.unread_count(actor) == 1
    assert hints(actor) == before, "nothing may move in open tabs"
    assert telling.release_due() == 0
    let_pass(actor)
    assert telling.release_due() == 1
    assert sorted(lines(actor)) == [("click", 1), ("open", 3)], "what was unread before is joined"
    assert notifications.unread_count(actor) == 2
    assert hints(actor) == before + 1
    assert telling.release_due() == 0


def test_held_lines_are_not_marked_read() -> None:
    actor = a_user("Aino")
    (message,) = mail(actor, 1)
    quiet_now(actor)
    tell(actor, message)
    notifications.mark_read(actor)
    let_pass(actor)
    telling.release_due()
    assert notifications.unread_count(actor) == 1


def test_no_quiet_hours_any_more_tells_what_they_held() -> None:
    actor = a_user("Aino")
    (message,) = mail(actor, 1)
    quiet_now(actor)
    tell(actor, message)
    assert lines(actor) == []
    telling.change_choices(actor, quiet_hours=("", ""))
    assert lines(actor) == [("open", 1)]


def test_a_digest_joins_an_hour() -> None:
    actor = a_user("Aino")
    first, second = mail(actor, 2)
    telling.change_choices(actor, kinds={"open": "digest", "click": "digest"})
    tell(actor, first, count=3)
    tell(actor, second)
    tell(actor, second, "click")
    assert lines(actor) == []
    let_pass(actor)
    telling.release_due()
    (line,) = notifications.list_notifications(actor)
    assert (line.kind, line.count) == ("digest", 5)
    assert {name: line.params[name] for name in ("open", "click", "replied", "emails")} == {
        "open": 4, "click": 1, "replied": 0, "emails": 2,
    }  # fmt: skip
    assert line.detail == "Offer 1, Offer 0"
    tell(actor, first)  # the next hour's, told into the same unread line
    let_pass(actor)
    telling.release_due()
    assert lines(actor) == [("digest", 6)]


def test_a_storm_is_one_line() -> None:
    """12 opens on 6 emails within minutes: one line."""
    actor = a_user("Aino")
    messages = mail(actor, 6)
    for message in messages[:4]:
        tell(actor, message, count=2)
    assert len(lines(actor)) == 4
    tell(actor, messages[0])  # joins its own line: no storm yet
    assert len(lines(actor)) == 4
    tell(actor, messages[4], count=2)
    tell(actor, messages[5])
    (line,) = notifications.list_notifications(actor)
    assert (line.kind, line.count, line.params["emails"]) == ("digest", 12, 6)
    notifications.mark_read(actor)
    tell(actor, messages[0])
    assert lines(actor)[0] == ("open", 1), "what comes after it was read is a line of its own"


def test_a_night_full_of_opens_is_one_line_in_the_morning() -> None:
    actor = a_user("Aino")
    quiet_now(actor)
    for message in mail(actor, 6):
        tell(actor, message)
    let_pass(actor)
    telling.release_due()
    assert lines(actor) == [("digest", 6)]


def test_a_digest_counts_only_what_its_reader_may_see() -> None:
    """M25: mail that was deleted since is in no number, and a digest of nothing is no line."""
    actor = a_user("Aino")
    messages = mail(actor, 2)
    telling.change_choices(actor, kinds={"open": "digest"})
    for message in messages:
        tell(actor, message, count=2)
    let_pass(actor)
    telling.release_due()
    for left, message in ((1, messages[0]), (0, messages[1])):
        with transaction() as session:
            session.exec(update(Message).where(col(Message.id) == message.id).values(deleted_at=utcnow()))
        assert lines(actor) == [("digest", 2 * left)] * left
        assert notifications.unread_count(actor) == left


def test_the_sweep_finds_what_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    actor = a_user("Aino")
    (message,) = mail(actor, 1)
    quiet_now(actor)
    tell(actor, message)
    asked: list[str] = []
    monkeypatch.setattr(queue, "enqueue", lambda job, **_: asked.append(job))
    sweep.sweep()
    assert "tell" not in asked
    let_pass(actor)
    sweep.sweep()
    assert "tell" in asked
    sweep.began("tell", {})
