"""A pass does what the user did first, over its own lease; a first sync of much mail does not hold it up."""

from __future__ import annotations

from mailcrm.models.base import utcnow
from mailcrm.services.mail import threads
from mailcrm.services.mail.sync import lease
from mailcrm.services.mail.writeback.apply import write_back
from tests.integration.writeback.conftest import Desk, raw


def test_a_pass_begins_with_what_is_due_and_downloads_nothing(desk: Desk) -> None:
    for n in (1, 2):
        desk.deliver(raw(n))
    desk.sync()
    threads.archive(desk.actor, desk.thread(1))
    threads.mark_read(desk.actor, desk.thread(2), True)
    desk.later()
    assert desk.sync().stored == 0
    assert sorted(desk.states()) == [("archive", "done", "done"), ("read", "done", "done")]
    assert (sorted(desk.server("INBOX")), sorted(desk.server("Archive"))) == ([2], [1])
    desk.ledger()


def test_an_act_in_the_middle_of_a_first_sync_is_done_before_its_end(desk: Desk) -> None:
    for n in range(1, 400):
        desk.deliver(raw(n, body="x" * 2000))
    archived_at: list[int] = []

    def act(report: object) -> None:
        stored = report.stored  # type: ignore[attr-defined]
        if not desk.actions() and stored:
            threads.archive(desk.actor, desk.messages()[0].thread_id)
            desk.later()
        elif desk.actions() and not archived_at and desk.actions()[0].state == "done":
            archived_at.append(stored)

    desk.sync(progress=act)
    desk.sync()
    assert desk.states() == [("archive", "done", "done")]
    assert len(desk.messages()) == 399
    assert len(desk.server("Archive")) == 1
    desk.ledger()


def test_one_writer_at_a_time(desk: Desk) -> None:
    """While a pass has the mailbox the job leaves it alone; nothing is done twice."""
    desk.deliver(raw(1))
    desk.sync()
    threads.archive(desk.actor, desk.thread(1))
    desk.later()
    owner = lease.new_owner()
    assert lease.acquire(desk.mailbox_id, owner, utcnow())
    assert write_back(desk.mailbox_id) == 0
    assert desk.states() == [("archive", "queued", "")]


def test_a_paused_mailbox_is_left_alone(desk: Desk) -> None:
    from mailcrm.services.mail import mailboxes

    desk.deliver(raw(1))
    desk.sync()
    threads.archive(desk.actor, desk.thread(1))
    mailboxes.change(desk.actor, desk.mailbox_id, paused=True)
    assert desk.write() == 0
    mailboxes.change(desk.actor, desk.mailbox_id, paused=False)
    assert desk.write() == 1
