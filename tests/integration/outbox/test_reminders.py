"""Snooze, and "remind me when nobody answers" (B13)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import col, select, update

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Message, Reminder, Thread, utcnow
from mailcrm.services import notifications
from mailcrm.services.access import Actor
from mailcrm.services.crm.linking import link
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import reminders, threads
from mailcrm.services.mail.outbox import queue
from mailcrm.services.mail.thread import manual
from tests.builders import a_mailbox, a_message, a_user
from tests.integration.outbox.conftest import Desk


def listed(actor: Actor, folder: str = "inbox") -> list[int]:
    return [row.id for row in threads.list_threads(actor, folder=folder).rows]


def soon() -> object:
    return utcnow() + timedelta(hours=3)


def let_it_be_due(actor: Actor) -> int:
    with transaction() as session:
        due = update(Reminder).where(col(Reminder.ended_at).is_(None))
        session.exec(due.values(due_at=utcnow() - timedelta(seconds=1)))  # type: ignore[call-overload]
    return reminders.remind_due()


def a_box(db: str) -> tuple[Actor, int, list[int]]:
    actor = a_user()
    box = a_mailbox(actor)
    return actor, box, [a_message(box, subject=f"s{n}").thread_id for n in range(3)]


def answer(box: int, thread_id: int, **columns: object) -> None:
    a_message(box, thread_id=thread_id, at=utcnow() + timedelta(seconds=1), link_pending=True, **columns)  # type: ignore[arg-type]
    with transaction() as session:  # builders write rows of any age
        newest = select(Message).where(Message.thread_id == thread_id).order_by(col(Message.id).desc())
        session.exec(newest).first().created_at = utcnow() + timedelta(seconds=1)  # type: ignore[union-attr]
    link.apply_rules()


def test_a_snoozed_conversation_leaves_and_comes_back_on_top(db: str) -> None:
    actor, _box, (first, second, third) = a_box(db)
    reminders.snooze(actor, first, soon())  # type: ignore[arg-type]
    assert listed(actor) == [third, second]
    assert listed(actor, "snoozed") == [first]
    assert first in listed(actor, "all")
    assert threads.counts(actor).inbox_unread == 2
    assert reminders.remind_due() == 0
    assert let_it_be_due(actor) == 1
    assert listed(actor) == [first, third, second]
    assert listed(actor, "snoozed") == []
    (note,) = notifications.list_notifications(actor)
    assert (note.kind, note.thread_id, note.params["kind"]) == ("reminder", first, "snooze")
    threads.mark_read(actor, first, True)
    assert listed(actor) == [first, third, second]  # it stays where it came back
    assert reminders.remind_due() == 0


def test_a_new_message_brings_it_back_at_once(db: str) -> None:
    actor, box, (first, second, third) = a_box(db)
    reminders.snooze(actor, first, soon())  # type: ignore[arg-type]
    answer(box, first)
    assert listed(actor) == [first, third, second]
    assert reminders.list_reminders(actor) == ()


def test_old_mail_that_is_only_found_now_does_not(db: str) -> None:
    actor, box, (first, _second, _third) = a_box(db)
    reminders.snooze(actor, first, soon())  # type: ignore[arg-type]
    a_message(box, thread_id=first, link_pending=True)
    link.apply_rules()
    assert first not in listed(actor)


def test_taking_it_back(db: str) -> None:
    actor, _box, (first, second, third) = a_box(db)
    reminders.snooze(actor, first, soon())  # type: ignore[arg-type]
    later = reminders.snooze(actor, first, utcnow() + timedelta(days=3))
    assert [each.due_at for each in reminders.of_thread(actor, first)] == [later.due_at]  # one of a kind
    reminders.cancel(actor, first, "snooze")
    reminders.cancel(actor, first, "snooze")
    assert listed(actor) == [third, second, first]


def test_what_is_refused(db: str) -> None:
    actor, _box, (first, *_rest) = a_box(db)
    other = a_user("Other")
    for call in (
        lambda: reminders.snooze(other, first, soon()),  # type: ignore[arg-type]
        lambda: reminders.remind_of_reply(other, first, 3),
        lambda: reminders.cancel(other, first, "snooze"),
    ):
        with pytest.raises(NotFound):
            call()
    assert reminders.of_thread(other, first) == ()
    for at, code in ((utcnow(), "reminder.past"), (utcnow() + timedelta(days=3000), "reminder.too_far")):
        with pytest.raises(UserError) as caught:
            reminders.snooze(actor, first, at)
        assert caught.value.code == code
    with pytest.raises(UserError) as caught:
        reminders.remind_of_reply(actor, first, 3)
    assert caught.value.code == "reminder.nothing_sent"


def test_nobody_answered(desk: Desk) -> None:
    made = desk.draft()
    queue.send(desk.actor, made.id, delay_s=0, remind_days=4)
    desk.work()
    thread_id = desk.look(made.id).thread_id
    assert thread_id is not None
    (standing,) = reminders.of_thread(desk.actor, thread_id)
    assert (standing.kind, standing.message_id) == ("no_reply", desk.look(made.id).message_id)
    assert timedelta(days=3, hours=23) < standing.due_at - utcnow() <= timedelta(days=4)
    answer(desk.mailbox_id, thread_id, auto_submitted=True)  # "I am away" is no answer
    assert len(reminders.of_thread(desk.actor, thread_id)) == 1
    assert let_it_be_due(desk.actor) == 1
    (note,) = notifications.list_notifications(desk.actor)
    assert (note.kind, note.thread_id, note.params["kind"]) == ("reminder", thread_id, "no_reply")
    assert reminders.of_thread(desk.actor, thread_id) == ()


def test_an_answer_ends_the_wait(desk: Desk) -> None:
    made = desk.send()
    thread_id = made.thread_id or 0
    reminders.remind_of_reply(desk.actor, thread_id, 2)
    answer(desk.mailbox_id, thread_id)
    assert reminders.of_thread(desk.actor, thread_id) == ()
    assert let_it_be_due(desk.actor) == 0
    assert notifications.list_notifications(desk.actor) == ()


def test_an_answer_that_the_rules_have_not_seen_counts_too(desk: Desk) -> None:
    made = desk.send()
    thread_id = made.thread_id or 0
    reminders.remind_of_reply(desk.actor, thread_id, 2)
    a_message(desk.mailbox_id, thread_id=thread_id, at=utcnow() + timedelta(seconds=1))
    assert let_it_be_due(desk.actor) == 1
    assert notifications.list_notifications(desk.actor) == ()


def test_merging_keeps_the_reminder(db: str) -> None:
    actor, _box, (first, second, _third) = a_box(db)
    reminders.snooze(actor, first, soon())  # type: ignore[arg-type]
    manual.merge_threads(actor, first, second)
    assert [each.kind for each in reminders.of_thread(actor, second)] == ["snooze"]
    assert second not in listed(actor)


def test_merging_two_that_wait(db: str) -> None:
    actor, _box, (first, second, _third) = a_box(db)
    reminders.snooze(actor, first, soon())  # type: ignore[arg-type]
    kept = reminders.snooze(actor, second, utcnow() + timedelta(days=2))
    manual.merge_threads(actor, first, second)
    assert [each.due_at for each in reminders.of_thread(actor, second)] == [kept.due_at]


def test_what_is_in_the_trash_is_not_brought_up(db: str) -> None:
    actor, _box, (first, *_rest) = a_box(db)
    reminders.snooze(actor, first, soon())  # type: ignore[arg-type]
    threads.delete(actor, first)
    assert let_it_be_due(actor) == 1
    assert notifications.list_notifications(actor) == ()
    with reading() as session:
        assert session.get_one(Thread, first).message_count == 0
