"""One act on many conversations, and its undo: exactly what changed comes back (B12, DESIGN §5)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailcrm.errors import NotFound, UserError
from mailcrm.models import utcnow
from mailcrm.services.mail import bulk, reminders, threads
from tests.builders import a_mailbox, a_message, a_user

pytestmark = pytest.mark.usefixtures("db")


def test_archiving_many_and_undoing_it_leaves_alone_what_was_archived_before() -> None:
    """B12: one undo for the whole."""
    aino = a_user()
    box = a_mailbox(aino)
    first, second, before = (a_message(box, subject=each) for each in ("first", "second", "before"))
    threads.archive(aino, before.thread_id)
    done = bulk.act(aino, [first.thread_id, second.thread_id, before.thread_id, first.thread_id], "archive")
    assert threads.list_threads(aino).rows == ()
    bulk.undo(aino, done)
    assert {row.subject for row in threads.list_threads(aino).rows} == {"first", "second"}


def test_deleting_and_undoing_brings_back_what_was_deleted() -> None:
    """M30: it leaves every list; undo restores unread counts too."""
    aino = a_user()
    box = a_mailbox(aino)
    first, second = a_message(box), a_message(box)
    done = bulk.act(aino, [first.thread_id, second.thread_id], "delete")
    assert threads.list_threads(aino, folder="all").rows == ()
    assert threads.counts(aino).inbox_unread == 0
    bulk.undo(aino, done)
    assert threads.counts(aino).inbox_unread == 2


def test_read_and_unread_follow_what_one_conversation_does() -> None:
    """Unread is the newest incoming message; undo of "read" makes unread only what was."""
    aino = a_user()
    box = a_mailbox(aino)
    old = a_message(box)
    new = a_message(box, thread_id=old.thread_id)
    threads.mark_read(aino, old.thread_id, True)
    bulk.act(aino, [old.thread_id], "unread")
    assert [view.read for view in threads.open_thread(aino, old.thread_id).messages] == [True, False]
    done = bulk.act(aino, [old.thread_id], "read")
    assert done.message_ids == (new.id,)
    bulk.undo(aino, done)
    assert [view.read for view in threads.open_thread(aino, old.thread_id).messages] == [True, False]


def test_snoozing_many_and_undoing_it() -> None:
    """B13: they leave the Inbox, and come back where they were."""
    aino = a_user()
    box = a_mailbox(aino)
    both = [a_message(box).thread_id, a_message(box).thread_id]
    done = bulk.snooze(aino, both, utcnow() + timedelta(hours=3))
    assert threads.list_threads(aino).rows == ()
    bulk.undo(aino, done)
    assert len(threads.list_threads(aino).rows) == 2
    assert reminders.list_reminders(aino) == ()


def test_undoing_a_snooze_brings_back_the_one_before_and_leaves_a_later_one() -> None:
    """B13: who was snoozed until Monday is so again; what was said after the act stands."""
    aino = a_user()
    box = a_mailbox(aino)
    before, fresh, later = (a_message(box).thread_id for _ in range(3))
    now = utcnow()
    reminders.snooze(aino, before, now + timedelta(days=5))
    done = bulk.snooze(aino, [before, fresh, later], now + timedelta(days=1))
    reminders.snooze(aino, later, now + timedelta(days=2))
    bulk.undo(aino, done)
    stands = {each.thread_id: each.due_at for each in reminders.list_reminders(aino)}
    assert stands == {before: now + timedelta(days=5), later: now + timedelta(days=2)}
    assert {row.id for row in threads.list_threads(aino).rows} == {fresh}


@pytest.mark.parametrize("what", sorted(bulk.OPPOSITE))
def test_one_strangers_conversation_stops_the_whole(what: str) -> None:
    """M25: all or nothing; what is somebody else's is not found, and nothing of it changes."""
    aino, noor = a_user("Aino"), a_user("Noor")
    mine, theirs = a_message(a_mailbox(aino)), a_message(a_mailbox(noor))
    with pytest.raises(NotFound):
        bulk.act(aino, [mine.thread_id, theirs.thread_id], what)
    with pytest.raises(NotFound):
        bulk.snooze(aino, [mine.thread_id, theirs.thread_id], utcnow() + timedelta(hours=1))
    for actor, message in ((aino, mine), (noor, theirs)):
        (row,) = threads.list_threads(actor).rows
        assert (row.id, row.unread) == (message.thread_id, True)
    stolen = bulk.Done(what, (theirs.thread_id,), (theirs.id or 0,))
    bulk.undo(aino, stolen)
    (row,) = threads.list_threads(noor).rows
    assert row.unread


def test_too_many_or_no_act_is_refused() -> None:
    aino = a_user()
    came = a_message(a_mailbox(aino))
    for ids, what in (([came.thread_id], "undelete"), ([came.thread_id], "x"), (range(1, bulk.MOST + 2), "read")):
        with pytest.raises(UserError):
            bulk.act(aino, ids, what)
    with pytest.raises(NotFound):
        bulk.act(aino, [], "read")
